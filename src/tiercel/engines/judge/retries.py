"""The budget of extra work: retries and hedges together stay below a share of live requests."""

from __future__ import annotations

__all__ = ["ExtraWork"]

# What an idle service has saved up, so that the first failure of a quiet night can still be retried.
MOST_SAVED = 10.0


class ExtraWork:
    """A purse that every live request fills a little and every extra attempt empties by one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = 1.0 if share > 0 else 0.0
        self.spent = 0
        self.refused = 0

    def earn(self) -> None:
        """Count a live request."""
        saved = self._saved + self._share
        self._saved = min(MOST_SAVED, saved)

    def spend(self) -> bool:
        """Take one extra attempt out of the purse; return False when it is empty."""
        # The sum of many small shares may miss a whole by its last bit.
        if self._saved < 1.0 - 1e-9:
            self.refused += 1
            return False
        self._saved -= 1.0
        self.spent += 1
        return True

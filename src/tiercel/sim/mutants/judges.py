"""Judges that judge wrongly."""

from __future__ import annotations

from tiercel.engines.judge.health import Health
from tiercel.engines.judge.retries import ExtraWork
from tiercel.terms.errors import EngineFailed, Unavailable

__all__ = [
    "CountsImpatience",
    "ForgetsProbes",
    "IgnoresTheBudget",
    "LeaksInFlight",
    "LetsEverybodyProbe",
    "NeverCloses",
    "ShortensRetryAfter",
]


class LetsEverybodyProbe(Health):
    """Lets every request through when a cooldown is over, as if each were the only probe."""

    def enter(self, name: str) -> bool:
        """Forget who is probing already."""
        for breaker in self._records[name].breakers.values():
            breaker.probing = False
        return super().enter(name)


class ForgetsProbes(Health):
    """Keeps a probe's place when the prober's caller leaves, so that nobody is ever let in again."""

    def left(self, name: str, *, probe: bool) -> None:
        """Count it out, and keep its place."""
        super().left(name, probe=False)


class LeaksInFlight(Health):
    """Does not count attempts out whose callers left."""

    def left(self, name: str, *, probe: bool) -> None:
        """Count it in once more than out."""
        super().left(name, probe=probe)
        self._records[name].in_flight += 1


class NeverCloses(Health):
    """Opens breakers again at once when a probe succeeds."""

    def succeeded(self, name: str, size: int, took_s: float, *, probe: bool) -> None:
        """Take the success for a failure when it was a probe's."""
        if probe:
            self.failed(name, EngineFailed("server_error", "planted"), fair=True, probe=probe)
        else:
            super().succeeded(name, size, took_s, probe=probe)


class CountsImpatience(Health):
    """Blames engines for callers who gave them no time, and for those who left."""

    def failed(self, name: str, failure: Unavailable, *, fair: bool, probe: bool) -> None:
        """Find every lateness fair."""
        super().failed(name, failure, fair=True, probe=probe)

    def left(self, name: str, *, probe: bool) -> None:
        """Take a caller's leaving for a fault of the engine."""
        super().failed(name, EngineFailed("server_error", "planted"), fair=True, probe=probe)


class ShortensRetryAfter(Health):
    """Asks an engine again after half the time that it asked for."""

    def failed(self, name: str, failure: Unavailable, *, fair: bool, probe: bool) -> None:
        """Halve its word."""
        if isinstance(failure, EngineFailed) and failure.retry_after_s is not None:
            failure = EngineFailed(failure.failure, str(failure), retry_after_s=failure.retry_after_s / 2)
        super().failed(name, failure, fair=fair, probe=probe)


class IgnoresTheBudget(ExtraWork):
    """Pays for every retry and every hedge."""

    def spend(self) -> bool:
        """Never say no."""
        self.spent += 1
        return True

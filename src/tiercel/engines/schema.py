"""A caller's JSON schema, made ready to check answers with - and refused when checking could take forever."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from tiercel.engines.weight import MOST_WEIGHT, Weigher
from tiercel.terms.errors import BadRequest
from tiercel.terms.json import NOT_JSON

if TYPE_CHECKING:
    from jsonschema_rs import Validator

__all__ = ["Schema", "compiled"]

# A schema of this size takes up to 20 ms of the event loop to compile, once.
MOST_BYTES = 64 * 1024
MOST_KEPT = 256
MOST_BACKTRACKS = 1_000
CHARS_A_LOOK = 16
MOST_REGEX_BYTES = 1024 * 1024
LONGEST_COMPLAINT = 200
PARAM = "response_format"


class Schema:
    """Judges answers; holds no words of any."""

    def __init__(self, validator: Validator, weigher: Weigher) -> None:
        self._validator = validator
        self._weigher = weigher

    def complaint(self, text: str) -> str:
        """Say why a text does not fit, or nothing; the answer's own words stay out of it."""
        try:
            value = msgspec.json.decode(text)
        except NOT_JSON:
            return "it is not JSON"
        # Every value but the first follows a comma or a bracket; long strings take their time too.
        looks = 1 + text.count(",") + text.count("[") + text.count("{") + len(text) // CHARS_A_LOOK
        if self._weigher.weight(value) * looks > MOST_WEIGHT:
            return "it is too large to be checked against this schema"
        if self._validator.is_valid(value):
            return ""
        error = next(iter(self._validator.iter_errors(value)), None)
        place = "/".join(map(str, error.schema_path)) if error is not None else ""
        return f"it breaks the schema at /{place[:LONGEST_COMPLAINT]}"


def compiled(raw: bytes) -> Schema:
    """Return the schema of these bytes; raises ``BadRequest`` for one that is wrong, too large or too costly."""
    if len(raw) > MOST_BYTES:
        raise BadRequest(f"a schema has at most {MOST_BYTES} bytes", param=PARAM)
    return _compiled(raw)


@functools.lru_cache(maxsize=MOST_KEPT)
def _compiled(raw: bytes) -> Schema:
    import jsonschema_rs  # noqa: PLC0415 - loaded on first use

    try:
        schema = msgspec.json.decode(raw)
        weigher = Weigher(schema)
        validator = jsonschema_rs.validator_for(
            schema,
            # References to other places are never followed.
            offline=True,
            pattern_options=jsonschema_rs.FancyRegexOptions(
                backtrack_limit=MOST_BACKTRACKS, size_limit=MOST_REGEX_BYTES, dfa_size_limit=MOST_REGEX_BYTES
            ),
        )
    except RecursionError:
        raise BadRequest("the schema is nested too deeply", param=PARAM) from None
    except ValueError as error:
        # Both libraries' errors are ValueErrors, and so is text that is not UTF-8.
        raise BadRequest(f"not a JSON schema: {str(error).splitlines()[0][:LONGEST_COMPLAINT]}", param=PARAM) from None
    return Schema(validator, weigher)

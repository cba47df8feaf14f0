"""Vectors are the same for the same words, of length one, and the same as numbers and packed; lists name every mode."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.rehearsal.bare import Parsed
from tiercel.engines.rehearsal.embeddings import vector
from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.script import rehearse


def embedded(**fields: Json) -> tuple[int, Any]:
    body: dict[str, Json] = {"model": "m"}
    heard = Heard.of("POST", "/v1/embeddings", {}, msgspec.json.encode(body | fields))
    parsed = Parsed(b"".join(beat.data for beat in rehearse(heard, Part())))
    return parsed.statuses[0], msgspec.json.decode(parsed.body)


def listed(path: str, headers: dict[str, str]) -> tuple[int, Any]:
    beats = rehearse(Heard.of("GET", path, headers, b""), Part())
    parsed = Parsed(b"".join(beat.data for beat in beats))
    return parsed.statuses[0], msgspec.json.decode(parsed.body)


@given(st.text(), st.integers(1, 300))
def test_every_vector_has_length_one(words: str, dimensions: int) -> None:
    made = vector(words, dimensions)
    assert len(made) == dimensions
    assert math.fsum(value * value for value in made) == pytest.approx(1)
    assert made == vector(words, dimensions)


def test_inputs_become_vectors_in_their_order() -> None:
    status, body = embedded(input=["a", "b", "a"], dimensions=4)
    first, second, third = (item["embedding"] for item in body["data"])
    assert status == 200
    assert first == third != second
    assert [item["index"] for item in body["data"]] == [0, 1, 2]
    assert len(first) == 4
    assert embedded(input="a", dimensions=4)[1]["data"][0]["embedding"] == first


def test_packed_vectors_are_the_numbers() -> None:
    _, numbers = embedded(input="a b")
    _, packed = embedded(input="a b", encoding_format="base64")
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack("<16f", raw) == pytest.approx(numbers["data"][0]["embedding"])
    assert numbers["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


def test_tokens_are_embedded_and_nonsense_is_refused() -> None:
    assert len(embedded(input=[1, 2, 3])[1]["data"]) == 1
    assert len(embedded(input=[[1, 2], [3]])[1]["data"]) == 2
    status, body = embedded(input={"a": 1})
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"


def test_every_mode_is_a_model_in_both_lists() -> None:
    modes = [mode.value for mode in Mode]
    status, openai = listed("/v1/models", {})
    assert (status, [model["id"] for model in openai["data"]]) == (200, modes)
    signed = {"x-api-key": "k", "anthropic-version": "2026-10-21"}
    assert [model["id"] for model in listed("/v1/models", signed)[1]["data"]] == modes
    assert listed("/v1/models", {"anthropic-version": "2026-10-21"})[0] == 401
    assert listed("/health", {}) == (200, {})

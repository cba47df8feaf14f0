"""What a caller says to us in headers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.app.http.wishes import SERVICE_TIERS, wishes_of
from tiercel.terms.ask import NO_WISHES, Wishes
from tiercel.terms.errors import BadRequest


def test_headers_wish() -> None:
    head = {
        b"host": b"localhost",
        b"x-tiercel-sla": b"realtime",
        b"x-tiercel-first-ms": b"80",
        b"x-tiercel-total-ms": b"250.5",
        b"x-tiercel-quality": b"simple",
        b"x-tiercel-persona": b"guard",
        b"x-tiercel-npc-id": b"npc-7",
        b"x-tiercel-session": b"s1",
        b"x-tiercel-mood": b"grim",
        b"x-tiercel-max-cost": b"0.001",
        b"x-tiercel-fallback": b"none",
    }
    assert wishes_of(head) == Wishes(
        sla="realtime",
        first_ms=80.0,
        total_ms=250.5,
        quality="simple",
        persona="guard",
        npc_id="npc-7",
        session="s1",
        mood="grim",
        max_cost=0.001,
        fallback="none",
    )


def test_most_requests_wish_for_nothing() -> None:
    assert wishes_of({b"host": b"x", b"x-unusual": b"y"}) is NO_WISHES
    assert wishes_of({}) is NO_WISHES


@pytest.mark.parametrize(
    ("timeout", "hint_ms"),
    [(b"600", 600_000.0), (b"0.2", 200.0), (b"None", None), (b"-1", None), (b"nan", None), (b"inf", 86_400_000.0)],
)
def test_the_patience_of_a_client_library_is_a_hint(timeout: bytes, hint_ms: float | None) -> None:
    assert wishes_of({b"x-stainless-read-timeout": timeout}).hint_ms == hint_ms


def test_a_budget_of_its_own_is_worth_more_than_the_patience_of_a_library() -> None:
    head = {b"x-stainless-read-timeout": b"600", b"x-tiercel-total-ms": b"100"}
    assert wishes_of(head) == Wishes(total_ms=100.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-tiercel-sla", b"soon"),
        (b"x-tiercel-first-ms", b"fast"),
        (b"x-tiercel-first-ms", b"null"),
        (b"x-tiercel-sla", b"Null"),
        (b"x-tiercel-first-ms", b"0"),
        (b"x-tiercel-total-ms", b"-5"),
        (b"x-tiercel-total-ms", b"nan"),
        (b"x-tiercel-total-ms", b"inf"),
        (b"x-tiercel-max-cost", b"inf"),
        (b"x-tiercel-max-cost", b"-0.1"),
        (b"x-tiercel-persona", b"\xff"),
        (b"x-tiercel-persona", b"a\tb"),
        (b"x-tiercel-persona", "wächter".encode()),
        (b"x-tiercel-session", b"x" * 129),
        (b"x-tiercel-legal", b"flee"),
        (b"x-tiercel-hint-ms", b"5"),
        (b"x-tiercel-url", b"http://10.0.0.1"),
    ],
)
def test_a_wrong_header_is_named(name: bytes, value: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        wishes_of({name: value})
    assert caught.value.param == name.decode()


@given(
    st.dictionaries(
        st.sampled_from([b"x-tiercel-sla", b"x-tiercel-first-ms", b"x-tiercel-max-cost", b"x-tiercel-persona"])
        | st.binary(max_size=8).map(lambda rest: b"x-tiercel-" + rest),
        st.binary(max_size=20),
    )
)
def test_no_header_is_more_than_refused(head: dict[bytes, bytes]) -> None:
    with suppress(BadRequest):
        wishes = wishes_of(head)
        assert wishes.first_ms is None or wishes.first_ms > 0


def test_every_service_tier_of_openai_is_known() -> None:
    assert {"auto", "default", "flex", "priority", "scale"} <= set(SERVICE_TIERS)

"""The description of the API is true: every route is in it, its examples are accepted, its readers find nothing."""

from __future__ import annotations

import asyncio
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from app.http.real_door import real_door
from app.http.small_door import REPORT, ScriptedFlow, answer, chunk, parts_of
from tiercel.app.http.asks import _UPSTREAM as UPSTREAM
from tiercel.app.http.asks import read_chat
from tiercel.app.http.limits import LIMITS
from tiercel.app.http.replies import error_reply, with_report
from tiercel.app.http.routes import api_routes
from tiercel.app.http.wishes import SERVICE_TIERS
from tiercel.flow import Served, Stage
from tiercel.route.decision import Decision
from tiercel.terms.ask import NO_WISHES, Ask, Wishes
from tiercel.terms.errors import Unknown

DESCRIPTION: dict[str, Any] = msgspec.json.decode(files("tiercel.app.http").joinpath("openapi.json").read_bytes())
SCHEMAS: dict[str, Any] = DESCRIPTION["components"]["schemas"]


def validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}
    )


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    routes = {
        (route.path.replace("{name:path}", "{model}"), method.lower())
        for route in api_routes(parts_of(ScriptedFlow({})))
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, item in DESCRIPTION["paths"].items() for method in item}
    assert described == routes


def test_the_limits_are_told_as_they_are() -> None:
    chat = SCHEMAS["ChatRequest"]["properties"]
    assert chat["messages"]["maxItems"] == LIMITS.messages
    assert chat["n"]["maximum"] == LIMITS.choices
    assert LIMITS.body_bytes == 2 * 1024 * 1024
    assert "body 2 MiB, target 8 KiB, head 32 KiB in 100 fields, JSON 64 deep" in DESCRIPTION["info"]["description"]


def test_the_words_of_the_description_are_those_of_the_code() -> None:
    assert set(SCHEMAS["Wishes"]["properties"]) == set(Wishes.__struct_fields__) - {"hint_ms"}
    assert set(SCHEMAS["ChatRequest"]["propertyNames"]["not"]["enum"]) == UPSTREAM
    assert set(SCHEMAS["ChatRequest"]["properties"]["service_tier"]["enum"]) == {*SERVICE_TIERS, None}
    headers = {p["name"] for p in DESCRIPTION["paths"]["/v1/chat/completions"]["post"]["parameters"]}
    wished = {f"x-tiercel-{name.replace('_', '-')}" for name in SCHEMAS["Wishes"]["properties"]} - {"x-tiercel-legal"}
    assert headers == {*wished, "x-request-id"}


def test_the_examples_are_accepted() -> None:
    content = DESCRIPTION["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert validator("ChatRequest").is_valid(example["value"])
        assert read_chat(msgspec.json.encode(example["value"]), NO_WISHES, "r").model == "silver"


def test_replies_and_errors_are_as_described() -> None:
    assert validator("ChatCompletion").is_valid(msgspec.json.decode(with_report(answer("x"), REPORT)))
    assert validator("Report").is_valid(msgspec.to_builtins(REPORT, str_keys=True) | {"attempts": [], "dropped": []})
    for report in (None, REPORT):
        error = Unknown("x")
        error.report = report
        assert validator("Error").is_valid(msgspec.json.decode(error_reply(error, "r").body))


class _Willing(ScriptedFlow):
    """Answers whatever the door lets through."""

    async def serve(self, ask: Ask, stage: Stage) -> Served:
        if ask.kind == "embed":
            return Served(report=REPORT, body=b'{"object":"list","data":[]}')
        if not ask.stream:
            return Served(report=REPORT, body=answer("x"))
        stage.begin(REPORT)
        return Served(report=REPORT, tail=(chunk("x", "stop"),))

    def explain(self, ask: Ask) -> Decision:
        return Decision(tier="silver", first_s=0.25, total_s=2.0, rungs=())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("hot", [True, False], ids=["hot", "plain"])
def test_schemathesis_finds_nothing(hot: bool) -> None:
    async def story() -> None:
        async with real_door(parts_of(_Willing({})), hot=hot) as door:
            run = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("schemathesis")),
                f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
                "run",
                f"http://127.0.0.1:{door.port}/openapi.json",
                "--max-examples=5",
                "--generation-deterministic",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            told, _ = await run.communicate()
            assert run.returncode == 0, told.decode(errors="replace")

    asyncio.run(story())

"""``tiercel doctor`` finds what is wrong with an engine, says what to do about it, and believes no claim."""

from __future__ import annotations

import json

import pytest

from app.terminal import Ran, Run, Spawn
from tiercel.engines.rehearsal.server import Stage, refused_url


def results(ran: Ran) -> dict[tuple[str, str], dict[str, str]]:
    return {(found["subject"], found["check"]): found for found in json.loads(ran.out)["results"]}


def examine(run: Run, url: str, *more: str, environ: dict[str, str] | None = None) -> Ran:
    return run("doctor", "--silver", url, "--json", *more, environ=environ)


def test_a_good_engine_passes_every_question(run: Run, stage: Stage) -> None:
    ran = examine(run, f"{stage.url}#plain")
    assert ran.code == 0
    found = results(ran)
    engine = {check: result["verdict"] for (subject, check), result in found.items() if subject.startswith("engine")}
    assert engine == dict.fromkeys(["reachable", "model", "speed", "json schema", "tools", "usage in streams"], "ok")
    assert found["tier silver", "best rung"]["detail"] == "silver-model answered"
    assert found["tier bronze", "rungs"]["verdict"] == "skip"


@pytest.mark.parametrize(
    ("part", "check", "told"),
    [
        ("fenced", "json schema", "no JSON"),
        ("wrong_shape", "json schema", "breaks the schema"),
        ("no_tool", "tools", "words where a tool was forced"),
        ("wrong_tool", "tools", "which nobody offered"),
        ("cut_arguments", "tools", "no JSON"),
        ("unauthorized", "speed", "status 401"),
        ("no_model", "speed", "status 404"),
        ("broken", "speed", "status 500"),
        ("html", "speed", ""),
        ("blank", "speed", ""),
    ],
)
def test_what_is_wrong_is_found_and_has_a_next_step(run: Run, stage: Stage, part: str, check: str, told: str) -> None:
    ran = examine(run, f"{stage.url}#{part}")
    assert ran.code == 1
    found = results(ran)["engine silver-model", check]
    assert found["verdict"] == "fail"
    assert told in found["detail"]
    assert found["next_step"]


def test_an_ability_that_nobody_claims_is_not_asked_for(run: Run, stage: Stage) -> None:
    environ = {"TIERCEL_ENGINES__SILVER_MODEL__TOOLS": "false"}
    ran = examine(run, f"{stage.url}#no_tool", environ=environ)
    assert ran.code == 0
    assert results(ran)["engine silver-model", "tools"]["verdict"] == "skip"


def test_a_model_that_is_not_listed_gets_a_guess(run: Run, stage: Stage) -> None:
    found = results(examine(run, f"{stage.url}#plane"))["engine silver-model", "model"]
    assert found["verdict"] == "warn"
    assert "Did you mean plain?" in found["next_step"]


def test_an_engine_that_is_not_there_fails_and_its_tier_says_who_answered(run: Run) -> None:
    with refused_url() as url:
        ran = examine(run, f"{url}#m")
    assert ran.code == 1
    found = results(ran)
    assert found["engine silver-model", "reachable"]["next_step"] == "start it, or correct engines.silver-model.url"
    assert found["tier silver", "speed"]["verdict"] == "ok"
    assert found["tier silver", "best rung"]["verdict"] == "warn"
    assert "template answered and not silver-model" in found["tier silver", "best rung"]["detail"]


def test_a_person_reads_lines_and_the_last_one_says_it_all(run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0
    assert ran.out.strip().split("\n")[-1] == "ok nothing is wrong"
    assert "ok   tier silver" in ran.out


def test_a_running_server_is_examined_from_outside(run: Run, server: str) -> None:
    ran = run("doctor", "--url", server, "--json")
    assert ran.code == 0
    assert {subject for subject, _ in results(ran)} == {"tier gold", "tier silver"}


def test_a_running_servers_engines_are_examined_by_their_names(run: Run, spawn: Spawn, stage: Stage) -> None:
    environ = {"TIERCEL_ENGINES__SILVER_MODEL__TOOLS": "false"}
    process = spawn("up", "--port", "0", "--json", "--silver", f"{stage.url}#fenced", environ=environ)
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    ran = run("doctor", "--url", url, "--json")
    assert ran.code == 1
    found = {check: result for (subject, check), result in results(ran).items() if subject == "engine silver-model"}
    assert found["speed"]["verdict"] == "ok"
    assert found["json schema"]["verdict"] == "fail"
    assert found["tools"]["verdict"] == "skip"
    assert "silver-model" in run("engines", "--url", url).out


def test_a_server_that_is_not_there_is_another_exit_code(run: Run) -> None:
    ran = run("doctor", "--url", "http://127.0.0.1:9", "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["error"]["code"] == "unreachable"


def test_a_stranger_on_the_port_is_no_server(run: Run, stage: Stage) -> None:
    ran = run("doctor", "--url", stage.origin)
    assert ran.code == 1
    assert ran.err.startswith("error ")

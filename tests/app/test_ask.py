"""``tiercel ask`` and ``tiercel engines``: an answer with its story, from a server or without one."""

from __future__ import annotations

import json

import pytest

from app.terminal import Run, Spawn
from tiercel.app.cli.paint import clean
from tiercel.engines.rehearsal.server import Stage

NOBODY = "http://127.0.0.1:9"


def named(stage: Stage, mode: str) -> dict[str, str]:
    """Return the settings of an engine that plays this part."""
    return {
        "TIERCEL_ENGINES__ODD__KIND": "openai",
        "TIERCEL_ENGINES__ODD__URL": stage.url,
        "TIERCEL_ENGINES__ODD__MODEL": mode,
    }


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_a_running_server_answers_with_its_story(run: Run, server: str, stream: str) -> None:
    ran = run("ask", "Any news from the road?", "--persona", "smith", "--url", server, stream)
    assert ran.code == 0
    words, story = ran.out.strip().split("\n")
    assert len(words) > 10
    assert story.startswith("silver · template · degraded · ")
    assert story.endswith("$0")
    assert ran.err == ""


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_without_a_server_this_process_answers_and_says_so(run: Run, stream: str) -> None:
    ran = run("ask", "Any news?", "--persona", "smith", "--url", NOBODY, stream)
    assert ran.code == 0
    assert "silver · template" in ran.out
    assert f"no server at {NOBODY}: answered in this process" in ran.err


def test_the_address_can_come_from_a_variable(run: Run, server: str) -> None:
    ran = run("ask", "Hello", "-p", "smith", "--json", environ={"TIERCEL_URL": server})
    assert ran.json["from"] == server


def test_a_far_server_that_is_not_there_is_an_error(run: Run) -> None:
    ran = run("ask", "hi", "--url", "http://no-such-host.invalid:8484")
    assert ran.code == 3
    assert ran.err.startswith(
        "error no server answers at http://no-such-host.invalid:8484\nnext  start one: tiercel up"
    )


def test_data_holds_the_answer_and_its_whole_story(run: Run, server: str) -> None:
    found = run("ask", "a wolf attacks", "--tier", "gold", "--url", server, "--json").json
    assert found["answer"] == "attack"
    assert set(found) == {"answer", "finish", "first_ms", "total_ms", "usage", "tiercel", "from"}
    assert isinstance(found["tiercel"], dict)
    assert (found["tiercel"]["tier"], found["tiercel"]["rung"], found["tiercel"]["cost"]) == ("gold", "policy", 0.0)


def test_the_question_can_come_from_a_pipe(run: Run) -> None:
    assert run("ask", "-", "--tier", "gold", "--json", stdin="the gate must be guarded\n").json["answer"] == "guard"
    assert run("ask", "-", stdin=" \n").code == 2


def test_a_plain_question_without_a_character_says_what_to_add(run: Run, server: str) -> None:
    for url in (server, NOBODY):
        ran = run("ask", "hi", "--tier", "auto", "--url", url)
        assert ran.code == 1
        assert "next  templates are for characters: add --persona" in ran.err
    assert run("ask", "hi", "--tier", "auto", "--url", server, "--json").json["error"] == {
        "code": "policy",
        "message": "no rung may answer this request",
        "next_step": "templates are for characters: add --persona, or ask a tier or an engine by its name",
    }


def test_a_name_that_nobody_has_is_an_error(run: Run, server: str) -> None:
    ran = run("ask", "hi", "--tier", "platinum", "--url", server)
    assert ran.code == 1
    assert "platinum" in ran.err


def test_the_configuration_counts_in_this_process(run: Run, stage: Stage) -> None:
    ran = run("ask", "hi", "--tier", "odd", "--url", NOBODY, "--json", environ=named(stage, "plain"))
    assert ran.code == 0
    assert isinstance(ran.json["tiercel"], dict)
    assert ran.json["tiercel"]["rung"] == "odd"


def test_an_engine_that_fails_is_told_with_the_next_step(run: Run, stage: Stage) -> None:
    ran = run("ask", "hi", "--tier", "odd", "--url", NOBODY, environ=named(stage, "unauthorized"))
    assert ran.code == 1
    assert "next  see what is wrong with the engines: tiercel doctor" in ran.err


def test_a_stream_that_breaks_off_is_an_error(run: Run, stage: Stage) -> None:
    environ = named(stage, "error_after")
    ran = run("ask", "hi", "--tier", "odd", "--url", NOBODY, "--stream", environ=environ)
    assert ran.code == 1
    assert ran.out != ""


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("html", "what answers there does not speak like Tiercel"),
        ("broken", "error "),
        ("garbage_status", "does not speak like Tiercel"),
        ("no_choices", "the reply holds no answer"),
        ("error_in_200", "error "),
    ],
)
def test_what_answers_there_and_is_no_tiercel_is_an_error(run: Run, stage: Stage, part: str, told: str) -> None:
    ran = run("ask", "hi", "--url", f"{stage.origin}/as/{part}", "--no-stream")
    assert ran.code == 1
    assert told in ran.err


def test_a_terminal_that_cannot_show_a_word_shows_a_mark_instead(spawn: Spawn) -> None:
    environ = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    out, err = spawn("ask", "a wolf attacks", "-t", "gold", "--url", NOBODY, environ=environ).communicate(timeout=10)
    assert out.startswith("attack\ngold ? policy ? ")
    assert "Traceback" not in err


def test_words_of_strangers_cannot_command_the_terminal() -> None:
    assert clean("a\x1b[2Jb\r\x07c\x9bd\u202ee\tf\ng") == "a[2Jbcde\tf\ng"


def test_engines_shows_what_a_server_thinks_of_each(run: Run, server: str) -> None:
    ran = run("engines", "--url", server)
    assert ran.code == 0
    assert "template" in ran.out
    assert "closed" in ran.out
    cards = json.loads(run("engines", "--url", server, "--json").out)
    assert {card["name"] for card in cards} == {"template", "policy"}


def test_engines_needs_a_server(run: Run) -> None:
    ran = run("engines", "--url", NOBODY)
    assert ran.code == 3
    assert "start one: tiercel up" in ran.err
    assert run("engines", "--url", NOBODY, "--json").json["error"] == {
        "code": "unreachable",
        "message": f"no server answers at {NOBODY}",
        "next_step": "start one: tiercel up, or name it: --url",
    }

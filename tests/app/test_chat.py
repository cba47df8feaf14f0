"""``tiercel chat``: words as they come, the story after each reply, and Ctrl-C that stops only what should stop."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest

from app.terminal import Run, Spawn
from tiercel.engines.rehearsal.server import Stage

NOBODY = "http://127.0.0.1:9"


def test_a_character_answers_and_every_reply_tells_its_story(run: Run, server: str) -> None:
    ran = run("chat", "--url", server, "--persona", "smith", stdin="hello\nand the road?\n/quit\n")
    assert ran.code == 0
    lines = ran.out.strip().split("\n")
    assert lines[0].startswith(f"silver, smith, {server}.")
    assert [line.startswith("smith ") for line in lines[1:]] == [True, False, True, False]
    assert all(line.startswith("silver · template · ") for line in lines[2::2])


def test_it_talks_without_a_server_and_says_so(run: Run) -> None:
    ran = run("chat", "--url", NOBODY, stdin="hello\n")
    assert ran.code == 0
    assert f"in this process, since no server runs at {NOBODY}" in ran.out


def test_a_far_server_that_is_not_there_is_an_error(run: Run) -> None:
    assert run("chat", "--url", "http://no-such-host.invalid").code == 3


def test_commands_change_who_is_asked_and_tell_why(run: Run, server: str) -> None:
    typed = "/why\n/tier gold\na wolf attacks\n/why\n/persona guard\n/persona\n/tier\n/nonsense\n/help\n\n/quit\n"
    ran = run("chat", "--url", server, stdin=typed)
    assert ran.code == 0
    for told in (
        "nothing was answered yet",
        "asking gold",
        "innkeeper attack",
        "gold · policy",
        "answered by policy (policy)",
        "now talking to guard",
        "now talking to nobody",
        "? /nonsense",
        "/quit           end",
    ):
        assert told in ran.out


def test_an_error_leaves_the_talk_going(run: Run, server: str) -> None:
    ran = run("chat", "--url", server, stdin="/tier platinum\nhi\n/tier gold\na wolf attacks\n")
    assert ran.code == 0
    assert "error " in ran.out
    assert "innkeeper attack" in ran.out


def until(process: subprocess.Popen[str], told: Callable[[str], bool]) -> str:
    """Read what a process prints until it has said something."""
    assert process.stdout is not None
    seen = ""
    while not told(seen):
        character = process.stdout.read(1)
        assert character, seen
        seen += character
    return seen


def say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


@pytest.mark.parametrize("part", ["silent", "stall"])
def test_ctrl_c_stops_a_reply_and_only_the_second_one_ends(spawn: Spawn, stage: Stage, part: str) -> None:
    environ = {
        "TIERCEL_ENGINES__ODD__KIND": "openai",
        "TIERCEL_ENGINES__ODD__URL": stage.url,
        "TIERCEL_ENGINES__ODD__MODEL": part,
        "TIERCEL_ENGINES__ODD__GAP_MS": "60000",
    }
    process = spawn("chat", "--url", NOBODY, "--tier", "odd", environ=environ)
    until(process, lambda seen: "/help for more" in seen)
    say(process, "hello\n")
    until(process, lambda seen: "innkeeper " in seen and (part == "silent" or len(seen.split()) > 2))

    process.send_signal(signal.SIGINT)
    until(process, lambda seen: "stopped; Ctrl-C again ends" in seen)
    say(process, "/tier gold\na wolf attacks\n")
    until(process, lambda seen: "gold · policy" in seen)

    process.send_signal(signal.SIGINT)
    until(process, lambda seen: "stopped; Ctrl-C again ends" in seen)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err == ""

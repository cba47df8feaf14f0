"""The guides tell the truth: their settings load, their errors read like that, their commands print what is shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from app.terminal import Run
from tiercel.app.settings import Sources, load

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
FENCE = re.compile(r"^```(?P<kind>[a-z ]+)\n(?P<body>.*?)^```\n", re.MULTILINE | re.DOTALL)
CONFIGURATION = [
    (found["kind"], found["body"]) for found in FENCE.finditer((GUIDES / "configuration.md").read_text("utf-8"))
]
SETTINGS = [body for kind, body in CONFIGURATION if kind == "toml"]
WRONG = [
    (body, CONFIGURATION[index + 1][1]) for index, (kind, body) in enumerate(CONFIGURATION) if kind == "toml wrong"
]
SHOWN = re.compile(r"^\$ (?P<command>[^\n]+)\n(?P<output>(?:(?!\$ )[^\n]*\n)*)", re.MULTILINE)
SESSIONS = [
    (found["command"], found["output"])
    for fence in FENCE.finditer((GUIDES / "cli.md").read_text("utf-8"))
    if fence["kind"] == "console"
    for found in SHOWN.finditer(fence["body"])
]
KEYS = {"ANTHROPIC_API_KEY": "sk-1", "OPENAI_API_KEY": "sk-2"}


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def as_pattern(text: str) -> str:
    """Read ``...`` as anything that a line may go on with."""
    return "\n".join(re.escape(line).replace(r"\.\.\.", ".*") for line in lines_of(text))


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_that_are_shown_can_be_used_and_kept(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "tiercel.toml").write_text(text, encoding="utf-8")
    assert load(Sources(environ=KEYS, folder=tmp_path)).file
    assert run("check", environ=KEYS).code == 0


@pytest.mark.parametrize(("text", "errors"), WRONG)
def test_errors_read_as_they_are_shown(run: Run, tmp_path: Path, text: str, errors: str) -> None:
    (tmp_path / "tiercel.toml").write_text(text, encoding="utf-8")
    ran = run("check")
    assert ran.code == 1
    shown = "\n".join(lines_of(ran.out[ran.out.index("error ") :]))
    assert re.fullmatch(as_pattern(errors), shown), shown


@pytest.mark.parametrize(("command", "output"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_commands_print_what_is_shown(run: Run, server: str, command: str, output: str) -> None:
    said, _, line = command.rpartition(" | ")
    program, *arguments = shlex.split(line)
    assert program == "tiercel"
    words = shlex.split(said)
    ran = run(*arguments, stdin=words[1] if words else "", environ={"TIERCEL_URL": server})
    *shown, last = lines_of(output)
    code = re.fullmatch(r"\[(\d+)\]", last)
    if code is None:
        shown.append(last)
    assert ran.code == (int(code[1]) if code else 0)
    printed = "\n".join(lines_of(ran.out + ran.err))
    assert re.fullmatch(as_pattern("\n".join(shown)), printed), printed


def test_the_guides_show_something() -> None:
    assert (len(SETTINGS), len(WRONG)) == (2, 2)
    assert len(SESSIONS) >= 8

"""A command line to type into, a server that runs, and engines that play any part, for the tests of commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner

from app.terminal import MAIN, Ran, Run, Spawn, clean_environ
from tiercel.app.cli.program import COMMANDS, program
from tiercel.engines.rehearsal.server import Stage, rehearsal_server


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a way to run a command in an empty folder, in this process."""

    def run(*arguments: str, stdin: str = "", environ: dict[str, str] | None = None) -> Ran:
        nothing: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TIERCEL_")}
        env: Mapping[str, str | None] = {**nothing, **(environ or {})}
        with chdir(tmp_path):
            name = next((a for a in arguments if a in COMMANDS), None)
            app = program((name,) if name else COMMANDS)
            result = CliRunner().invoke(app, arguments, input=stdin, env=env, catch_exceptions=False)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Return a way to start a command as a process of its own; whatever still runs at the end is ended."""
    started: list[subprocess.Popen[str]] = []

    def spawn(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", MAIN, *arguments],
            cwd=tmp_path,
            env=clean_environ() | (environ or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield spawn
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that runs with no settings at all."""
    folder = tmp_path_factory.mktemp("server")
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", MAIN, "up", "--port", "0", "--json"],
        cwd=folder,
        env=clean_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield str(json.loads(process.stdout.readline())["url"])
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Return an engine that plays whatever part its model's name says, in a thread of its own."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(rehearsal_server()) as stage:
        yield stage

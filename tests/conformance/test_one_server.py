"""The server as `tiercel up` runs it, in a process of its own: what it loads, takes in, and tells whom."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from anyio.from_thread import start_blocking_portal

from app.terminal import clean_environ
from conformance.questions import MESSAGES, SCHEMA_FORMAT, TOOLS, words_of
from tiercel.app.http.limits import LIMITS
from tiercel.engines.rehearsal.server import Stage, rehearsal_server

KEY = "sk-canary-91c2"
# As a shell starts it, and when it ends it says what it has loaded.
PROGRAM = """
import atexit, json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
atexit.register(lambda: print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules}))))
from tiercel.app.cli import main
main()
"""
CONFIG = """
[engines.open]
kind = "openai"
url = "{url}/as/plain/v1"
model = "open"
key = "env:OPEN_KEY"
context_tokens = 1000000

[engines.anthropic]
kind = "anthropic"
url = "{url}/as/plain"
model = "anthropic"
key = "env:OPEN_KEY"

[tiers.silver]
first_ms = 5000
total_ms = 10000
rungs = ["open", "anthropic", "template"]
"""
# Vendors' libraries, slow clients, and what they bring.
FOREIGN = {
    *("openai", "anthropic", "httpx", "httpcore", "httpx2", "requests", "urllib3", "fastapi"),
    *("langchain_core", "langchain_openai", "tiktoken", "boto3", "google", "litellm"),
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Run engines."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(rehearsal_server()) as running:
        yield running


class Process:
    """The server's process, and its address."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.origin = str(json.loads(process.stdout.readline())["url"])

    def end(self) -> set[str]:
        """End it as Ctrl-C does, and return what it had loaded."""
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=10)
        assert self._process.returncode == 0, err
        return set(json.loads(out.splitlines()[-1]))


@pytest.fixture(scope="module")
def process(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Run the server with a configuration of its own."""
    folder = tmp_path_factory.mktemp("server")
    Path(folder / "tiercel.toml").write_text(CONFIG.format(url=stage.origin), encoding="utf-8")
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, "up", "--port", "0", "--json"],
        cwd=folder,
        env=clean_environ() | {"OPEN_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield Process(started)
        finally:
            started.kill()


def body_of(size: int) -> bytes:
    """Write a request of exactly so many bytes."""
    whole = json.dumps({"model": "open", "messages": [{"role": "user", "content": ""}]}).encode()
    return whole.replace(b'""', b'"%b"' % (b"x" * (size - len(whole))))


def posted(process: Process, body: bytes) -> tuple[int, bytes]:
    """Post a chat request, and return the status and the reply."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{process.origin}/v1/chat/completions", body, headers)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request) as reply:  # noqa: S310 - our own address
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_two_megabytes_are_taken_and_one_byte_more_is_refused_with_the_limit(process: Process, stage: Stage) -> None:
    """Statement 43."""
    assert LIMITS.body_bytes == 2 * 1024 * 1024
    status, reply = posted(process, body_of(LIMITS.body_bytes))
    assert status == 200, reply
    # The engine gets the same without the blanks between the fields, and with its own name for the model.
    assert int(stage.ledger.heard[-1].headers["content-length"]) > LIMITS.body_bytes - 100
    asked = stage.ledger.attempts
    status, reply = posted(process, body_of(LIMITS.body_bytes + 1))
    error = json.loads(reply)["error"]
    assert (status, error["code"], error["type"]) == (413, "too_large", "invalid_request_error")
    assert str(LIMITS.body_bytes) in error["message"]
    assert stage.ledger.attempts == asked


def test_the_client_is_told_when_a_body_is_too_large(process: Process) -> None:
    """Statement 43, with a real client: once, and not three times."""
    words = "x" * (LIMITS.body_bytes + 1)
    with (
        openai.OpenAI(base_url=f"{process.origin}/v1", api_key="none") as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.chat.completions.create(model="open", messages=[{"role": "user", "content": words}])
    assert (caught.value.status_code, caught.value.code) == (413, "too_large")


def test_a_key_goes_to_its_engine_and_nowhere_else(process: Process, stage: Stage) -> None:
    """Statement 44."""
    with openai.OpenAI(base_url=f"{process.origin}/v1", api_key="sk-the-callers-own") as client:
        client.chat.completions.create(model="open", messages=MESSAGES)
        open_head = stage.ledger.heard[-1].headers
        client.chat.completions.create(model="anthropic", messages=MESSAGES)
        anthropic_head = stage.ledger.heard[-1].headers
    assert open_head["authorization"] == f"Bearer {KEY}"
    assert anthropic_head["x-api-key"] == KEY
    assert "sk-the-callers-own" not in f"{open_head}{anthropic_head}"
    for path in ("v1/engines", "v1/models", "metrics", "openapi.json", ""):
        with urllib.request.urlopen(f"{process.origin}/{path}") as reply:  # noqa: S310 - our own address
            assert KEY.encode() not in reply.read()


@pytest.fixture(scope="module")
def loaded(process: Process) -> set[str]:
    """Ask all kinds of engines all kinds of things, end the server, and return what it had loaded by then."""
    with openai.OpenAI(base_url=f"{process.origin}/v1", api_key="none") as client:
        for model in ("silver", "open", "anthropic", "template", "gold"):
            assert words_of(client.chat.completions.create(model=model, messages=MESSAGES))
            assert words_of(list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True)))
        for model in ("open", "anthropic"):
            for form in ({"tools": TOOLS, "tool_choice": "required"}, {"response_format": SCHEMA_FORMAT}):
                client.chat.completions.create(model=model, messages=MESSAGES, extra_body=form)
        client.post("/route/explain", body={"model": "auto", "messages": MESSAGES}, cast_to=object)
        with urllib.request.urlopen(f"{process.origin}/metrics") as reply:  # noqa: S310 - our own address
            assert reply.status == 200
    return process.end()


# These two end the server, so they stand last.


def test_the_server_runs_without_any_vendors_library(loaded: set[str]) -> None:
    """Statement 44: after all kinds of requests to all kinds of engines."""
    assert "tiercel" in loaded
    assert loaded & FOREIGN == set()


def test_the_server_runs_without_pydantic(loaded: set[str]) -> None:
    assert "pydantic" not in loaded

"""``tiercel up`` starts with nothing, shows lines that work, and goes without a trace."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import urllib.request

import pytest

from app.terminal import Run, Spawn
from tiercel.app.cli.greeting import curl_line, greeting, offers, snippet
from tiercel.app.nearby import Found
from tiercel.app.settings import Loaded
from tiercel.app.settings.shape import DEFAULTS


def first_line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    found = json.loads(process.stdout.readline())
    assert isinstance(found, dict)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_leaves_the_port_free(spawn: Spawn, sign: signal.Signals) -> None:
    port = free_port()
    process = spawn("up", "--port", str(port), "--json")
    line = first_line(process)
    assert line == {
        "url": f"http://127.0.0.1:{port}",
        "pid": process.pid,
        "file": None,
        "tiers": {"gold": ["policy"], "silver": ["template"], "bronze": []},
    }
    with urllib.request.urlopen(f"{line['url']}/healthz") as reply:  # noqa: S310 - our own address
        assert reply.status == 200

    process.send_signal(sign)

    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in err
    socket.create_server(("127.0.0.1", port)).close()


def test_a_person_is_greeted_and_what_is_logged_goes_elsewhere(spawn: Spawn) -> None:
    process = spawn("up", "--port", "0", "--no-open")
    assert process.stdout is not None
    greeted = ""
    while "tiercel config explain" not in greeted:
        line = process.stdout.readline()
        assert line, greeted
        greeted += line
    assert "Tiercel is up at http://127.0.0.1:" in greeted
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert all(line.startswith("{") for line in err.splitlines())


def test_a_taken_port_is_explained_when_tiercel_has_it(run: Run, server: str) -> None:
    port = server.rpartition(":")[2]
    ran = run("up", "--port", port)
    assert ran.code == 1
    assert f"port {port} on 127.0.0.1 is taken: Tiercel runs there already" in ran.err
    assert f"tiercel chat --url {server}" in ran.err


def test_a_taken_port_is_explained_when_a_stranger_has_it(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        ran = run("up", "--port", str(port))
    assert ran.code == 1
    assert f"port {port} on 127.0.0.1 is taken by another program" in ran.err
    assert f"--port {port + 1}" in ran.err


def test_an_address_of_another_machine_is_explained(run: Run) -> None:
    ran = run("up", "--host", "192.0.2.1", "--behind-proxy")
    assert ran.code == 1
    assert "192.0.2.1 is no address of this machine: --host 127.0.0.1" in ran.err


def test_a_name_that_is_none_is_explained(run: Run) -> None:
    ran = run("up", "--host", "no-such-host.invalid", "--behind-proxy")
    assert ran.code == 1
    assert "use 127.0.0.1 or an address of this machine" in ran.err


def test_an_open_door_needs_somebody_who_watches_it(run: Run) -> None:
    ran = run("up", "--host", "0.0.0.0")  # noqa: S104 - it is what is refused
    assert ran.code == 1
    assert "--behind-proxy" in ran.err


def test_a_promise_that_cannot_be_kept_stops_the_start(run: Run) -> None:
    ran = run("up", "--gold", "http://8.8.8.8/v1#m")
    assert ran.code == 1
    assert "gold cannot keep its promise" in ran.err


def test_an_unknown_level_is_wrong_usage(run: Run) -> None:
    assert run("up", "--log-level", "loud").code == 2


def test_the_greeting_names_everything_a_person_needs() -> None:
    text = greeting(Loaded(settings=DEFAULTS), "http://127.0.0.1:8484")
    assert "http://127.0.0.1:8484" in text
    assert "Add one with --silver" in text
    assert re.search(r"silver +template +first word in 250 ms, the end in 2 s", text)
    assert "tiercel chat " in text
    assert "tiercel chat --url http://127.0.0.1:9000" in greeting(Loaded(settings=DEFAULTS), "http://127.0.0.1:9000")


def test_the_lines_to_copy_work_as_they_are(server: str) -> None:
    curl = shlex.split(curl_line(server).replace("\\\n", " "))
    assert curl[:2] == ["curl", "-s"]
    request = urllib.request.Request(  # noqa: S310 - our own address
        curl[2], data=curl[curl.index("-d") + 1].encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as reply:  # noqa: S310 - our own address
        said = json.loads(reply.read())
    assert said["choices"][0]["message"]["content"]
    assert said["tiercel"]["rung"] == "template"

    printed: list[str] = []
    code = compile("\n".join(line[2:] for line in snippet(server).split("\n")), "snippet", "exec")
    exec(code, {"print": printed.append})  # noqa: S102 - what we tell people to run
    assert printed[0]


def test_servers_nearby_are_offered_with_the_flag_that_works_in_a_shell() -> None:
    found = Found(product="Ollama", url="http://127.0.0.1:11434/v1", models=("qwen3:4b", "x"))
    text = offers([found])
    assert "Ollama: qwen3:4b and 1 more" in text
    line = next(line for line in text.split("\n") if "tiercel up" in line)
    assert shlex.split(line) == ["tiercel", "up", "--silver", "http://127.0.0.1:11434/v1#qwen3:4b"]
    assert offers([]) == ""

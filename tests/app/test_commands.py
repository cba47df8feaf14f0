"""Every command says what it is for, how it ends and what to do next; what can be mended shows no traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.terminal import MAIN, Run, clean_environ
from tiercel.app.cli.program import COMMANDS
from tiercel.app.presets import example

EVERY = [(name,) for name in COMMANDS if name != "config"] + [("config", n) for n in ("explain", "example", "path")]


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_help_shows_lines_to_copy(run: Run, command: tuple[str, ...]) -> None:
    ran = run(*command, "--help")
    assert ran.code == 0
    assert "Examples:" in ran.out
    assert f"tiercel {command[0]}" in ran.out


def test_the_first_help_names_every_command_and_the_exit_codes(run: Run) -> None:
    ran = run("--help")
    assert all(f" {name} " in ran.out for name in COMMANDS)
    assert "Exit codes" in ran.out


def test_a_wrong_command_is_wrong_usage(run: Run) -> None:
    ran = run("upp")
    assert ran.code == 2
    assert "No such command 'upp'" in ran.err


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_a_wrong_option_is_wrong_usage(run: Run, command: tuple[str, ...]) -> None:
    ran = run(*command, "--no-such-option")
    assert ran.code == 2
    assert "No such option" in ran.err


def test_the_version_names_what_a_report_needs(run: Run) -> None:
    found = run("version", "--json").json
    assert {"tiercel", "python", "platform", "uvicorn", "msgspec"} <= set(found)
    assert f"tiercel {found['tiercel']}" in run("--version").out


def test_completion_is_offered_for_the_shell() -> None:
    environ = clean_environ() | {"_TIERCEL_COMPLETE": "complete_bash", "COMP_WORDS": "tiercel do", "COMP_CWORD": "1"}
    ran = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", MAIN], env=environ, capture_output=True, text=True, check=False, timeout=10
    )
    assert ran.stdout.split() == ["doctor"]


def test_up_and_ask_load_neither_rich_nor_another_command() -> None:
    program = (
        "import sys; from tiercel.app.cli.program import program; program(('up',)); import tiercel.app.cli.start; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'rich', 'aiohttp', 'pydantic'}), "
        "[name for name in sys.modules if name in ('tiercel.app.cli.doctor', 'tiercel.app.cli.chat')])"
    )
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=10
    )
    assert ran.stdout.strip() == "[] []"


# -- config


def test_explain_says_where_every_value_comes_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_text("[server]\n\nport = 9000\n", encoding="utf-8")
    ran = run("config", "explain", "--json", environ={"TIERCEL_SERVER__HOST": "127.0.0.2"})
    rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(ran.out)["settings"]}
    assert rows["server.port"] == (9000, "tiercel.toml:3")
    assert rows["server.host"] == ("127.0.0.2", "env TIERCEL_SERVER__HOST")
    assert rows["server.limits.idle_s"] == (75.0, "default")
    assert json.loads(ran.out)["file"] == "tiercel.toml"


def test_explain_shows_one_table_for_people(run: Run) -> None:
    ran = run("config", "explain", "tiers.silver", "--silver", "http://127.0.0.1:9/v1#m")
    assert ran.code == 0
    assert "flag --silver" in ran.out
    assert "server" not in ran.out


def test_explain_guesses_what_a_wrong_key_meant(run: Run) -> None:
    ran = run("config", "explain", "server.prot")
    assert ran.code == 2
    assert "Did you mean server.port?" in ran.err


def test_the_example_can_be_used_at_once(run: Run, tmp_path: Path) -> None:
    ran = run("config", "example")
    assert ran.out == example()
    (tmp_path / "tiercel.toml").write_text(ran.out, encoding="utf-8")
    assert run("check").code == 0


def test_the_file_in_use_is_named_with_who_named_it(run: Run, tmp_path: Path) -> None:
    assert run("config", "path", "--json").json == {"file": None, "named_by": None}
    assert "no file" in run("config", "path").out
    (tmp_path / "tiercel.toml").touch()
    assert run("config", "path").out == "tiercel.toml (in this folder)\n"
    assert run("config", "path", environ={"TIERCEL_CONFIG": "x.toml"}).out == "x.toml (env TIERCEL_CONFIG)\n"


# -- check


def test_check_shows_each_chain_and_its_worst(run: Run) -> None:
    ran = run("check", "--silver", "http://127.0.0.1:9/v1#big", "--silver", "http://127.0.0.1:9/v1#small")
    assert ran.code == 0
    assert re.search(r"silver-model-2 +openai +61\.5 ms +499 ms +28 ms +cost unknown", ran.out)
    assert "at the worst: first word at 250 ms, the end at 2000 ms, 4 attempts, cost unknown" in ran.out
    assert "every promise can be kept" in ran.out


def test_check_refuses_what_cannot_be_kept_with_line_and_inequality(run: Run, tmp_path: Path) -> None:
    text = '[engines.big]\nkind = "openai"\nurl = "http://h/v1"\nmodel = "m"\nconnect_ms = 300\n'
    file = tmp_path / "mine.toml"
    file.write_text(text + '[tiers.silver]\nrungs = ["big", "template"]\n', encoding="utf-8")
    ran = run("check", "mine.toml")
    assert ran.code == 1
    assert (
        "error mine.toml:5: silver cannot keep its promise: engines.big.connect_ms 300 + 8 for a first word <= 246, "
        "its share of tiers.silver.first_ms 250 does not hold\n       raise tiers.silver.first_ms to 318" in ran.out
    )
    found = json.loads(run("check", "mine.toml", "--json").out)
    assert found["ok"] is False
    (problem,) = found["problems"]
    assert (problem["place"], problem["key"]) == ("mine.toml:5", "engines.big.connect_ms")


def test_check_tells_every_wrong_line_as_data(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_text("[server]\nprot = 1\nhost = 2\n", encoding="utf-8")
    ran = run("check", "--json")
    assert ran.code == 1
    places = [problem["place"] for problem in json.loads(ran.out)["problems"]]
    assert places == ["tiercel.toml:2", "tiercel.toml:3"]
    assert "error tiercel.toml:2: server.prot: no such key. Did you mean port?" in run("check").out


def test_check_stops_at_a_file_that_is_no_toml(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_text("[server\n", encoding="utf-8")
    ran = run("check")
    assert ran.code == 1
    assert ran.err.startswith("error tiercel.toml:1: not TOML")
    assert run("check", "--json").json["error"] == {
        "code": "misconfigured",
        "message": ran.err.removeprefix("error ").rstrip("\n"),
        "next_step": None,
    }


def test_check_needs_no_keys_and_says_which_are_missing(run: Run) -> None:
    ran = run("check", "--silver", "openai/gpt-x")
    assert ran.code == 0
    assert "note env" not in ran.out
    assert "the environment variable OPENAI_API_KEY is not set" in ran.out


def test_check_says_that_a_key_would_travel_readable(run: Run, tmp_path: Path) -> None:
    text = '[engines.b]\nkind = "openai"\nurl = "http://10.1.2.3/v1"\nmodel = "m"\nkey = "env:K"\n'
    (tmp_path / "tiercel.toml").write_text(text, encoding="utf-8")
    ran = run("check", environ={"K": "sk-1"})
    assert ran.code == 0
    assert "note tiercel.toml:5: the key of b travels unencrypted to 10.1.2.3" in ran.out


def test_gold_over_the_internet_is_refused_with_the_reason(run: Run) -> None:
    ran = run("check", "--gold", "openai/gpt-x")
    assert ran.code == 1
    assert "error flag --gold: gold cannot keep its promise" in ran.out


def test_a_server_that_must_be_asked_and_is_not_there_is_named_with_a_way_out(run: Run) -> None:
    ran = run("check", "--silver", "http://127.0.0.1:9/v1")
    assert ran.code == 3
    assert "name its model and start without it: --silver 'http://127.0.0.1:9/v1#MODEL'" in ran.err


class _Listing(BaseHTTPRequestHandler):
    """Lists the models that its path names: ``/a+b/models`` lists two."""

    def do_GET(self) -> None:
        names = [name for name in self.path.split("/")[1].split("+") if name != "none"]
        body = json.dumps({"data": [{"id": name} for name in names]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def listing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Listing) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_with_one_model_needs_no_name_for_it(run: Run, listing: str) -> None:
    ran = run("config", "explain", "engines.silver-model.model", "--silver", f"{listing}/qwen-3b", "--json")
    assert json.loads(ran.out)["settings"] == [
        {"key": "engines.silver-model.model", "value": "qwen-3b", "origin": "flag --silver"}
    ]


def test_a_server_with_several_models_wants_a_choice(run: Run, listing: str) -> None:
    ran = run("check", "--gold", f"{listing}/a+b")
    assert ran.code == 1
    assert f"has 2 models, choose one: --gold '{listing}/a+b#a' (a, b)" in ran.err


def test_a_server_without_a_model_is_told_so(run: Run, listing: str) -> None:
    assert "has no model loaded" in run("check", "--silver", f"{listing}/none").err


def test_a_flag_that_makes_no_sense_is_explained(run: Run) -> None:
    ran = run("check", "--silver", "gpt-4")
    assert ran.code == 1
    assert "error --silver: an address begins with http:// or https://" in ran.err

"""Settings come from four sources in order, know where each value came from, and stop at anything wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.app.presets import example
from tiercel.app.settings import Flag, Loaded, Sources, examine, load, read_extra
from tiercel.app.settings.shape import DEFAULTS
from tiercel.terms.errors import Misconfigured

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)


def loaded(folder: Path, text: str | None = None, environ: Mapping[str, str] | None = None, *flags: Flag) -> Loaded:
    return load(sources(folder, text, environ, *flags))


def sources(folder: Path, text: str | None = None, environ: Mapping[str, str] | None = None, *flags: Flag) -> Sources:
    if text is not None:
        (folder / "tiercel.toml").write_text(text, encoding="utf-8")
    return Sources(environ=environ or {}, flags=flags, folder=folder)


def stopped(folder: Path, text: str | None = None, environ: Mapping[str, str] | None = None) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        loaded(folder, text, environ)
    return caught.value


# -- the order of sources


def test_a_bare_machine_needs_no_settings_at_all(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.settings == DEFAULTS
    assert found.file == ""
    assert {str(origin) for _, _, origin in found.leaves()} == {"default"}


def test_each_source_covers_the_one_before(tmp_path: Path) -> None:
    text = '[server]\nport = 1001\nhost = "127.0.0.2"\nmax_running = 1000\n'
    environ = {"TIERCEL_SERVER__PORT": "1002", "TIERCEL_SERVER__HOST": "127.0.0.3"}
    found = loaded(tmp_path, text, environ, Flag(("server", "port"), 1003, "--port"))
    server = found.settings.server
    assert (server.port, server.host, server.max_running, server.limits.head_s) == (1003, "127.0.0.3", 1000, 10)
    file = str(tmp_path / "tiercel.toml")
    assert [str(found.origin("server", key)) for key in ("port", "host", "max_running")] == [
        "flag --port",
        "env TIERCEL_SERVER__HOST",
        f"{file}:4",
    ]
    origins = {key: str(origin) for key, _, origin in found.leaves()}
    assert origins["server.max_running"] == f"{file}:4"
    assert origins["server.limits.head_s"] == "default"


def test_the_file_is_the_named_one_then_the_variables_then_the_one_here(tmp_path: Path) -> None:
    for name in ("tiercel.toml", "a.toml", "b.toml"):
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    environ = {"TIERCEL_CONFIG": str(tmp_path / "b.toml")}
    found = load(Sources(config=tmp_path / "a.toml", environ=environ, folder=tmp_path))
    assert found.file.endswith("a.toml")
    assert load(Sources(environ=environ, folder=tmp_path)).file.endswith("b.toml")
    assert load(Sources(folder=tmp_path)).file.endswith("tiercel.toml")


def test_a_named_file_that_is_not_there_stops_with_who_named_it(tmp_path: Path) -> None:
    error = stopped(tmp_path, environ={"TIERCEL_CONFIG": str(tmp_path / "gone.toml")})
    assert str(error).startswith(f"env TIERCEL_CONFIG {tmp_path / 'gone.toml'}: cannot read it: No such file")


def test_a_table_keeps_its_other_keys_and_a_list_is_replaced(tmp_path: Path) -> None:
    engine = '[engines.big]\nkind = "openai"\nmodel = "m"\nurl = "http://h/v1"\n'
    text = engine + '[tiers.silver]\nrungs = ["big", "template"]\n'
    found = loaded(tmp_path, text, {"TIERCEL_TIERS__SILVER__RUNGS": '["big"]'})
    silver = found.settings.tiers["silver"]
    assert silver.rungs == ("big",)
    assert silver.first_ms == 250
    assert "template" in found.settings.engines
    # The file's second item is gone, and its line with it.
    assert str(found.origin("tiers", "silver", "rungs", 1)) == "env TIERCEL_TIERS__SILVER__RUNGS"


def test_a_variable_finds_an_engine_whose_name_it_cannot_spell(tmp_path: Path) -> None:
    text = '[engines."gpt-4.1"]\nkind = "openai"\nmodel = "m"\nurl = "http://h/v1"\n'
    found = loaded(
        tmp_path, text, {"TIERCEL_ENGINES__GPT_4_1__MODEL": "8000", "TIERCEL_ENGINES__GPT_4_1__TOOLS": "false"}
    )
    # A text is wanted, so that the number is one.
    assert (found.settings.engines["gpt-4.1"].model, found.settings.engines["gpt-4.1"].tools) == ("8000", False)


def test_a_variable_that_could_mean_two_engines_stops(tmp_path: Path) -> None:
    engine = 'kind = "openai"\nmodel = "m"\nurl = "http://h/v1"\n'
    error = stopped(tmp_path, f"[engines.a-b]\n{engine}[engines.'a.b']\n{engine}", {"TIERCEL_ENGINES__A_B__MODEL": "x"})
    assert "a_b may mean a-b or a.b" in str(error)


@pytest.mark.parametrize("name", ["TIERCEL_PORT", "TIERCEL_SERVICE_HOST", "TIERCEL_PORT_8484_TCP_ADDR", "TIERCEL_URL"])
def test_variables_of_kubernetes_and_of_the_command_line_are_no_settings(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, environ={name: "tcp://10.0.0.1:8484"}).settings == DEFAULTS


def test_a_misspelt_variable_stops_the_start(tmp_path: Path) -> None:
    assert "env TIERCEL_SERVER_PORT: a setting is written TIERCEL_ROOM__KEY" in str(
        stopped(tmp_path, environ={"TIERCEL_SERVER_PORT": "1"})
    )
    error = stopped(tmp_path, environ={"TIERCEL_SERVER__PROT": "1"})
    assert str(error).startswith("env TIERCEL_SERVER__PROT: server.prot: no such key. Did you mean port?")


# -- anything wrong


def test_text_that_is_no_toml_is_reported_on_its_line(tmp_path: Path) -> None:
    error = stopped(tmp_path, "[server]\nport = 1\nhost = nope\n")
    assert (error.where, error.line) == (str(tmp_path / "tiercel.toml"), 3)
    error = stopped(tmp_path, "[server]\nport = ")
    assert error.line == 2


def test_bytes_that_are_no_text_are_reported_on_their_line(tmp_path: Path) -> None:
    (tmp_path / "tiercel.toml").write_bytes(b"[server]\n# \xff\n")
    assert stopped(tmp_path).line == 2


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert "larger than" in str(stopped(tmp_path, "#" * (1024 * 1024 + 1)))


def test_every_problem_is_told_at_once_with_its_own_line(tmp_path: Path) -> None:
    text = '[server]\nprot = 1\nport = "x"\n[tiers.silver]\nafter_content = "go on"\n'
    lines = str(stopped(tmp_path, text)).split("\n")
    file = tmp_path / "tiercel.toml"
    assert [line.split(": ")[0] for line in lines] == [f"{file}:2", f"{file}:3", f"{file}:5"]
    assert 'expected one of "continue", "error"' in lines[2]


FULL = """\
[server]
host = "127.0.0.1"
port = 8484
behind_proxy = false
allowed_hosts = ["a.example"]
limits.body_bytes = 2097152
limits.idle_s = 75.0
max_running = 500
[engines.big]
kind = "openai"
url = "http://127.0.0.1:8000/v1"
model = "m"
tools = true
quality = "simple"
connect_ms = 20
gap_ms = 1000.5
price = { input = 1, output = 2.5, as_of = "2026-01-02" }
[tiers]
gold = { first_ms = 16, total_ms = 16 }
silver.rungs = ["big", "template"]
silver.total_ms = 2000
silver.after_content = "error"
[route]
auto = "silver"
retry_share = 0.1
[log]
level = "info"
form = "json"
"""
KEYS = re.compile(r"\b([a-z_]+)(?= = )")
ASSIGNED = [(m.start(), m.end()) for m in KEYS.finditer(FULL)]
SIMPLE = [
    (m.start(1), m.end(1))
    for m in re.finditer(r"= (\"[^\"]*\"|\[.*\]|[0-9.]+|true|false)", FULL)
    if "kind" not in FULL[m.start() - 5 : m.start()]
]


def test_the_example_of_these_tests_is_right_itself(tmp_path: Path) -> None:
    assert loaded(tmp_path, FULL).settings.engines["big"].gap_ms == 1000.5


@given(st.sampled_from(ASSIGNED), NAMES)
def test_any_single_wrong_key_is_reported_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[int, int], name: str
) -> None:
    begin, end = place
    wrong = name + "_wrong"
    error = stopped(tmp_path_factory.mktemp("c"), FULL[:begin] + wrong + FULL[end:])
    line = FULL.count("\n", 0, begin) + 1
    told = [one for one in str(error).split("\n") if f".{wrong}: no such key" in one]
    assert len(told) == 1
    assert re.search(r"tiercel\.toml:(\d+): ", told[0]), told
    assert f"tiercel.toml:{line}: " in told[0]


@given(st.sampled_from(SIMPLE), st.sampled_from(["{ a = 1 }", "1979-05-27", "[[1]]", "nan", "-1e9", '"\\u0007"']))
def test_any_single_wrong_value_is_reported_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[int, int], value: str
) -> None:
    begin, end = place
    line = FULL.count("\n", 0, begin) + 1
    free_text = FULL[:begin].endswith("model = ") and value.startswith('"')
    if free_text:
        return
    error = stopped(tmp_path_factory.mktemp("c"), FULL[:begin] + value + FULL[end:])
    assert error.line == line, str(error)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[engines.big]\nmodel = 'm'", 1, "engines.big needs kind: one of"),
        ("[engines.big]\nkind = 'opnai'", 2, "Did you mean openai?"),
        ("[engines.big]\nkind = 'openai'\nbase_url = 'http://h'", 3, "Did you mean url?"),
        ("[engines.big]\nkind = 'openai'\nurl = 'http://h'", 1, "engines.big needs model"),
        ("[engines.big]\nkind = 'openai'\nmodel='m'\nurl = 'h:80'", 4, "begins with http://"),
        ("[engines.big]\nkind = 'openai'\nmodel='m'\nurl = 'http://u:p@h'", 4, "holds no user or password"),
        ("[engines.big]\nkind = 'openai'\nmodel='m'\nurl = 'http://h:99999'", 4, "not an address"),
        ("[engines.big]\nkind = 'openai'\nmodel='m'\nurl = 'http://h/?q'", 4, "without ?"),
        ("[engines.silver]\nkind = 'template'", 1, "that is the name of a tier"),
        ("[engines.auto]\nkind = 'template'", 1, "that is the name of a tier"),
        ("[engines.BIG]\nkind = 'template'", 1, "an engine's name is"),
        (f"[engines.{'x' * 33}]\nkind = 'template'", 1, "an engine's name is"),
        ("[engines.t]\nkind = 'template'\nurl = 'http://h'", 3, "a template engine runs in this process"),
        ("[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nchat=false", 5, "does neither chat nor embeddings"),
        ("[tiers.iron]\nrungs = []", 1, "Allowed in tiers: bronze, gold, silver"),
        ("[tiers.silver]\nrungs = ['tempalte']", 2, "no such engine. Did you mean template?"),
        ("[tiers.silver]\nrungs = [\n 'template',\n 'template']", 4, "stands there twice"),
        ("[tiers.silver]\nrungs = ['policy']", 2, "a policy cannot answer for silver; its last resort is a template"),
        ("[tiers.bronze]\nrungs = ['template']", 2, "a template cannot answer for bronze, which has no last resort"),
        ("[tiers.silver]\nfirst_ms = 3000", 2, "tiers.silver.first_ms = 3000 is above total_ms = 2000"),
        ("[tiers.silver]\ntotal_ms = 100", 2, "tiers.silver.first_ms = 250 is above total_ms = 100"),
        ("[tiers.silver]\nmax_ms = 1000", 2, "tiers.silver.total_ms = 2000 is above max_ms = 1000"),
        ("[route]\nauto = 'bronze'", 2, "nobody would answer a plain request"),
        ("[route]\nnamed_total_ms = 10", 2, "named_first_ms = 30000 is above named_total_ms = 10"),
        ("[route]\nretry_share = 1.5", 2, "allowed are 0 to 1"),
        ("[server]\nport = 70000", 2, "allowed are 0 to 65535"),
        ("[server]\nallowed_hosts = ['a.example', 'http://b']", 2, "expected a host name"),
        ("server = 3", 1, "server = 3: expected a table, [server]"),
        ("[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nprice = { input = 1, output = 2, as_of = 'may' }", 5,
         "YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_is_reported_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    error = stopped(tmp_path, text)
    assert told in str(error)
    assert error.line == line


def test_a_model_below_a_last_resort_would_never_be_asked(tmp_path: Path) -> None:
    text = "[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\n[tiers.silver]\nrungs=['template','b']"
    error = stopped(tmp_path, text)
    assert 'tiers.silver.rungs[1] = "b" would never be asked' in str(error)
    assert error.line == 6


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])  # noqa: S104 - it is what we refuse
def test_an_address_that_others_can_reach_needs_a_proxy_before_it(tmp_path: Path, host: str) -> None:
    text = f'[server]\nhost = "{host}"\n'
    assert "--behind-proxy" in str(stopped(tmp_path, text))
    assert loaded(tmp_path, text + "behind_proxy = true").settings.server.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_address_needs_nothing(tmp_path: Path, host: str) -> None:
    assert loaded(tmp_path, f'[server]\nhost = "{host}"\n').settings.server.host == host


# -- clouds and flags


def test_a_cloud_needs_no_address_and_its_key_comes_from_its_usual_variable(tmp_path: Path) -> None:
    text = "[engines.a]\nkind='openai'\nmodel='m'\n[engines.b]\nkind='anthropic'\nmodel='m'\nkey='env:MINE'\n"
    found = loaded(tmp_path, text, {"OPENAI_API_KEY": "sk-1", "MINE": "sk-2"})
    a, b = found.settings.engines["a"], found.settings.engines["b"]
    assert (a.url, a.key) == ("https://api.openai.com/v1", "env:OPENAI_API_KEY")
    assert (b.url, b.key) == ("https://api.anthropic.com", "env:MINE")
    assert {name: secret.reveal() for name, secret in found.secrets.items()} == {"a": "sk-1", "b": "sk-2"}


def test_a_flag_puts_its_model_in_front_and_says_so(tmp_path: Path) -> None:
    extras = (read_extra("http://127.0.0.1:8000/v1/#qwen", "silver"), read_extra("openai/gpt-x", "silver"))
    found = load(Sources(environ={"OPENAI_API_KEY": "sk-1"}, extras=extras, folder=tmp_path))
    assert found.settings.tiers["silver"].rungs == ("silver-model", "silver-model-2", "template")
    first, second = (found.settings.engines[name] for name in found.settings.tiers["silver"].rungs[:2])
    assert (first.url, first.model, first.key, first.connect_ms) == ("http://127.0.0.1:8000/v1", "qwen", "", 20)
    assert (second.url, second.model, second.connect_ms) == ("https://api.openai.com/v1", "gpt-x", 100)
    assert str(found.origin("tiers", "silver", "rungs")) == "flag --silver"
    assert str(found.origin("engines", "silver-model", "url")) == "flag --silver"


def test_a_variable_can_say_what_a_flag_leaves_open(tmp_path: Path) -> None:
    environ = {"TIERCEL_ENGINES__GOLD_MODEL__CONNECT_MS": "3", "TIERCEL_ENGINES__GOLD_MODEL__KEY": "env:K", "K": "sk-1"}
    found = load(Sources(environ=environ, extras=(read_extra("http://127.0.0.1:1/v1#m", "gold"),), folder=tmp_path))
    engine = found.settings.engines["gold-model"]
    assert (engine.connect_ms, engine.key, engine.url) == (3, "env:K", "http://127.0.0.1:1/v1")


@pytest.mark.parametrize("text", ["gpt-4", "openai/", "ftp://h", "http://", "http://u:p@h/v1", "llama/3"])
def test_a_flag_that_names_no_model_says_what_it_wants(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"--silver: .*openai/<model> or anthropic/<model>"):
        read_extra(text, "silver")


# -- secrets


@pytest.mark.parametrize("key", ["sk-proj-abc123", "env:", "env:has space", "file:", "abc:def", "env"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    text = f"[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nkey='{key}'"
    error = stopped(tmp_path, text)
    assert error.line == 5
    assert "must say where the secret is" in str(error)
    assert "sk-proj" not in str(error)


def test_a_wrong_typed_secret_is_not_repeated_either(tmp_path: Path) -> None:
    error = stopped(tmp_path, "[engines.b]\nkind='openai'\nkey=['sk-proj-abc123']")
    assert "sk-proj" not in str(error)


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    text = "[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nkey='env:NOT_THERE'"
    error = stopped(tmp_path, text, {"NOT_THERE": " "})
    assert error.line == 5
    assert "the environment variable NOT_THERE is not set; set it: export NOT_THERE=..." in str(error)


def test_whoever_only_looks_needs_no_secrets(tmp_path: Path) -> None:
    text = "[engines.b]\nkind='openai'\nmodel='m'\nkey='env:NOT_THERE'"
    found = examine(sources(tmp_path, text))
    assert found.insist().settings.engines["b"].key == "env:NOT_THERE"
    assert [problem.key for problem in found.secrets] == ["engines.b.key"]


@pytest.mark.parametrize(
    ("mode", "works"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o700, False)]
)
def test_a_secret_file_must_be_ours_alone(tmp_path: Path, mode: int, *, works: bool) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-1\n", encoding="utf-8")
    secret.chmod(mode)
    text = f"[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nkey='file:{secret}'"
    if works:
        assert loaded(tmp_path, text).secrets["b"].reveal() == "sk-1"
    else:
        assert f"chmod 600 {secret}" in str(stopped(tmp_path, text))


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", "caf\u00e9", "x" * 9000])
def test_a_secret_that_cannot_stand_in_a_head_is_refused(tmp_path: Path, content: str) -> None:
    secret = tmp_path / "key"
    secret.write_text(content, encoding="utf-8")
    secret.chmod(0o600)
    error = stopped(tmp_path, f"[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nkey='file:{secret}'")
    assert error.line == 5


@pytest.mark.parametrize("kind", ["folder", "gone"])
def test_a_secret_is_read_from_a_file_and_nothing_else(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "key"
    if kind == "folder":
        place.mkdir()
    assert stopped(tmp_path, f"[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nkey='file:{place}'").line == 5


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    text = "[engines.b]\nkind='openai'\nmodel='m'\nurl='http://h'\nkey='env:K'"
    found = loaded(tmp_path, text, {"K": "sk-hidden"})
    assert "sk-hidden" not in f"{found!r} {found.leaves()!r} {found.secrets['b']}"
    with pytest.raises(TypeError):
        msgspec.json.encode(found.secrets["b"])


# -- the example


def test_the_example_changes_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, example()).settings == DEFAULTS


def test_the_example_shows_every_key_with_its_default(tmp_path: Path) -> None:
    # Every comment that is TOML is taken as meant; a line of prose is none.
    text = re.sub(r"(?m)^# (?=\[[a-z.]+\]|[a-z_]+ = )", "", example())
    found = loaded(tmp_path, text, {"SMALL_KEY": "sk-1"})
    written = {key for key, _, origin in found.leaves() if origin.source == "file"}
    expected = {key for key, _, _ in found.leaves() if not key.startswith(("engines.template", "engines.policy"))}
    only_silver = {
        f"tiers.{tier}.{key}"
        for tier in ("gold", "bronze")
        for key in ("after_content", "hedge_ms", "templates_for_all")
    }
    assert expected - written == only_silver
    for key in ("server", "tiers", "route", "log"):
        assert getattr(found.settings, key) == getattr(DEFAULTS, key)

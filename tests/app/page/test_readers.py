"""The parts of the page that read and write text, held against the languages they speak: metrics, events, shells."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.page.browser import Tab
from app.page.stand import Server

pytestmark = pytest.mark.servers

TEXT = """# HELP t_seconds Time.
# TYPE t_seconds histogram
t_seconds_bucket{le="0.1",tier="a"} 0.0
t_seconds_bucket{le="0.5",tier="a"} 40.0
t_seconds_bucket{le="1.0",tier="a"} 90.0
t_seconds_bucket{le="+Inf",tier="a"} 100.0
t_seconds_count{tier="a"} 100.0
odd_total{name="a \\"quoted\\" \\\\ one",more="x\\ny"} 3.0 1700000000000
plain 5e-06
"""


@pytest.fixture(scope="module")
def readers(only_window: Tab, site: Server) -> Tab:
    """Return the page, opened once: nothing here changes it."""
    only_window.fresh()
    only_window.go(site.url)
    return only_window


def given_module(tab: Tab, module: str, script: str) -> Any:
    return tab.run(f"import('/{module}').then((m) => {{ {script} }})")


def test_a_quantile_is_interpolated_within_its_bucket(readers: Tab) -> None:
    script = f"""
        const last = {{at: 10000, metrics: m.parseMetrics({json.dumps(TEXT)})}};
        const window = new m.Window({{at: 0, metrics: new Map()}}, last);
        return [0.2, 0.65, 0.99].map((q) => window.quantile("t_seconds", q, {{tier: "a"}}).value)
            .concat([window.quantile("t_seconds", 0.5, {{tier: "b"}}), window.seconds])
    """
    assert given_module(readers, "metrics.js", script) == [pytest.approx(0.3), pytest.approx(0.75), 1, None, 10]


def test_labels_come_back_as_they_were_meant(readers: Tab) -> None:
    script = f"""
        const found = m.parseMetrics({json.dumps(TEXT)});
        return [found.get("odd_total")[0].labels, found.get("plain")[0].value, m.total(found, "odd_total")]
    """
    labels, plain, total = given_module(readers, "metrics.js", script)
    assert labels == {"name": 'a "quoted" \\ one', "more": "x\ny"}
    assert (plain, total) == (5e-6, 3)


def test_a_window_is_the_difference_of_two_readings(readers: Tab) -> None:
    script = """
        const read = (n) => m.parseMetrics(`c_total{kind="a",of="x"} ${n}\\nc_total{kind="b",of="x"} ${2 * n}`);
        const window = new m.Window({at: 0, metrics: read(5)}, {at: 2000, metrics: read(9)});
        return [window.grew("c_total"), window.grew("c_total", {kind: "a"}), [...window.grewBy("kind", "c_total")]]
    """
    assert given_module(readers, "metrics.js", script) == [12, 4, [["a", 4], ["b", 8]]]


def test_an_engine_that_says_little_or_nonsense_is_shown_as_far_as_it_goes(readers: Tab) -> None:
    script = """
        const table = new m.EngineTable();
        const odd = [{name: "bare"}, {}, null,
            {name: "odd", breakers: 7, p50_first_ms: "fast", in_flight: null, state: 3},
            {name: "open", breakers: [{failure: "new_kind", until_in_s: 2}, {}]}];
        return import("/metrics.js").then((metrics) => {
            table.show(odd, new metrics.Window(null, null));
            return [...table.element.querySelectorAll("tbody .badge")].map((badge) => badge.textContent);
        })
    """
    assert given_module(readers, "engine-table.js", script) == ["closed", "3", "open"]


EVENTS = b': hello\r\ndata: {"a":1}\r\n\r\nid: 3\ndata:two\ndata: lines\n\ndata: \xf0\x9f\x90\xba\r\rdata: [DONE]\n\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_they_are_cut(readers: Tab, size: int) -> None:
    script = f"""
        const bytes = new Uint8Array({json.dumps(list(EVENTS))});
        const stream = new ReadableStream({{start(c) {{
            for (let i = 0; i < bytes.length; i += {size}) c.enqueue(bytes.slice(i, i + {size}));
            c.close();
        }}}});
        const found = [];
        return m.readEvents(stream, (data) => found.push(data)).then(() => found)
    """
    assert given_module(readers, "stream.js", script) == ['{"a":1}', "two\nlines", "🐺", "[DONE]"]


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


@given(question=WORDS.filter(lambda text: text.strip() == text), persona=WORDS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_shell_reads_back_exactly_what_was_asked(readers: Tab, question: str, persona: str) -> None:
    body = {
        "model": "silver",
        "messages": [{"role": "user", "content": question}],
        "stream": False,
        "tiercel": {"persona": persona},
    }
    script = f"const b = {json.dumps(body)}; return [m.curlLine('http://h:1', b), m.askLine('http://h:1', b)]"
    curl, command = (shlex.split(line) for line in given_module(readers, "shell-lines.js", script))
    assert json.loads(curl[curl.index("-d") + 1]) == body
    assert question in command
    assert command[command.index("--persona") + 1] == persona
    assert not question.startswith("-") or command[-2:] == ["--", question]

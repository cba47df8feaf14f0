"""A model server that costs next to nothing, and the plainest proxy before it: both are nginx, told what to do here.

The mock answers JSON on one port and, on another, a stream of 32 chunks that come 10 ms apart. The proxy is the floor
that a gateway is held against: it forwards over kept-alive connections and does nothing else.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from rig.processes import Child, free_ports, started, wait_for

__all__ = ["CHUNKS", "GAP_S", "Mock", "mock_engine", "plain_proxy", "question"]

CHUNKS: Final = 32
GAP_S: Final = 0.01
_UP_S: Final = 5.0
_ECHO: Final = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")

_HTTP: Final = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi; client_body_buffer_size 256k;
  {servers}
}}
"""
# Routers ask for more than chats before they trust a worker.
_ASIDE: Final = """
    location = /v1/models {{ default_type application/json; return 200 '{models}'; }}
    location = /health {{ return 200 'ok'; }}
    location / {{ default_type application/json;
                  return 200 '{{"status":"ok","model_path":"mock","is_generation":true}}'; }}
"""


class Mock(msgspec.Struct, frozen=True, kw_only=True):
    """Where the mock engine answers."""

    whole: int
    streams: int


def question(model: str, *, stream: bool = False, wishes: dict[str, str | float] | None = None) -> bytes:
    """Write the body that every target gets: a guard's setting of 570 characters and one question."""
    setting = "You are Brennan, a gate guard in a walled river town. Stay in character. " * 8
    asked = "Good evening. The bridge is out and I need to pass before nightfall; what would it take?"
    body: dict[str, object] = {"model": model, "temperature": 0.7, "max_tokens": 48}
    body["messages"] = [{"role": "system", "content": setting}, {"role": "user", "content": asked}]
    return json.dumps(body | ({"stream": True} if stream else {}) | ({"tiercel": wishes} if wishes else {})).encode()


@contextlib.contextmanager
def mock_engine(folder: Path) -> Iterator[Mock]:
    """Run the mock."""
    if shutil.which("nginx") is None or not _ECHO.exists():
        raise SystemExit("this needs nginx with its echo module, and wrk; on Debian: apt-get install nginx-light wrk")
    whole, streams = free_ports(2)
    servers = _server(whole, _whole()) + _server(streams, _streamed())
    with _nginx("mock", folder, servers, f"load_module {_ECHO};\n") as child:
        wait_for(child, whole, _UP_S)
        yield Mock(whole=whole, streams=streams)


@contextlib.contextmanager
def plain_proxy(folder: Path, mock: Mock) -> Iterator[tuple[Child, Mock]]:
    """Run the proxy."""
    whole, streams = free_ports(2)
    servers = "".join(
        f"""
  upstream to{back} {{ server 127.0.0.1:{back}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{front} backlog=4096;
    location / {{
      proxy_pass http://to{back}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering {buffering};
    }}
  }}"""
        for front, back, buffering in ((whole, mock.whole, "on"), (streams, mock.streams, "off"))
    )
    with _nginx("nginx", folder, servers) as child:
        wait_for(child, whole, _UP_S)
        yield child, Mock(whole=whole, streams=streams)


@contextlib.contextmanager
def _nginx(name: str, folder: Path, servers: str, before: str = "") -> Iterator[Child]:
    place = folder / name
    place.mkdir()
    config = place / "nginx.conf"
    config.write_text(before + _HTTP.format(folder=place, servers=servers), encoding="utf-8")
    program = shutil.which("nginx") or "nginx"
    with started(name, [program, "-c", str(config), "-p", str(place)], folder) as child:
        yield child


def _server(port: int, chat: str) -> str:
    models = json.dumps({"object": "list", "data": [{"id": "mock", "object": "model", "created": 1, "owned_by": "x"}]})
    location = f"location = /v1/chat/completions {{ {chat} }}"
    return f"server {{ listen 127.0.0.1:{port} backlog=4096; {location} {_ASIDE.format(models=models)} }}\n"


def _whole() -> str:
    said = "The guard looks you over, then lowers his spear and lets you pass. " * 3
    reply = _envelope("chat.completion") | {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": said},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 48, "total_tokens": 168},
    }
    return f"default_type application/json; return 200 '{json.dumps(reply)}';"


def _streamed() -> str:
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": "Halt"}]
    deltas += [{"content": f" word{number:02d}"} for number in range(1, CHUNKS - 1)]
    events = [_event(delta, None) for delta in deltas] + [_event({}, "stop")]
    pause = f"echo_sleep {GAP_S};\n"
    lines = pause.join(f"echo '{event}'; echo ''; echo_flush;\n" for event in events)
    return f"default_type text/event-stream; echo_read_request_body;\n{lines} echo 'data: [DONE]'; echo '';"


def _event(delta: dict[str, str], finish: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = _envelope("chat.completion.chunk") | {"choices": [choice]}
    return "data: " + json.dumps(chunk, separators=(",", ":"))


def _envelope(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-mock0001", "object": kind, "created": 1_760_000_000, "model": "mock"}

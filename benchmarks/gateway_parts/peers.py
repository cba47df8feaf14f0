"""The gateways beside ours: each in an environment of its own, installed once, left out when that is impossible."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway_parts.upstream import Mock
from rig.processes import Child, free_ports, started

__all__ = ["LITELLM_KEY", "Peer", "installed", "litellm", "vllm_router"]

VLLM_ROUTER: Final = "vllm-router==0.1.17"
LITELLM: Final = "litellm[proxy]==1.106.2"
# It refuses to start without one that looks strong; it opens nothing but this run's proxy.
LITELLM_KEY: Final = f"sk-{secrets.token_hex(16)}"
_INSTALL_S: Final = 600.0

_LITELLM_CONFIG: Final = """
model_list:
  - model_name: mock
    litellm_params: {{model: openai/mock, api_base: "http://127.0.0.1:{whole}/v1", api_key: sk-x}}
  - model_name: mock-s
    litellm_params: {{model: openai/mock, api_base: "http://127.0.0.1:{streams}/v1", api_key: sk-x}}
litellm_settings: {{telemetry: false, num_retries: 0, drop_params: true}}
"""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that is starting: its process, and where it will answer."""

    child: Child
    port: int


def installed(package: str, folder: Path) -> Path | str:
    """Return the folder of a package's programs, installing it when it is not there; or why that cannot be."""
    name = package.partition("==")[0].partition("[")[0]
    place = folder / package.replace("==", "-").replace("[", "-").replace("]", "")
    programs, done = place / "bin", place / "installed"
    if done.exists():
        return programs
    print(f"installing {package} into {place} (once) ...", file=sys.stderr, flush=True)
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
    )
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=_INSTALL_S)  # noqa: S603 - our own
        except subprocess.CalledProcessError as error:
            return f"{name} could not be installed: {error.stderr.strip().rpartition(chr(10))[2][:200]}"
        except subprocess.TimeoutExpired:
            return f"{name} could not be installed within {_INSTALL_S:.0f} s"
    done.touch()
    return programs


@contextlib.contextmanager
def vllm_router(programs: Path, worker: int, name: str, folder: Path) -> Iterator[Peer]:
    """Run vLLM's router (Rust) before one worker."""
    port, metrics = free_ports(2)
    command = [str(programs / "vllm-router"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics)]
    command += ["--worker-urls", f"http://127.0.0.1:{worker}", "--policy", "round_robin", "--log-level", "error"]
    with started(name, command, folder) as child:
        yield Peer(child=child, port=port)


@contextlib.contextmanager
def litellm(programs: Path, mock: Mock, folder: Path) -> Iterator[Peer]:
    """Run LiteLLM's proxy (Python) with one worker, no database and no callbacks."""
    (port,) = free_ports(1)
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM_CONFIG.format(whole=mock.whole, streams=mock.streams), encoding="utf-8")
    command = [str(programs / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": LITELLM_KEY}
    with started("litellm", [*command, "--num_workers", "1"], folder, env=env) as child:
        yield Peer(child=child, port=port)

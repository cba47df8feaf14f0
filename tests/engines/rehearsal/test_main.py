"""The rehearsal runs by itself: it prints its address, answers there, and ends cleanly at Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from tiercel.engines.rehearsal.__main__ import main
from tiercel.engines.rehearsal.bare import Parsed, arrived, chat_bytes
from tiercel.engines.rehearsal.modes import Mode


@pytest.mark.anyio
@pytest.mark.parametrize(("arguments", "status"), [((), 200), (("--mode", "busy:retry=3"), 503)])
async def test_it_serves_until_it_is_told_to_stop(arguments: tuple[str, ...], status: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tiercel.engines.rehearsal", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        got = await arrived("127.0.0.1", port, chat_bytes("gpt-4o"), lambda data: data.endswith(b"}"))
        assert Parsed(got.data).statuses == [status]
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
        assert b"1 requests, 1 completed, 0 abandoned" in rest
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_it_lists_every_mode_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [mode.value for mode in Mode]


def test_a_wrong_mode_is_told_what_would_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--mode", "cutt"])
    assert "known are" in capsys.readouterr().err

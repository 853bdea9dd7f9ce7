"""The fakes as processes of their own, as the crash test and the bench start them."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from careloop.integrations.channels import line, smtp
from careloop.integrations.channels.fakes.common import read_spool
from careloop.integrations.channels.fakes.line import TOKEN
from careloop.messaging.ports import Outgoing, Sent


def started(name: str, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"careloop.integrations.channels.fakes.{name}", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["port"]


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    return json.loads(out.splitlines()[-1])


def send(channel: Any, to: str) -> list[Outgoing]:
    messages = [Outgoing(id=n, key=uuid4(), to=to, text="您好", subject="提醒") for n in range(50)]

    async def act() -> None:
        results = await channel.send_many(messages)
        assert all(isinstance(result, Sent) for result in results)
        await channel.close()

    asyncio.run(act())
    return messages


def test_the_sink_counts_and_writes_down_what_it_took(tmp_path: Path):
    process, port = started("smtp", "--spool", str(tmp_path / "spool"))

    messages = send(
        smtp.open_channel({"host": "127.0.0.1", "port": port, "security": "none", "from_address": "a@clinic.example"}),
        "ming@example.com",
    )

    assert ended(process)["accepted"] == 50
    assert {line["id"] for line in read_spool(tmp_path / "spool")} == {
        f"<{message.key.hex}@clinic.example>" for message in messages
    }


def test_line_remembers_its_keys_over_a_restart(tmp_path: Path):
    spool = str(tmp_path / "spool")
    process, port = started("line", "--spool", spool, "--close-taken-every", "7")
    messages = send(line.open_channel({"host": f"http://127.0.0.1:{port}", "access_token": TOKEN}), "U" + "0a" * 16)
    assert ended(process)["accepted"] == 50

    process, port = started("line", "--spool", spool)

    async def again() -> None:
        channel = line.open_channel({"host": f"http://127.0.0.1:{port}", "access_token": TOKEN})
        results = await channel.send_many(messages)
        await channel.close()
        assert all(isinstance(result, Sent) and result.repeated for result in results)

    asyncio.run(again())
    assert ended(process)["accepted"] == 50
    assert len(read_spool(spool)) == 50

"""Messages: plan, render, send and record 10,000 personal ones, beside bare aiosmtplib on the same sink."""

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

NAME = "send"
GOAL_WHOLE = 1_800
GOAL_RATIO = 0.4
GOAL_PLAN = 16_000
GOAL_PUSH = 3_000
FAMILY = "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴周徐蘇葉莊呂江何蕭羅高"
GIVEN = "志明俊傑建宏家豪怡君雅婷淑芬美玲欣怡佳穎宗翰承恩冠宇柏翰詩涵宜蓁子晴品妍"
BARE_CONNECTIONS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--messages", type=int, default=10_000, help="how many patients get one message each")
    parser.add_argument("--no-line", action="store_true", help="leave out the HTTP push")


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure in an organization of its own, which is removed at the end. Nothing leaves this machine."""
    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    now = datetime.now(UTC).replace(microsecond=0)
    organization = create_organization(
        slug=f"bench-send-{os.getpid()}", name="安心診所", now=now, quiet_from_hour=0, quiet_to_hour=0
    )
    try:
        return _measure(options, organization.id, now, say)
    finally:
        clinic.remove(organization.id)


def _measure(
    options: argparse.Namespace, organization: UUID, now: datetime, say: Callable[[str], None]
) -> dict[str, Any]:
    from careloop.bench import clinic
    from careloop.messaging import texts
    from careloop.tenancy.context import in_organization

    count = options.messages
    with in_organization(organization):
        texts.install_library(now=now)
        make_patients(count, now)
    clinic.analyze("patients_patient", "patients_contact_point", "patients_key")
    say(f"{count} patients with an e-mail address and a LINE id")
    with sink("careloop.integrations.channels.fakes.smtp") as smtp:
        with in_organization(organization):
            _mail_account(smtp.port, now)
        planned, mail = _loop(organization, "email", now, say)
        bare = asyncio.run(bare_aiosmtplib(smtp.port, min(count, 5_000)))
        say(f"bare aiosmtplib × {BARE_CONNECTIONS}: {bare:.0f}/s")
    counted = smtp.report
    figures: dict[str, Any] = {
        "messages_per_second": round(count / mail["whole"]), "goal_messages_per_second": GOAL_WHOLE,
        "planned_per_second": round(count / planned), "goal_planned_per_second": GOAL_PLAN,
        "sent_and_recorded_per_second": round(count / mail["sending"]),
        "accepted_by_sink": counted["messages"], "twice": counted["twice"],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    if not options.no_line:
        with sink("careloop.integrations.channels.fakes.line") as line:
            with in_organization(organization):
                _line_account(line.port, now)
            _planned, push = _loop(organization, "line", now, say)
        figures |= {
            "pushed_per_second": round(count / push["whole"]), "goal_pushed_per_second": GOAL_PUSH,
            "accepted_by_line": line.report["accepted"],
        }  # fmt: skip
    return {
        "bench": NAME,
        "size": {"messages": count},
        "figures": figures,
        "limits": {"aiosmtplib_8_per_second": round(bare)},
        "ratios": {"whole_to_aiosmtplib_8": round(count / mail["whole"] / bare, 2), "goal": GOAL_RATIO},
    }


def _loop(
    organization: UUID, channel: str, now: datetime, say: Callable[[str], None]
) -> tuple[float, dict[str, float]]:
    """Plan for everyone and send it; return seconds of planning, and of sending and of the whole.

    The dispatcher is one that has sent before, as a worker's has: loading a channel's libraries happens once in its life.
    """
    from careloop.messaging import services
    from careloop.messaging.dispatch import Dispatcher
    from careloop.tenancy.context import in_organization

    def plan(prefix: str, patients: str) -> Any:
        with in_organization(organization):
            return services.plan_many(
                template_key="recall", key_prefix=f"{prefix}:{channel}", due_at=now, now=now, channel=channel,
                patients=services.Audience(patients),
            )  # fmt: skip

    dispatcher = Dispatcher()
    try:
        plan("warm", "select id as patient_id from patients_patient limit 1")
        dispatcher.pass_over(organization)
        gc.collect()
        began = time.perf_counter()
        planned = plan("bench", "select id as patient_id from patients_patient")
        after_plan = time.perf_counter()
        tally = dispatcher.pass_over(organization)
        ended = time.perf_counter()
    finally:
        dispatcher.close()
    say(
        f"{channel}: {planned.planned} planned in {after_plan - began:.2f} s, {tally.counts} in {ended - after_plan:.2f} s, "
        f"{planned.planned / (ended - began):.0f} messages/s whole"
    )
    if tally.sent != planned.planned:
        raise RuntimeError(f"{planned.planned} planned and {tally.counts} sent; blocked {planned.blocked}")
    return after_plan - began, {"sending": ended - after_plan, "whole": ended - began}


# -- what is measured against ----------------------------------------------------------------------------------


async def bare_aiosmtplib(port: int, count: int) -> float:
    """Return mails a second over eight kept connections of aiosmtplib, ready-made bytes, nothing recorded."""
    import aiosmtplib

    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.test", "b@example.test", "回診提醒"
    mail.set_content("王小明先生您好，這裡是安心診所。您的定期檢查時間已經到了，想請您安排回來看看。您方便嗎？")
    body = mail.as_bytes()
    left = iter(range(count))

    async def one() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
        await client.connect()
        for _n in left:
            await client.sendmail(
                "a@example.test", ["b@example.test"], b"Message-ID: <%s@bare>\r\n" % uuid4().hex.encode() + body
            )
        await client.quit()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(BARE_CONNECTIONS)))
    return count / (time.perf_counter() - began)


class Sink:
    """A fake of the outside as a process of its own: its port, and its report after it ended."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        self.port = int(json.loads(process.stdout.readline())["port"])
        self.report: dict[str, Any] = {}


@contextmanager
def sink(module: str, *arguments: str) -> Iterator[Sink]:
    """Run a fake while the block runs."""
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    running = Sink(process)
    try:
        yield running
    finally:
        process.terminate()
        out, _err = process.communicate(timeout=20)
        lines = [line for line in out.splitlines() if line.startswith("{")]
        running.report = json.loads(lines[-1]) if lines else {}


# -- the data --------------------------------------------------------------------------------------------------


def make_patients(count: int, now: datetime) -> None:
    """Make patients with a name of their own, an e-mail address and a LINE id, sealed like all others."""
    from careloop.kernel.ids import uuid7
    from careloop.patients import sealing
    from careloop.patients.models import ContactPoint, Patient
    from careloop.tenancy.context import current_organization_id

    dice, organization = random.Random(7), current_organization_id()
    for start in range(0, count, 2_000):
        people = [
            Patient(
                id=uuid7(), name=dice.choice(FAMILY) + dice.choice(GIVEN) + dice.choice(GIVEN), created_at=now, updated_at=now,
                sex=dice.choice(["male", "female"]), birth_date=now.date() - timedelta(days=dice.randrange(7_000, 30_000)),
            )
            for _ in range(min(2_000, count - start))
        ]  # fmt: skip
        Patient.objects.bulk_create(people)
        keys = sealing.create_keys([one.id for one in people])
        contacts = []
        for n, one in enumerate(people, start):
            for system, value in (("email", f"patient{n}@example.test"), ("line", f"U{n:032x}")):
                identifier = uuid7()
                contacts.append(
                    ContactPoint(
                        id=identifier, patient_id=one.id, system=system,
                        value_sealed=sealing.seal(
                            keys[one.id], value, table=sealing.CONTACT_TABLE, column="value_sealed", row_id=identifier
                        ),
                        value_index=sealing.contact_index(organization, system, value),
                    )
                )  # fmt: skip
        ContactPoint.objects.bulk_create(contacts)


def _mail_account(port: int, now: datetime) -> None:
    from careloop.messaging import channels

    channels.save_account(
        account_id=None, kind="email", name="Mail", now=now,
        given={"host": "127.0.0.1", "port": port, "security": "none", "from_address": "clinic@example.test", "from_name": "安心診所"},
    )  # fmt: skip


def _line_account(port: int, now: datetime) -> None:
    from careloop.integrations.channels.fakes.line import TOKEN
    from careloop.messaging import channels

    saved = channels.save_account(
        account_id=None, kind="line", name="LINE", given={"access_token": TOKEN, "channel_secret": "none"}, now=now
    )
    saved.settings["host"] = f"http://127.0.0.1:{port}"
    saved.save(update_fields=["settings"])

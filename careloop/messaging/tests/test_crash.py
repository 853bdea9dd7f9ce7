"""A sender killed two hundred times: nothing lost, nothing twice on LINE, what is ambiguous on SMTP said so."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from careloop.bench.send import make_patients
from careloop.integrations.channels.fakes.common import read_spool
from careloop.kernel import sql
from careloop.messaging import services, texts
from careloop.messaging.models import Message
from careloop.tenancy.context import in_organization

from .test_dispatch import line_account, smtp_account

EACH = 1_000
KILLS = 200


def start(module, spool):
    process = subprocess.Popen(
        [sys.executable, "-m", f"careloop.integrations.channels.fakes.{module}", "--spool", str(spool)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return process, json.loads(process.stdout.readline())["port"]


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_sender_killed_200_times_loses_nothing_and_repeats_nothing(
    own_database, committed_organization, django_db_blocker, now, tmp_path
):
    from conftest import make_organization

    smtp, smtp_port = start("smtp", tmp_path / "smtp")
    line, line_port = start("line", tmp_path / "line")
    try:
        mail_clinic, line_clinic = committed_organization, make_organization(quiet_from_hour=0, quiet_to_hour=0)
        mail_clinic.quiet_from_hour = mail_clinic.quiet_to_hour = 0
        for clinic, way in ((mail_clinic, "email"), (line_clinic, "line")):
            with in_organization(clinic.id):
                clinic.save()
                texts.install_library(now=now)
                smtp_account(smtp_port, now=now) if way == "email" else line_account(line_port, now=now)
                make_patients(EACH, now)
                everyone = services.Audience("select id as patient_id from patients_patient")
                services.plan_many(
                    template_key="recall", patients=everyone, key_prefix="crash", due_at=now, now=now, channel=way
                )

        finished = subprocess.run(
            [
                sys.executable, "-m", "careloop.messaging.tests.crash_sender", str(mail_clinic.id), str(line_clinic.id),
                str(KILLS), "7", now.isoformat(),
            ],
            capture_output=True, text=True, timeout=280, check=False, env=os.environ.copy(),
        )  # fmt: skip

        assert finished.returncode == 0, finished.stderr[-2000:]
        assert json.loads(finished.stdout.splitlines()[-1])["killed"] == KILLS
    finally:
        for process in (smtp, line):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)

    pushed = Counter(one["key"] for one in read_spool(tmp_path / "line"))
    with in_organization(line_clinic.id):
        states = Counter(Message.objects.values_list("state", flat=True))
        assert states == {"accepted": EACH}
        assert set(pushed.values()) == {1}
        assert set(pushed) == {str(one) for one in Message.objects.values_list("id", flat=True)}
        assert sql.value("select count(*) from events_event where kind = 'message.sent'") == EACH

    mailed = Counter(one["id"].partition("@")[0].lstrip("<") for one in read_spool(tmp_path / "smtp"))
    with in_organization(mail_clinic.id):
        by_id = {
            one.hex: (state, reason) for one, state, reason in Message.objects.values_list("id", "state", "reason")
        }
        states = Counter(state for state, _reason in by_id.values())
        assert set(mailed.values()) == {1}
        assert set(states) <= {"accepted", "unknown"}
        # what counts as sent was sent; what was not sent, or sent and not written down, is shown as unknown
        assert {name for name, (state, _r) in by_id.items() if state == "accepted"} <= set(mailed)
        assert {reason for state, reason in by_id.values() if state == "unknown"} <= {"crashed", "ambiguous"}
        assert states["unknown"] <= KILLS * 3
        assert sql.value("select count(*) from events_event where kind = 'message.sent'") == states["accepted"]
        print(f"{states['unknown']} of {EACH} mails unknown after {KILLS} kills; {len(mailed)} arrived")

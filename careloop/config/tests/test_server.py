"""The web server loads once and shares; each test asks a Python of its own, because loading cannot be taken back."""

import subprocess
import sys

THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); "


def load(before: str = "", after: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{before}from careloop.config import server; server.load(); {after}"],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_what_was_loaded_can_be_shared_with_processes():
    loaded = load(
        after="import gc; from django.urls import reverse; "
        "print(reverse('account_login'), gc.get_freeze_count() > 100_000)"
    )

    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == ["/accounts/login/", "True"]


def test_a_thread_cannot_be_shared_and_is_refused_before_anything_is_served():
    loaded = load(before=THREAD)

    assert loaded.returncode != 0
    assert "processes cannot share those" in loaded.stderr

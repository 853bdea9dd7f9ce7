"""A patient's phone for tests: a browser that keeps its cookies, and the codes that reach it."""

from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.test import Client

from careloop.messaging import texts
from careloop.messaging.tests.support import account
from careloop.patients.tests.make import patient
from careloop.portal import codes
from careloop.portal.models import OneTimeCode
from careloop.scheduling.tests import make

PHONE = "0912-345-678"
BORN = date(1990, 3, 5)


def now():
    return datetime.now(UTC)


def open_clinic(*channels):
    """Let the clinic send codes by these channels."""
    cache.clear()
    texts.install_library(now=now())
    for channel in channels or ("sms", "email"):
        account(channel, now=now())


class Phone:
    """A browser on one clinic's pages."""

    def __init__(self, organization, *, language="en", strict=False):
        self.clinic = organization
        self.client = Client(enforce_csrf_checks=strict)
        self.client.cookies[settings.LANGUAGE_COOKIE_NAME] = language

    def url(self, path=""):
        return f"/p/{self.clinic.slug}/{path}"

    def get(self, path="", **more):
        return self.client.get(path if path.startswith("/p/") else self.url(path), **more)

    def post(self, path="", data=None, **more):
        return self.client.post(path if path.startswith("/p/") else self.url(path), data or {}, **more)

    def sees(self, path=""):
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.get("Location"))
        return answer.content.decode()

    @property
    def digits(self):
        """The code this browser waits for, as it reaches the patient."""
        return codes.digits_of(OneTimeCode.objects.filter(used_at=None).latest("created_at"))

    def ask_code(self, address=PHONE, **more):
        return self.post("sign-in/", {"address": address, **more})

    def sign_in(self, address=PHONE, *, birth_date=None):
        """Sign in by a code, and by the birth date where a family shares the address."""
        cache.clear()
        assert self.ask_code(address).status_code == 302
        answer = self.post("sign-in/code/", {"code": self.digits})
        if birth_date is not None:
            assert "/who/" in answer["Location"]
            answer = self.post("sign-in/who/", {"birth_date": birth_date.isoformat()})
        assert answer.status_code == 302, answer.content.decode()[-3000:]
        return self


def somebody(name="王小明", *, phone=PHONE, born=BORN, **more):
    return patient(name, phone=phone, birth_date=born, **more)


def tomorrow_at(hour, *, days=1):
    """A time in the clinic's zone, some days ahead."""
    local = datetime.now(UTC) + timedelta(hours=8)
    return (local + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0) - timedelta(hours=8)


def a_service(**more):
    """A clinic with one service, and a session by time the day after tomorrow from nine to twelve."""
    where = make.clinic(**more)
    held = make.session(where, starts_at=tomorrow_at(9, days=2))
    return where, held

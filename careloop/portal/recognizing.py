"""Who asks for a patients' page: the device's session, whom it acts for, and whether it still may.

Apart from the staff's sessions in everything: own cookie, own table, own rules. One cookie a clinic, because one may be a patient of
several.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.devices import device_name
from careloop.kernel.ids import new_token, token_hash, uuid7
from careloop.portal import family
from careloop.portal.models import PatientSession
from careloop.tenancy.models import Organization

SIGNED_IN_FOR = timedelta(days=60)
IDLE_FOR = timedelta(days=14)
BROWSER_FOR = timedelta(days=1)
# how exactly "last seen" is kept; each note costs a write
GRAIN = timedelta(minutes=5)
LONGEST_DEVICE = 80


@dataclass
class Visitor:
    """Whoever opens a page of this clinic; `session` only when signed in."""

    clinic: Organization
    now: datetime
    browser_token: str
    address: str = ""
    session: dict[str, Any] | None = None
    relatives: list[family.Relative] = field(default_factory=list)
    # cookies to set or take away with the answer
    new_token: str = ""
    forget: bool = False

    @property
    def browser_hash(self) -> bytes:
        return token_hash(self.browser_token)

    @property
    def patient_id(self) -> UUID:
        """Whose data the page shows: the signed-in patient, or the family member they act for."""
        assert self.session is not None
        chosen: UUID | None = self.session["acting_for_id"]
        return chosen or self.own_id

    @property
    def own_id(self) -> UUID:
        assert self.session is not None
        own: UUID = self.session["patient_id"]
        return own

    @property
    def acts_for_another(self) -> bool:
        return self.session is not None and self.patient_id != self.own_id

    @property
    def name(self) -> str:
        """The name of whom the page is about."""
        if self.session is None:
            return ""
        if self.acts_for_another:
            return next((one.name for one in self.relatives if one.patient_id == self.patient_id), "")
        return str(self.session["name"])


def cookie_name(what: str, slug: str) -> str:
    """Return the name of a cookie of one clinic; `__Host-` keeps other hosts of the same domain from setting it."""
    return f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}careloop_{what}_{slug}"


def recognize(request: HttpRequest, clinic: Organization, *, now: datetime, address: str) -> Visitor:
    """Return who asks. Runs inside the clinic's organization."""
    browser = request.COOKIES.get(cookie_name("browser", clinic.slug), "")
    visitor = Visitor(clinic, now, browser if 40 <= len(browser) <= 60 else new_token(), address)
    token = request.COOKIES.get(cookie_name("patient", clinic.slug), "")
    if not token:
        return visitor
    found = sql.row(
        """select s.id, s.patient_id, s.acting_for_id, s.how, s.seen_at, p.name, p.language
             from portal_session s join patients_patient p on p.id = s.patient_id
            where s.token_hash = %s and s.ended_at is null and s.expires_at > %s and s.seen_at > %s
              and p.merged_into_id is null and p.active and not p.deceased""",
        [token_hash(token), now, now - IDLE_FOR],
    )
    if found is None:
        visitor.forget = True
        return visitor
    visitor.session = found
    visitor.relatives = family.those_acted_for(found["patient_id"], today=today_of(clinic, now))
    if found["acting_for_id"] and found["acting_for_id"] not in {one.patient_id for one in visitor.relatives}:
        # guardianship or permission has ended since
        found["acting_for_id"] = None
        PatientSession.objects.filter(pk=found["id"]).update(acting_for=None)
    if now - found["seen_at"] >= GRAIN:
        PatientSession.objects.filter(pk=found["id"]).update(seen_at=now)
    return visitor


def today_of(clinic: Organization, now: datetime) -> date:
    """The clinic's own calendar day."""
    return now.astimezone(ZoneInfo(clinic.time_zone)).date()


def sign_in(visitor: Visitor, patient_id: UUID, *, how: str, user_agent: str) -> None:
    """Begin a session of this patient on this device. A new token each time: none that was there before counts."""
    sign_out(visitor)
    visitor.new_token, visitor.forget = new_token(), False
    made = PatientSession.objects.create(
        id=uuid7(), token_hash=token_hash(visitor.new_token), patient_id=patient_id, how=how,
        device=device_name(user_agent)[:LONGEST_DEVICE], created_at=visitor.now, seen_at=visitor.now, expires_at=visitor.now + SIGNED_IN_FOR,
    )  # fmt: skip
    actor = audit.Actor("patient", id=patient_id, via="portal", address=visitor.address)
    audit.record(
        "portal.signed_in", patients=[patient_id], target=("patient_session", made.pk), details={"how": how}, actor=actor,
        now=visitor.now,
    )  # fmt: skip


def sign_out(visitor: Visitor) -> None:
    """End the session of this device."""
    if visitor.session is not None:
        end_sessions(visitor.own_id, [visitor.session["id"]], now=visitor.now)
        visitor.session = None
    visitor.forget = True


def end_sessions(patient_id: UUID, session_ids: list[UUID] | None, *, now: datetime) -> int:
    """End some of a patient's sessions, or (None) all; return how many."""
    found = PatientSession.objects.filter(patient_id=patient_id, ended_at__isnull=True)
    if session_ids is not None:
        found = found.filter(pk__in=session_ids)
    ended = found.update(ended_at=now)
    if ended:
        audit.record("portal.signed_out", patients=[patient_id], details={"devices": ended}, now=now)
    return ended


def sessions_of(patient_id: UUID, *, now: datetime) -> list[dict[str, Any]]:
    """Return the devices on which a patient is signed in, the last used first."""
    return sql.rows(
        """select id, device, how, created_at, seen_at from portal_session
            where patient_id = %s and ended_at is null and expires_at > %s and seen_at > %s order by seen_at desc""",
        [patient_id, now, now - IDLE_FOR],
    )


def set_cookies(response: HttpResponse, visitor: Visitor, request: HttpRequest) -> None:
    """Give the browser its cookies: who it is, and (after signing in or out) whose."""
    slug = visitor.clinic.slug
    name = cookie_name("browser", slug)
    if request.COOKIES.get(name) != visitor.browser_token:
        _set(response, name, visitor.browser_token, BROWSER_FOR)
    name = cookie_name("patient", slug)
    if visitor.new_token:
        _set(response, name, visitor.new_token, SIGNED_IN_FOR)
    elif visitor.forget and name in request.COOKIES:
        response.delete_cookie(name, path="/", samesite="Lax")


def _set(response: HttpResponse, name: str, value: str, age: timedelta) -> None:
    response.set_cookie(
        name, value, max_age=int(age.total_seconds()), path="/", httponly=True, samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip

"""Every address × every role × another organization: walks the whole list of addresses, so that a new one is closed by default."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import Resolver404, get_resolver, resolve
from django.urls.converters import IntConverter
from django.urls.resolvers import URLPattern, URLResolver

from careloop.accounts.permissions import ROLES
from careloop.kernel import sql
from careloop.patients.models import Patient
from tests.support import close, inside
from tests.support.objects import Objects

# Addresses without a decorator of ours, and why. allauth asks for what it needs on each of its pages.
NOT_OURS = {"accounts/": "allauth's own pages: sign-in, passwords, second factors, sessions"}
# Addresses that are called by machines, which hold no CSRF token: they prove themselves otherwise.
WITHOUT_CSRF = {
    "hooks/": "webhooks are signed over their raw body",
    "api/v1/": "asks for a bearer token and does not look at cookies",
    "p/y/": "the link to one payment: its secret token is the proof; the sandbox provider's page has signed fields",
    "p/u/": "one-click unsubscribe (RFC 8058): the secret token in the address is the proof",
    "u/": "one-click unsubscribe (RFC 8058): the secret token in the address is the proof",
}
# Numbers that count up, in addresses, and why they tell nobody anything.
SEQUENTIAL = {
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": "allauth's; reaches the visitor's own keys only",
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": "allauth's; reaches the visitor's own keys only",
}
# Pages that refuse before they look an object up, so that they tell nobody whether it exists, and why.
REFUSED_FIRST = {"messages/phones/": "sandbox phones exist in the demo clinic only"}
# Tables a GET may write: traces of the reading itself.
WRITTEN_BY_READING = {
    "audit_event", "audit_patient", "audit_span", "audit_head", "django_session", "careloop_cache", "usersessions_usersession", "accounts_user",
    "scheduling_search_miss",  # a search for a place that found none is counted as demand, once, without saying who asked
}  # fmt: skip
# Pages whose GET does more than look, and why that is right.
GET_MAY_WRITE: dict[str, str] = {}
ROUTE_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True)
class Address:
    """One line of the list of addresses."""

    route: str
    pattern: URLPattern
    name: str

    @property
    def access(self) -> Any:
        return getattr(self.pattern.callback, "access", None)

    @property
    def parameters(self) -> list[str]:
        return [first or second for first, second in ROUTE_PARAMETER.findall(self.route)]

    @property
    def is_ours(self) -> bool:
        return not self.route.startswith(tuple(NOT_OURS)) or self.access is not None

    @property
    def names_objects(self) -> bool:
        """Whether it names something that belongs to an organization."""
        from tests.support.objects import PARAMETERS

        return any(name in {known.rpartition("|")[2] for known in PARAMETERS} for name in self.parameters)

    def filled(self, objects: Objects) -> str:
        """The address with these objects in it."""

        def put(match: re.Match[str]) -> str:
            return str(objects.value(self.route, match.group(1) or match.group(2)))

        return "/" + ROUTE_PARAMETER.sub(put, self.route).replace("^", "").replace("$", "").replace("\\", "")


def walk(patterns: Any, start: str = "", namespace: str = "") -> Iterator[Address]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = ":".join(filter(None, (namespace, pattern.namespace)))
            yield from walk(pattern.url_patterns, start + str(pattern.pattern), inner)
        elif isinstance(pattern, URLPattern):
            yield Address(start + str(pattern.pattern), pattern, ":".join(filter(None, (namespace, pattern.name))))


ADDRESSES = list(walk(get_resolver().url_patterns))
OURS = [address for address in ADDRESSES if address.is_ours]
# pages that ask for a patient's own session
PATIENTS = [address for address in OURS if address.access is not None and address.access.kind == "patient"]
GUARDED = [address for address in OURS if address.access is not None and address.access.kind == "permission"]


@pytest.fixture(autouse=True)
def fresh_limits(db):
    cache.clear()


def ask(client, url, *, post=False):
    """Ask for a page or send an empty form; what a download holds open is closed."""
    answer = client.post(url) if post else client.get(url)
    close(answer)
    return answer


def both(client, url):
    """Ask and send; a page that takes only one of them answers 405 to the other."""
    return [ask(client, url), ask(client, url, post=True)]


def test_there_are_addresses_to_walk():
    assert len(GUARDED) > 40


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda one: one.route or "/")
def test_every_view_says_who_may_open_it(address):
    assert address.access is not None or address.route.startswith(tuple(NOT_OURS)), (
        f"{address.route}: decorate the view with requires(…), members_only or public(…) of careloop.accounts.access"
    )
    if address.access is not None and address.access.kind == "public":
        assert len(address.access.why) > 10


def test_no_address_counts():
    counting = [
        address.route for address in ADDRESSES
        if any(isinstance(converter, IntConverter) for converter in getattr(address.pattern.pattern, "converters", {}).values())
    ]  # fmt: skip

    assert [route for route in counting if route not in SEQUENTIAL] == []


def test_every_parameter_names_something_known(organization):
    """A new kind of parameter must be given an object, or the tests below would pass it by."""
    objects = Objects()
    for address in OURS:
        assert address.filled(objects)


def test_strangers_are_sent_to_the_sign_in_page(organization):
    objects, problems = Objects(), []
    for address in OURS:
        if address.access.kind == "public":
            continue
        url = address.filled(objects)
        for answer in both(Client(), url):
            door = "/p/" if address in PATIENTS else "/accounts/login/"
            sent = answer.status_code == 302 and answer["Location"].startswith(door)
            if not sent and answer.status_code not in (403, 405):
                problems.append((url, answer.status_code))

    assert problems == []


def closed_doors(answer: Any, held: frozenset[str]) -> list[str]:
    """The links of a page that its reader may not follow."""
    if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
        return []
    found = []
    for link in sorted(set(re.findall(r'href="(/[^"?#]*)', answer.content.decode()))):
        try:
            access = getattr(resolve(link).func, "access", None)
        except Resolver404:
            continue  # a file
        if access is not None and not access.allows(held):
            found.append(link)
    return found


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_opens_what_its_permissions_say_and_nothing_else(client_for, role):
    client, objects, problems = client_for(role), Objects(), []
    held = ROLES[role].permissions
    for address in GUARDED:
        url = address.filled(objects)
        if address.access.allows(held):
            answer = ask(client, url)
            if answer.status_code == 403 and address.route.startswith(tuple(REFUSED_FIRST)):
                continue
            if answer.status_code == 403 or answer.status_code >= 500:
                problems.append((url, address.access.permissions, answer.status_code))
            problems += [(url, "leads to", there) for there in closed_doors(answer, held)]
        else:
            statuses = {answer.status_code for answer in both(client, url)}
            if not statuses <= {403, 405} or 403 not in statuses:
                problems.append((url, address.access.permissions, statuses))

    assert problems == []


# What a template or a form shows when it was given a thing and not its name.
PROGRAMS_OWN = re.compile(r"\bobject \(|object at 0x|&lt;QuerySet|&lt;function|&lt;bound method|>\s*None\s*<|\{\{|\{%")
# Pages on which people write templates of their own.
WRITES_TEMPLATES = ("messages/templates/", "membership/newsletters/", "membership/greetings/", "gallery/")


def test_no_page_shows_the_programs_name_for_a_thing(client_for):
    from careloop.records.models import Practitioner
    from careloop.tenancy.models import Location

    client, objects, problems = client_for("owner", "zh-hant"), Objects(), []
    Location.objects.create(name="信義院區")
    Practitioner.objects.create(name="林怡君")
    for address in GUARDED:
        answer = client.get(address.filled(objects))
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            found = PROGRAMS_OWN.findall(answer.content.decode())
            allowed = {"{{"} if address.route.startswith(WRITES_TEMPLATES) else set()
            if set(found) - allowed:
                problems.append((address.route, sorted(set(found))))
        close(answer)

    assert problems == []


def test_a_member_without_any_membership_left_opens_nothing(client_for):
    from careloop.accounts.models import Membership

    client, objects, problems = client_for("owner"), Objects(), []
    urls = [(address.filled(objects), address) for address in OURS if address.access.kind not in ("public", "patient")]
    Membership.objects.filter(user=client.user).update(is_active=False)
    for url, _address in urls:
        if not {answer.status_code for answer in both(client, url)} <= {403, 405}:
            problems.append(url)

    assert problems == []


def test_another_organizations_objects_are_not_there(client_for, organization, other_organization):
    """The owner here, who may do everything, with the ids of another clinic's objects: 404, as if they had never been."""
    with inside(other_organization):
        theirs = Objects()
        urls = [(address.filled(theirs), address) for address in GUARDED if address.names_objects]
    client, problems = client_for("owner"), []
    for url, address in urls:
        for answer in both(client, url):
            if answer.status_code == 403 and address.route.startswith(tuple(REFUSED_FIRST)):
                continue
            if answer.status_code not in (404, 405):
                problems.append((address.route, answer.wsgi_request.method, answer.status_code))

    assert problems == []


# -- patients ----------------------------------------------------------------------------------------------------


def signed_in_patient(organization, **details):
    """A browser in which a fresh patient of this organization is signed in, and the patient's id."""
    from datetime import datetime, timedelta

    from careloop.kernel.ids import new_token, token_hash
    from careloop.patients.tests.make import patient
    from careloop.portal.models import PatientSession
    from careloop.portal.recognizing import cookie_name

    who, token, now = patient(**details), new_token(), datetime.now(UTC)
    PatientSession.objects.create(
        token_hash=token_hash(token), patient_id=who, how="code", created_at=now, seen_at=now,
        expires_at=now + timedelta(days=1),
    )  # fmt: skip
    client = Client()
    client.cookies[cookie_name("patient", organization.slug)] = token
    return client, who


def test_there_are_patients_pages_to_walk():
    assert len(PATIENTS) > 12


def test_nobody_without_a_patients_session_opens_a_patients_page(client_for, organization):
    """Strangers and staff alike: the staff's own sign-in opens nothing there."""
    objects, problems = Objects(), []
    for client in (Client(), client_for("owner")):
        for address in PATIENTS:
            for answer in both(client, address.filled(objects)):
                sent = answer.status_code == 302 and "/sign-in/" in answer["Location"]
                if not sent and answer.status_code != 405:
                    problems.append((address.route, answer.status_code))

    assert problems == []


def test_a_patient_opens_their_own_pages_and_no_page_of_the_staff(organization):
    client, who = signed_in_patient(organization)
    objects, problems = Objects(), []
    mine = Objects()
    mine.made["patients.patient"] = Patient.objects.get(pk=who)
    for address in PATIENTS:
        answer = ask(client, address.filled(mine))
        # who is a member already is sent on from the page on which one joins
        goes_on = answer.status_code == 302 and "/sign-in/" not in answer["Location"]
        if (answer.status_code not in (200, 405, 409) and not goes_on) or "no-store" not in answer["Cache-Control"]:
            problems.append((address.route, answer.status_code))
    for address in GUARDED:
        for answer in both(client, address.filled(objects)):
            if answer.status_code not in (302, 403, 405):
                problems.append((address.route, answer.status_code))

    assert problems == []


def test_another_patients_objects_are_not_there(organization):
    client, _who = signed_in_patient(organization)
    theirs, problems = Objects(), []
    # a service is the clinic's, and nobody's among its patients
    walked = [address for address in PATIENTS if address.names_objects and "service_id" not in address.parameters]
    for address in walked:
        for answer in both(client, address.filled(theirs)):
            if answer.status_code not in (404, 405):
                problems.append((address.route, answer.wsgi_request.method, answer.status_code))

    assert len(walked) >= 5
    assert problems == []


def test_a_patient_of_another_clinic_opens_nothing_here(organization, other_organization):
    with inside(other_organization):
        client, _who = signed_in_patient(other_organization)
    (there,) = client.cookies
    token = client.cookies[there].value
    from careloop.portal.recognizing import cookie_name

    client.cookies[cookie_name("patient", organization.slug)] = token
    objects, problems = Objects(), []
    for address in PATIENTS:
        for answer in both(client, address.filled(objects)):
            sent = answer.status_code == 302 and "/sign-in/" in answer["Location"]
            if not sent and answer.status_code != 405:
                problems.append((address.route, answer.status_code))

    assert problems == []


def test_another_clinics_visits_are_not_there_for_a_patient_here(organization, other_organization):
    client, _who = signed_in_patient(organization)
    with inside(other_organization):
        theirs = Objects()
        for address in PATIENTS:
            address.filled(theirs)
    problems = []
    for address in PATIENTS:
        if address.names_objects:
            url = address.filled(theirs).replace(f"/p/{other_organization.slug}/", f"/p/{organization.slug}/")
            url = re.sub(r"^/p/[^/]+/", f"/p/{organization.slug}/", url)
            for answer in both(client, url):
                if answer.status_code not in (404, 405):
                    problems.append((address.route, answer.status_code))

    assert problems == []


def test_looking_at_patients_pages_changes_nothing(organization):
    client, who = signed_in_patient(organization)
    mine, problems = Objects(), []
    mine.made["patients.patient"] = Patient.objects.get(pk=who)
    urls = [(address.filled(mine), address) for address in OURS if address.route.startswith("p/<clinic")]
    for url, address in urls:
        before = written()
        ask(client, url)
        changed = {table for table, count in written().items() if count != before.get(table)} - WRITTEN_BY_READING
        if changed - {"portal_session"}:
            problems.append((address.route, changed))

    assert len(urls) > 30
    assert problems == []


def test_looking_changes_nothing(client_for):
    """GET is safe everywhere: links are followed by previews, crawlers and the Back button."""
    client, objects, problems = client_for("owner"), Objects(), []
    urls = [(address.filled(objects), address) for address in OURS if address.route not in GET_MAY_WRITE]
    for url, address in urls:
        before = written()
        ask(client, url)
        changed = {table for table, count in written().items() if count != before.get(table)} - WRITTEN_BY_READING
        if changed:
            problems.append((address.route, changed))

    assert problems == []


def written() -> dict[str, int]:
    """How many rows of each table this transaction has written."""
    return {
        row["relname"]: row["n"]
        for row in sql.rows("select relname, n_tup_ins + n_tup_upd + n_tup_del as n from pg_stat_xact_user_tables")
    }


def test_a_form_without_its_token_is_refused_everywhere(client_for):
    signed_in, objects, problems = client_for("owner"), Objects(), []
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in.cookies
    for address in ADDRESSES:
        if address.route.startswith(tuple(WITHOUT_CSRF)):
            continue
        try:
            url = address.filled(objects)
        except LookupError:
            url = "/" + ROUTE_PARAMETER.sub("1", address.route).replace("^", "").replace("$", "")
        answer = ask(strict, url, post=True)
        if answer.status_code not in (403, 404, 405):
            problems.append((address.route, answer.status_code))

    assert problems == []


def test_every_answer_carries_the_content_policy_and_pages_stay_out_of_caches(client_for):
    client, objects, problems = client_for("owner"), Objects(), []
    for address in OURS:
        answer = ask(client, address.filled(objects))
        policy = answer.get("Content-Security-Policy", "")
        if "default-src 'self'" not in policy or "unsafe" in policy:
            problems.append((address.route, "policy", policy))
        if address.access.kind != "public" and "no-store" not in answer.get("Cache-Control", ""):
            problems.append((address.route, "cache", answer.get("Cache-Control")))
        if answer.get("X-Content-Type-Options") != "nosniff" or answer.get("X-Frame-Options") != "DENY":
            problems.append((address.route, "headers"))

    assert problems == []

"""Every page, opened in a real browser: at a desk and on a phone, light and dark, in two languages, as those who may and may not."""

import gettext
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from careloop.accounts.permissions import ROLES
from tests.browser.conftest import sign_in
from tests.browser.installation import ROOT, Installation

# many pages in one test, on a machine that may be busy
pytestmark = pytest.mark.timeout(600)
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Everything once; in the other dress what size and colours decide.
CHECKED: dict[tuple[str, str], dict[str, Any]] = {
    ("desk", "light"): {"type": "tag", "values": WCAG},
    ("phone", "dark"): {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]},
}  # fmt: skip

NAVIGATION = {
    "/": "", "/patients/": "patients.view", "/schedule/": "schedule.view", "/queue/": "queue.run",
    "/follow-ups/": "followups.view", "/segments/": "segments.view",
    **dict.fromkeys(("/membership/", *(f"/membership/{part}/" for part in (
        "tiers", "rewards", "referrals", "greetings", "newsletters", "draws"))), "loyalty.view"),
    "/membership/guard/": "policy.sign_off loyalty.manage",
    "/journeys/": "journeys.view", "/messages/": "messages.view", "/payments/": "payments.manage", "/imports/": "imports.run", "/reports/": "reports.view",
    "/settings/": "settings.organization", "/audit/": "audit.view",
}  # fmt: skip
PAGES = (
    *NAVIGATION,
    "/patients/new/", "/patients/export/", "/patients/{patient}/",
    *(f"/patients/{{patient}}/{tab}/" for tab in ("visits", "medication", "results", "spend", "messages", "tasks", "journeys", "family",
                                                  "consent", "timeline", "access", "edit")),
    "/follow-ups/new/", "/follow-ups/{follow_up}/",
    "/segments/new/", "/segments/library/", "/segments/{segment}/", "/segments/{segment}/edit/", "/segments/{segment}/why/?q=林",
    "/segments/{segment}/why/{patient}/",
    "/journeys/new/", "/journeys/library/", "/journeys/{journey}/", "/journeys/{journey}/results/", "/journeys/{journey}/patients/",
    "/journeys/enrollments/{enrollment}/", "/journeys/{running}/edit/",
    "/messages/answers/", "/messages/templates/", "/messages/templates/new/", "/messages/templates/{template}/", "/messages/{message}/",
    "/messages/with/{patient}/", "/messages/phones/", "/messages/phones/{phone}/line/",
    "/schedule/?date={day}", "/schedule/?date={day}&by=room", "/schedule/?date={day}&view=week", "/schedule/find/?service={service}",
    "/schedule/book/?session={session}&q=林", "/schedule/book/?session={session}&at={at}&patient={patient}",
    "/schedule/book/?session={numbered}&patient={patient}", "/schedule/missed/", "/schedule/demand/",
    *(f"/schedule/appointments/{{appointment}}/{page}" for page in ("", "move/", "cancel/", "error/")),
    "/schedule/sessions/new/", "/schedule/sessions/{session}/", "/schedule/sessions/{numbered}/",
    *(f"/schedule/sessions/{{session}}/{page}/" for page in ("close", "substitute", "finish")),
    "/schedule/set-up/", "/schedule/set-up/services/", "/schedule/set-up/services/new/", "/schedule/set-up/services/{service}/",
    "/schedule/set-up/rooms/", "/schedule/set-up/rooms/new/", "/schedule/set-up/practitioners/", "/schedule/set-up/practitioners/new/",
    "/schedule/set-up/week/", "/schedule/set-up/week/new/", "/schedule/set-up/week/{week}/", "/schedule/set-up/week/{week}/end/",
    "/schedule/set-up/absences/", "/schedule/set-up/absences/new/", "/schedule/set-up/absences/{absence}/", "/schedule/set-up/days/",
    "/schedule/set-up/days/one/?date=2026-10-10",
    "/imports/new/", "/imports/{batch}/", "/membership/setup/new/", "/membership/referrals/tree/", "/membership/greetings/new/",
    "/membership/points/{points_account}/", "/membership/points/{points_account}/reverse/?entry={points_entry}", "/membership/liability/",
    "/membership/reports/", "/membership/rewards/desk/",
    "/settings/organization/", "/settings/locations/", "/settings/locations/new/", "/settings/locations/{location}/", "/settings/tags/",
    "/settings/staff/", "/settings/staff/invite/", "/settings/staff/{member}/", "/settings/roles/", "/settings/legal/",
    "/settings/contacts/", "/settings/sign-offs/", "/settings/system/", "/settings/channels/", "/settings/channels/{channel}/",
    "/settings/channels/new/line/", "/settings/channels/new/email/", "/settings/payments/new/ecpay/", "/settings/notices/", "/settings/notices/{notice}/",
    "/settings/tokens/", "/settings/tokens/new/", "/calendars/", "/calendars/new/", "/calendars/import/",
    "/accounts/password/change/", "/accounts/2fa/", "/accounts/sessions/", "/search/?q=林", "/gallery/",
    "{answer}", "{unsubscribe}", "{preferences}",
    "/queue/rules/", "/queue/screens/", "/queue/{queue_session}/", "/queue/{queue_session}/console/",
    "/queue/{queue_session}/walk-in/?q=林",
    "/queue/tickets/{ticket}/", "{number}", "{expected_number}", "{tv}", "{entrance}",
)  # fmt: skip
# not every page in every dress: each size with each theme and each language at least once
# each size, theme and language, and Chinese in both sizes
DRESSES = (("desk", "light", "zh-hant"), ("phone", "dark", "en"), ("phone", "light", "zh-hant"))


def addresses(installation: Installation) -> list[str]:
    return [page.format_map(installation.known) for page in PAGES]


class Watch:
    """Collects what the browser complains about."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def taken(self) -> list[str]:
        found, self.complaints = self.complaints, []
        return found


def visit(page: Page, address: str) -> Response:
    response = page.goto(address, wait_until="load")
    assert response is not None
    return response


# Where each text begins, without what is hidden, typed by a person or drawn by a chart.
VISIBLE_TEXTS = """() => {
  const found = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode, parent = one.parentElement;
    if (!one.textContent.trim() || parent.closest('script,style,template,code,kbd,pre,[lang]:not(html),option,datalist')) continue;
    if (!parent.checkVisibility()) continue;
    found.add(one.textContent.trim().replace(/\\s+/g, ' '));
  }
  for (const one of document.querySelectorAll('[aria-label],[placeholder],[title]'))
    for (const name of ['aria-label', 'placeholder', 'title']) if (one.getAttribute(name)) found.add(one.getAttribute(name).trim());
  return [...found];
}"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@cache
def english_sentences() -> frozenset[str]:
    """Everything that the catalogues can say in English and say otherwise in Chinese."""
    found: set[str] = set()
    for file in (ROOT / "careloop").rglob("locale/zh_Hant/LC_MESSAGES/django.mo"):
        with file.open("rb") as opened:
            catalogue: Any = gettext.GNUTranslations(opened)._catalog  # type: ignore[attr-defined]
        for key, said in catalogue.items():
            text = (key[0] if isinstance(key, tuple) else key).split("\x04")[-1]
            if said != text:
                found.add(" ".join(text.split()))
    return frozenset(found)


def untranslated(page: Page) -> list[str]:
    """English words where Chinese ones exist."""
    texts: list[str] = page.evaluate(VISIBLE_TEXTS)
    english = [text for text in texts if re.fullmatch(r"[\x00-\x7f“”‘’…–—]+", text) and re.search(r"[A-Za-z]{4}", text)]
    return [
        text for text in english if text in english_sentences() - {"English"}
    ]  # a language is called what it calls itself


def walk(page: Page, watch: Watch, address: str, *, size: str, language: str) -> Iterator[str]:
    response = visit(page, address)
    if response.status != 200:
        yield f"{address}: answers {response.status}"
        return
    if size == "phone" and (extra := page.evaluate(SIDEWAYS)) > 0:
        yield f"{address}: {extra} px wider than the phone"
    if language == "zh-hant":
        yield from (f"{address}: not in Chinese: {text!r}" for text in untranslated(page))
    yield from (f"{address}: {text}" for text in watch.taken())


def barriers(page: Page, address: str, *, rules: dict[str, Any]) -> Iterator[str]:
    """What axe finds that stands in the way of people with a disability."""
    violations = page.evaluate(
        "runOnly => axe.run({runOnly, resultTypes: ['violations']}).then(found => found.violations)", rules
    )
    for one in violations:
        places = "; ".join(
            f"{node['target'][-1]} ({node['failureSummary'].splitlines()[-1].strip()})" for node in one["nodes"][:3]
        )
        yield f"{address}: {one['id']}: {places}"


@pytest.mark.parametrize(("size", "theme", "language"), DRESSES)
def test_every_page_opens_without_a_complaint_fits_its_window_speaks_its_language_and_stands_in_nobodys_way(
    installation: Installation, open_as: Callable[..., BrowserContext], size: str, theme: str, language: str
) -> None:
    context = open_as("owner", size=size, theme=theme, language=language, reduced_motion="reduce")
    rules = CHECKED.get((size, theme)) if AXE.exists() else None
    if rules:
        context.add_init_script(path=AXE)
    page = context.new_page()
    watch = Watch(page)
    found: list[str] = []
    for address in addresses(installation):
        found += walk(page, watch, address, size=size, language=language)
        if rules:
            found += barriers(page, address, rules=rules)
    assert found == []
    if not AXE.exists():
        pytest.skip("the pages open, but axe-core is not installed (npm ci in the repository)")


@pytest.mark.parametrize("role", ["owner", "front_desk", "marketing", "it"])
def test_a_role_sees_in_the_navigation_what_it_may_open_and_nothing_else(
    installation: Installation, open_as: Callable[..., BrowserContext], role: str
) -> None:
    page = open_as(role).new_page()
    page.goto("/")
    offered = set(page.locator("#nav a").evaluate_all("all => all.map(one => one.getAttribute('href'))"))
    may = {
        address
        for address, needed in NAVIGATION.items()
        if not needed or ROLES[role].permissions.intersection(needed.split())
    }
    assert offered == may
    # the settings' first page opens for every member and shows only what the role may change
    closed = NAVIGATION.keys() - {"/settings/"} - may
    assert {address: page.request.get(address).status for address in may} == dict.fromkeys(may, 200)
    assert {address: page.request.get(address).status for address in closed} == dict.fromkeys(closed, 403)


def test_the_search_finds_a_patient_by_name_number_telephone_and_birth_date(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    page = open_as("front_desk", language="zh-hant").new_page()
    known = installation.known
    page.goto("/")
    page.keyboard.press("Control+k")
    box = page.locator("#palette input[name=q]")
    expect(box).to_be_focused()
    for text in ("淑芬", known["chart_number"], known["last_three"], known["roc_birth_date"]):
        box.fill(text)
        expect(page.locator("#palette-results").get_by_text("林淑芬").first).to_be_visible()
        box.fill("")
    box.fill("林淑芬")
    expect(page.locator("#palette-results").get_by_text("林淑芬").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("林淑芬")


def test_the_daily_work_needs_no_javascript(installation: Installation, open_as: Callable[..., BrowserContext]) -> None:
    page = open_as(java_script_enabled=False).new_page()
    sign_in(page, installation, "front_desk")
    page.goto("/patients/?q=淑芬")
    page.locator("#patient-list").get_by_role("link", name="林淑芬").click()
    expect(page.locator("h1")).to_contain_text("林淑芬")

    page.goto("/patients/new/")
    page.locator("input[name=name]").fill("無聲")
    page.get_by_label("will be shown at the first contact").check()
    page.get_by_role("button", name="Register").click()
    expect(page.locator("h1")).to_contain_text("無聲")

    page.goto("/segments/new/")
    page.get_by_label("Name", exact=True).fill("六十五歲以上")
    if not page.locator("select[name^='f:']").count():
        page.get_by_role("button", name="Condition").first.click()
    page.locator("select[name^='f:']").first.select_option("age")
    page.get_by_role("button", name="Update", exact=True).last.click()
    page.locator(".seg-value input").first.fill("65")
    page.get_by_role("button", name="Update", exact=True).last.click()
    expect(page.locator("#segment-preview .seg-number")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("六十五歲以上")


def test_an_appointment_is_dragged_to_another_time_and_asked_about_first(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    page = open_as("front_desk").new_page()
    watch = Watch(page)
    page.goto(f"/schedule/?date={installation.known['day']}")
    dragged = page.locator("a[data-move]").first
    free = page.locator("a[data-place]").last
    when = free.inner_text()
    dragged.drag_to(free)
    expect(page.locator("#dialog")).to_contain_text(when)
    page.locator("#dialog").get_by_role("button", name="Move").click()
    expect(page.locator("#messages")).to_contain_text(when)
    assert watch.taken() == []

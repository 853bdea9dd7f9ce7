"""A patient's phone: books without a script, signs in by the code on the sandbox phone, moves and calls off; every page fits 360 px."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.installation import Installation
from tests.browser.steps import send
from tests.browser.test_pages import AXE, SIDEWAYS, WCAG, Watch, untranslated

pytestmark = pytest.mark.timeout(600)
SHOTS = os.environ.get("CARELOOP_SHOTS", "")
# what a finger hits, but for links inside a sentence (WCAG 2.5.8)
SMALL = """() => [...document.querySelectorAll('a, button, summary, input:not([type=hidden]), select')].filter(one => {
  const box = one.getBoundingClientRect(), inline = getComputedStyle(one).display === 'inline';
  const inside = one.closest('label');
  const reach = inside ? inside.getBoundingClientRect() : box;
  return box.width && !inline && one.checkVisibility() && !one.matches('.visually-hidden-focusable') && Math.min(reach.height, 44) < 43.5;
}).map(one => one.outerHTML.slice(0, 120))"""
TINY = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = new Set();
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !one.checkVisibility() ) continue;
    if (parseFloat(getComputedStyle(one).fontSize) < 16) found.add(one.outerHTML.slice(0, 100));
  }
  return [...found];
}"""


@pytest.fixture
def a_phone(installation: Installation, chromium: Browser) -> Any:
    opened: list[BrowserContext] = []

    def make(*, width: int = 390, language: str = "zh-hant", theme: str = "light", **more: Any) -> Page:
        context = chromium.new_context(
            base_url=installation.url, viewport={"width": width, "height": 844}, is_mobile=True, has_touch=True,
            service_workers="block", **more,
        )  # fmt: skip
        context.add_cookies([
            {"name": "careloop_theme", "value": theme, "url": installation.url},
            {"name": "careloop_language", "value": language, "url": installation.url},
        ])  # fmt: skip
        opened.append(context)
        return context.new_page()

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def code_on_the_phone(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> Callable[[dict[str, Any]], str]:
    """The six digits on the sandbox phone of a patient, as a colleague at the demo sees them."""
    page = open_as("owner").new_page()

    def read(someone: dict[str, Any]) -> str:
        for _turn in range(60):
            page.goto(f"/messages/phones/{someone['patient']}/sms/")
            if found := re.findall(r"(?:驗證碼|验证码|code is)\s*(\d{6})", page.inner_text("body")):
                return str(found[-1])
            page.wait_for_timeout(500)
        raise AssertionError("no code came")

    return read


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def sign_in(page: Page, someone: dict[str, Any], code: Callable[[dict[str, Any]], str]) -> None:
    page.fill("input[name=address]", someone["phone"])
    send(page, page.locator("main form:has(input[name=address]) button.btn-primary"))
    page.fill("input[name=code]", code(someone))
    send(page, page.locator("main button.btn-primary"))
    if "/who/" in page.url:
        page.fill("input[name=birth_date]", someone["birth_date"])
        send(page, page.locator("main button.btn-primary"))


def test_a_patient_books_moves_and_calls_off_on_a_phone_without_javascript(
    installation: Installation, a_phone: Callable[..., Page], code_on_the_phone: Callable[[dict[str, Any]], str]
) -> None:
    home = f"/p/{installation.known['slug']}/"
    page = a_phone(java_script_enabled=False, language="zh-hant")
    page.goto(home)
    shoot(page, "welcome")
    page.get_by_role("link", name=re.compile("預約看診")).click()
    shoot(page, "book")
    page.get_by_role("link", name=re.compile("線上洗牙")).click()
    shoot(page, "times")
    page.locator(".cl-p-slots button").nth(3).click()
    expect(page.locator(".cl-p-held")).to_be_visible()
    shoot(page, "who_books")
    sign_in(page, installation.known["signs_in"][0], code_on_the_phone)
    expect(page.locator("h1")).to_have_text("快完成了")
    page.get_by_label("有沒有藥物過敏").fill("沒有")
    shoot(page, "details")
    page.get_by_role("button", name="確定預約").click()
    expect(page.locator("h1")).to_have_text("預約完成")
    shoot(page, "booked")

    page.get_by_role("link", name="看診", exact=True).first.click()
    shoot(page, "visits")
    page.get_by_role("region", name="線上洗牙").get_by_role("button", name="我會到").click()
    expect(page.locator(".cl-p-ok")).to_be_visible()
    page.get_by_role("link", name="改時間").click()
    shoot(page, "move")
    before = page.locator(".cl-p-slots button").nth(5).get_attribute("value")
    page.locator(f".cl-p-slots button[value='{before}']").click()
    expect(
        page.get_by_role("region", name="線上洗牙").get_by_role("button", name="我會到")
    ).to_be_visible()  # the new time has not been confirmed
    shoot(page, "visit")
    page.get_by_role("link", name="不能來").click()
    shoot(page, "cancel")
    page.get_by_role("button", name="確定取消").click()
    expect(page.locator("h1")).to_contain_text("已取消")


def test_two_phones_want_one_time_and_the_second_is_offered_another(
    installation: Installation, a_phone: Callable[..., Page]
) -> None:
    home = f"/p/{installation.known['slug']}/"
    first, second = a_phone(language="en"), a_phone(language="en")
    for page in (first, second):
        page.goto(home + "book/")
        page.get_by_role("link", name=re.compile("Scaling online")).click()
    wanted = first.locator(".cl-p-slots button").nth(1).get_attribute("value")
    for page in (first, second):
        page.locator(f".cl-p-slots button[value='{wanted}']").click()
    expect(first.locator(".cl-p-held")).to_contain_text("Held for you until")
    expect(second.locator(".cl-callout")).to_contain_text("Somebody else has just taken this time")
    shoot(second, "taken")
    second.locator("main button[name=place]").first.click()
    expect(second.locator(".cl-p-held")).to_be_visible()


def test_every_page_fits_a_small_phone_in_every_dress_and_stands_in_nobodys_way(
    installation: Installation, a_phone: Callable[..., Page], code_on_the_phone: Callable[[dict[str, Any]], str]
) -> None:
    home, someone = f"/p/{installation.known['slug']}/", installation.known["signs_in"][1]
    # the policy is set aside here only: it would refuse the checker's own script
    page = a_phone(width=360, bypass_csp=True, reduced_motion="reduce")
    if AXE.exists():
        page.context.add_init_script(path=AXE)
    watch, found = Watch(page), []

    def look(name: str, size: str, dress: str) -> None:
        if (extra := page.evaluate(SIDEWAYS)) > 0:
            found.append(f"{name} {dress}: {extra} px wider than the phone")
        if dress.startswith("zh-hant"):
            found.extend(f"{name}: not in Chinese: {text!r}" for text in untranslated(page))
        found.extend(f"{name} {dress}: smaller than a finger: {one}" for one in page.evaluate(SMALL))
        found.extend(f"{name} {dress}: letters under 16 px: {one}" for one in page.evaluate(TINY))
        if AXE.exists():
            results = page.evaluate(
                "tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", WCAG
            )
            for one in results["violations"]:
                places = "; ".join(
                    f"{node['target'][-1]} ({node['failureSummary'].splitlines()[-1].strip()})"
                    for node in one["nodes"][:3]
                )
                found.append(f"{name} {dress}: {one['id']}: {places}")
        found.extend(f"{name} {dress}: {text}" for text in watch.taken())
        shoot(page, f"{name}-{dress}-{size}")

    def dress(language: str, theme: str, text: str = "normal") -> None:
        page.context.add_cookies([
            {"name": "careloop_theme", "value": theme, "url": installation.url},
            {"name": "careloop_language", "value": language, "url": installation.url},
            {"name": "careloop_text", "value": text, "url": installation.url},
        ])  # fmt: skip

    page.goto(home + "book/")
    times = page.locator(".cl-p-big").first.get_attribute("href") or ""
    strangers = {"welcome": home, "sign_in": home + "sign-in/", "book": home + "book/", "times": times, "privacy": home + "privacy/",
                 "embed": home + "embed/", "offline": home + "offline/"}  # fmt: skip
    for one in (("zh-hant", "light"), ("en", "dark"), ("zh-hans", "dark", "large")):
        dress(*one)
        for name, address in strangers.items():
            page.goto(address)
            look(name, "360", "-".join(one))
    dress("zh-hant", "light")
    page.goto(home + "sign-in/")
    page.fill("input[name=address]", someone["phone"])
    # the pages on the way: who books, the code
    page.goto(times)
    send(page, page.locator("button[name=place]").last)
    look("who_books", "360", "zh-hant-light")
    page.goto(home + "sign-in/")
    page.fill("input[name=address]", someone["phone"])
    send(page, page.locator("main form:has(input[name=address]) button.btn-primary"))
    look("code", "360", "zh-hant-light")
    page.fill("input[name=code]", code_on_the_phone(someone))
    send(page, page.locator("main button.btn-primary"))
    if "/who/" in page.url:
        look("who", "360", "zh-hant-light")
        page.fill("input[name=birth_date]", someone["birth_date"])
        send(page, page.locator("main button.btn-primary"))
    look("details", "360", "zh-hant-light")
    if page.get_by_label("有沒有藥物過敏").count():
        page.get_by_label("有沒有藥物過敏").fill("沒有")
    send(page, page.locator("main form button.btn-primary"))
    look("booked", "360", "zh-hant-light")
    page.goto(home + "visits/")
    visit = page.locator("main .cl-p-actions a").first.get_attribute("href") or ""
    visit = visit.removesuffix("move/")
    mine = {"home": home, "visits": home + "visits/", "visit": visit, "move": visit + "move/", "cancel": visit + "cancel/",
            "messages": home + "messages/", "me": home + "me/", "consents": home + "me/consents/", "devices": home + "me/devices/",
            "contact": home + "me/contact/", "tell": home + "me/correct/"}  # fmt: skip
    for one in (("zh-hant", "light"), ("en", "dark"), ("zh-hant", "dark", "large")):
        dress(*one)
        for name, address in mine.items():
            page.goto(address)
            look(name, "360", "-".join(one))

    assert found == []

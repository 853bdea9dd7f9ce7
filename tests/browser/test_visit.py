"""One visit from beginning to end, in real browsers: booked on a phone, told by message, moved, its place given to somebody who waited,
checked in by the code at the clinic, followed on the phone, called on the television, seen; and one that nobody comes to."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from playwright.sync_api import BrowserContext, Locator, Page, expect

from careloop.waitingroom import links, qr
from tests.browser.installation import Installation
from tests.browser.steps import SOON, send


class Sms:
    """The sandbox phones, as a colleague at the demo sees them."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def newest(self, someone: dict[str, Any], *, having: str | re.Pattern[str]) -> Locator:
        """Return the newest message that holds these words, once it is there."""
        for _turn in range(SOON // 500):
            self.page.goto(f"/messages/phones/{someone['patient']}/sms/")
            found = self.page.locator("li.is-clinic", has_text=having)
            if found.count():
                return found.last
            self.page.wait_for_timeout(500)
        raise AssertionError(f"no message with {having!r} came; the phone shows {self.page.inner_text('main')}")

    def link(self, someone: dict[str, Any], *, having: str) -> str:
        """Return the address in that message, without the host."""
        address = self.newest(someone, having=having).locator("a[href*='/p/']").first.get_attribute("href") or ""
        return urlsplit(address).path

    def code(self, someone: dict[str, Any]) -> str:
        return re.findall(r"\d{6}", self.newest(someone, having=re.compile("驗證碼|your code")).inner_text())[0]


def sign_in(page: Page, someone: dict[str, Any], phones: Sms) -> None:
    page.fill("input[name=address]", someone["phone"])
    send(page, page.locator("main form:has(input[name=address]) button.btn-primary"))
    page.fill("input[name=code]", phones.code(someone))
    send(page, page.locator("main button.btn-primary"))


def code_now(installation: Installation, location: str) -> tuple[str, str]:
    """Return the code that the clinic shows in this minute, and its picture's lines."""
    code = links.code_for(UUID(installation.known["organization"]), UUID(location), now=datetime.now(UTC))
    picture = qr.svg(f"{installation.url}/p/q/here/{code}/", title="")
    return code, re.findall(r' d="([^"]+)"', picture)[-1]


def test_a_visit_is_booked_moved_waited_for_come_to_and_another_is_missed(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    visit, home = installation.known["visit"], f"/p/{installation.known['slug']}/"
    comes, waits, misses = visit["comes"], visit["waits"], visit["misses"]
    phones = Sms(open_as("owner", language="zh-hant").new_page())
    desk = open_as("owner", language="zh-hant").new_page()

    # books the last place of tomorrow on the phone
    phone = open_as(language="zh-hant", size="phone").new_page()
    phone.goto(f"{home}book/{visit['service']}/")
    phone.locator(f"button[name=place][value*='{visit['tomorrow']}']").click()
    sign_in(phone, comes, phones)
    phone.get_by_role("button", name="確定預約").click()
    expect(phone.locator("h1")).to_have_text("預約完成")

    # somebody else would like to come tomorrow too, and waits
    other = open_as(language="zh-hant", size="phone").new_page()
    other.goto(f"{home}book/{visit['service']}/wait/")
    sign_in(other, waits, phones)
    day = visit["tomorrow_on"]
    other.fill("input[name=from]", day)
    other.fill("input[name=until]", day)
    other.get_by_role("button", name="登記候補").click()
    expect(other.get_by_role("region", name="走訪洗牙")).to_contain_text("候補中")

    # the message leads to the visit; it is moved to today
    phone.goto(phones.link(comes, having="走訪醫師"))
    phone.get_by_role("link", name="改時間").click()
    phone.locator(f"button[name=place][value*='{visit['today']}']").first.click()
    expect(phone.locator("h1")).to_have_text("已為您改期。")

    # the place goes to who waited, by one tap
    other.goto(phones.link(waits, having="候補有空位"))
    other.get_by_role("button", name="我要這個時段").click()
    expect(other.locator("h1")).to_have_text("這個時段是您的了。")
    desk.goto(f"/schedule/sessions/{visit['tomorrow']}/")
    expect(desk.locator("main")).to_contain_text(waits["name"])
    expect(desk.locator("main")).not_to_contain_text(comes["name"])

    # checks in with the code on the entrance's screen; this test knows no other way to read the picture than to draw it again
    entrance = open_as().new_page()
    entrance.goto(installation.known["entrance"])
    for _turn in range(10):  # the screen may be about to change, as it does every minute
        code, drawn = code_now(installation, visit["location"])
        if drawn == entrance.locator(".cl-tv-entrance svg path").last.get_attribute("d"):
            break
        entrance.wait_for_timeout(1000)
    else:
        raise AssertionError("the entrance does not show the code")
    phone.goto(f"/p/q/here/{code}/")
    phone.fill("input[name=birth]", comes["birth_date"])
    phone.fill("input[name=digits]", comes["phone"][-3:])
    phone.get_by_role("button", name="報到").click()
    number = phone.locator("[data-put=number]").inner_text()

    # is called, and sees it on the phone and on the television
    television = open_as().new_page()
    television.goto(installation.known["tv"])
    desk.goto(f"/queue/{visit['today']}/console/")
    desk.keyboard.press("F8")
    expect(phone.locator(".cl-number.is-called [data-put=headline]")).to_contain_text("走訪診間")
    expect(television.locator(".cl-tv-now.is-called strong", has_text=number)).to_be_visible()

    # is seen
    desk.keyboard.press("F8")
    expect(phone.locator("[data-put=headline]")).to_have_text("您正在看診。")
    expect(desk.locator(".cl-console-big")).to_contain_text("完成")
    desk.keyboard.press("F8")
    expect(phone.locator("[data-put=headline]")).to_contain_text("看診已完成")

    # the one who did not come is followed up
    desk.goto(f"/schedule/sessions/{visit['today']}/finish/")
    send(desk, desk.locator("main form button.btn-primary"))
    for _turn in range(SOON // 500):
        desk.goto("/follow-ups/")
        if misses["name"] in desk.inner_text("main"):
            break
        desk.wait_for_timeout(500)
    expect(desk.locator("main")).to_contain_text(misses["name"])

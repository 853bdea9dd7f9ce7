"""A membership from joining to the draw, in real browsers, where the law lets everything run; then the same rules under profile TW."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.installation import Installation
from tests.browser.steps import SOON, send
from tests.browser.test_visit import Sms, sign_in


def until(page: Page, address: str, words: str | re.Pattern[str], *, within: str = "main") -> None:
    """Open a page again and again until the worker has done what these words tell."""
    for _turn in range(SOON // 1000):
        page.goto(address)
        if re.search(words, page.inner_text(within)):
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"{words!r} never appeared on {address}: {page.inner_text(within)}")


def test_a_membership_from_joining_to_the_draw_and_what_profile_tw_says_of_it(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    known = installation.known["members"]
    member, spouse, friend = known["member"], known["spouse"], known["friend"]
    home, own_page = f"/p/{known['slug']}/", f"/patients/{member['patient']}/membership/"
    owner, desk = open_as("walk_owner").new_page(), open_as("walk_front_desk").new_page()
    phones, phone = Sms(owner), open_as(size="phone").new_page()

    # joins at the desk, and so does the spouse
    for someone in (spouse, member):
        desk.goto(f"/membership/join/{someone['patient']}/")
        agree(desk)
        send(desk, desk.get_by_role("button", name="Join"))
    until(desk, own_page, "走訪會員")

    # is seen: the visit earns points that wait, and booking opens for the member as for everybody
    seen_by_the_console(desk, known["today"])
    until(desk, own_page, "每次看診")
    phone.goto(f"{home}sign-in/")
    sign_in(phone, member, phones)
    phone.goto(f"{home}book/{known['service']}/")
    assert not later(phone, known)

    # pays on the phone: points become final, and the tier rises
    payment = paid(desk, phone, known)
    until(desk, own_page, "金卡")
    until(desk, own_page, "80")

    # booking opens earlier for the tier
    phone.goto(f"{home}book/{known['service']}/")
    assert later(phone, known)

    # a reward is taken on the phone and handed over by its code, once
    phone.goto(f"{home}member/rewards/")
    phone.locator("details", has_text="I would like this").first.locator("summary").click()
    send(phone, phone.get_by_role("button", name=re.compile("Take it for")))
    code = phone.locator(".cl-p-code").inner_text()
    for _try in range(2):
        desk.goto("/membership/rewards/desk/")
        desk.fill("input[name=code]", code)
        send(desk, desk.get_by_role("button", name="Look up"))
        if desk.get_by_role("button", name="Hand over").count():
            send(desk, desk.get_by_role("button", name="Hand over"))
    expect(desk.locator("main")).not_to_contain_text("Hand over")
    until(desk, own_page, r"\b30\b")

    # half of the money goes back, and what it had earned with it
    desk.goto(f"{payment}refund/")
    desk.fill("input[name=amount]", "600")
    desk.locator("main input[name=reason]").last.check()
    desk.fill("main [name=note]", "療程減半")
    send(desk, desk.locator("main form button.btn-danger, main form button.btn-primary").last)
    until(desk, own_page, r"−30")

    # the family shares points: the spouse signs too
    family = desk.locator("main a[href*='/membership/points/'][href$='/family/']").first.get_attribute("href") or ""
    desk.goto(f"{family}begin/")
    signs(desk)
    desk.goto(f"{family}invite/")
    signs(desk)
    desk.goto(f"/patients/{spouse['patient']}/membership/")
    theirs = desk.locator("main a[href*='/membership/points/'][href$='/family/']").first.get_attribute("href") or ""
    desk.goto(f"{theirs}answer/")
    signs(desk)
    desk.goto(family)
    for name in (member["name"], spouse["name"]):
        expect(desk.locator("main table").first).to_contain_text(name)

    # birthday: the greeting comes, and a coupon with it
    owner.goto(f"/membership/greetings/{known['plan']}/")
    send(owner, owner.get_by_role("button", name="Switch on"))
    expect(owner.get_by_role("button", name="Switch off")).to_be_visible()
    morning(installation, known["organization"])
    phones.newest(member, having="生日")
    phone.goto(f"{home}member/rewards/")
    expect(phone.locator("main")).to_contain_text("生日小禮")

    # a friend comes with the member's code, is seen, and the member is thanked
    phone.goto(f"{home}member/referral/")
    invitation = phone.locator("main h1 code, main .h1 code").inner_text()
    desk.goto(f"/membership/referrals/of/{friend['patient']}/")
    desk.fill("main input[name=code]", invitation)
    agree(desk)
    send(desk, desk.get_by_role("button", name="Note it"))
    seen_by_the_console(desk, known["today"])
    until(desk, "/membership/referrals/", friend["name"])
    until(desk, own_page, r"\+40")

    # the draw: opened, closed, drawn, and computed again by whoever looks
    draw = f"/membership/draws/{known['draw']}/"
    for step in ("open", "close", "draw"):
        owner.goto(f"{draw}{step}/")
        send(owner, owner.locator("main form button.btn-primary, main form button.btn-danger").last)
    owner.goto(draw)
    shown = owner.get_by_role("link", name="The page that shows it").get_attribute("href") or ""
    stranger = open_as().new_page()
    stranger.goto(urlsplit(shown).path)
    stranger.get_by_role("button", name="Compute it again here").click()
    expect(stranger.locator("main .cl-badge.is-success")).to_have_count(3)
    expect(stranger.locator("main")).not_to_contain_text(member["name"])

    # under profile TW the same rules are judged: what is stopped, why, and how somebody signs it off
    owner.goto("/settings/legal/")
    owner.locator("input[name=legal_profile][value=TW]").check()
    send(owner, owner.get_by_role("button", name="Save"))
    owner.goto("/membership/guard/")
    expect(owner.locator("main [role=alert]")).to_contain_text("自費每百元")
    phone.goto(f"{home}member/rewards/")
    expect(phone.locator("main")).not_to_contain_text("Take it for")

    officer = open_as("walk_privacy_officer").new_page()
    officer.goto("/membership/guard/")
    officer.locator("main table a", has_text="參加講座").click()
    expect(officer.locator("main")).to_contain_text("醫療法")
    officer.get_by_role("link", name="Sign off").first.click()
    officer.fill("main [name=reason]", "法務意見書 115-03：僅限會員，與就醫無關")
    send(officer, officer.get_by_role("button", name="Sign off"))
    expect(officer.locator("main")).to_contain_text("走訪個資長")
    officer.goto("/membership/guard/")
    expect(officer.locator("main [role=alert]")).not_to_contain_text("參加講座")
    expect(officer.locator("main [role=alert]")).to_contain_text("自費每百元")


def morning(installation: Installation, organization: str) -> None:
    """Let the daily round come now, whatever the hour of the test is."""
    installation.run("-m", "tests.browser.morning", organization)


def signs(page: Page) -> None:
    """Choose whoever is offered, and say that the paper was signed."""
    for name in dict.fromkeys(one.get_attribute("name") for one in page.locator("main input[type=radio]").all()):
        page.locator(f"main input[name={name}]").first.check()
    for choice in page.locator("main form select").all():
        choice.select_option(index=choice.locator("option").count() - 1)
    agree(page)
    send(page, page.locator("main form button.btn-primary, main form button.btn-danger").last)


def agree(page: Page) -> None:
    for box in page.locator("main form input[type=checkbox]").all():
        box.check()


def seen_by_the_console(page: Page, session: str) -> None:
    """Call the next one, unless the one before was ended by calling them; begin; end."""
    page.goto(f"/queue/{session}/console/")
    ended = False
    while not ended:
        ended = "Finish" in page.locator("[data-hotkey=F8]").inner_text()
        with page.expect_navigation():
            page.keyboard.press("F8")


def later(page: Page, known: dict[str, Any]) -> bool:
    """Whether the day beyond the ordinary window is offered."""
    return page.locator(f"button[name=place][value*='{known['later']}']").count() > 0


def paid(desk: Page, phone: Page, known: dict[str, Any]) -> str:
    """Ask for the service's price at the desk and pay it on the phone; return the address of the payment."""
    desk.goto(f"/payments/new/?appointment={known['booked']['member']}")
    send(desk, desk.get_by_role("button", name="Ask for it"))
    link = desk.locator("aside a[href*='/p/y/']").get_attribute("href") or ""
    address = urlsplit(desk.url).path
    phone.goto(urlsplit(link).path)
    for _page in ("what is to be paid", "on the way to the provider", "the provider's own"):
        send(phone, phone.locator("main button.btn-primary").first)
    expect(phone.locator("main")).to_contain_text("Paid, thank you.")
    return address

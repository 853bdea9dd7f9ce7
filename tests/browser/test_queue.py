"""A morning in the waiting room, in real browsers: called at the console, seen on the television and on the phone."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import sign_in
from tests.browser.installation import Installation


def test_called_at_the_console_seen_and_heard_on_the_television_and_on_the_phone(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    known = installation.known
    phone = open_as(size="phone").new_page()
    phone.goto(known["number"])
    expect(phone.locator("[data-put=number]")).to_have_text("3")
    television = open_as()
    television.add_init_script(
        "window.said = []; speechSynthesis.speak = (words) => window.said.push([words.text, words.lang])"
    )
    screen = television.new_page()
    screen.goto(known["tv"])
    screen.get_by_role("button", name="開啟語音與全螢幕").click()
    expect(screen.locator(".js-sound")).to_be_hidden()

    desk = open_as("owner", language="zh-hant").new_page()
    desk.goto(f"/queue/{known['queue_session']}/console/")
    desk.keyboard.press("F8")  # is here: begin
    expect(desk.get_by_role("button", name="完成，叫下一位")).to_be_focused()
    desk.keyboard.press("Enter")  # the one button has the focus
    expect(desk.get_by_role("button", name="再叫一次")).to_be_visible()

    expect(screen.locator(".cl-tv-now.is-called strong")).to_have_text("2")
    expect(screen.locator(".cl-tv-now.is-called span")).to_contain_text("○")
    screen.wait_for_function("window.said.length >= 2")
    assert screen.evaluate("window.said[0]") == ["來賓 2 號，請到測試診間。", "zh-TW"]
    expect(phone.locator("[data-put=now_text]")).to_have_text("2")
    expect(phone.locator("[data-put=headline]")).to_have_text("下一位就是您。")

    desk.keyboard.press("F7")  # not here
    expect(screen.locator(".cl-tv-now.is-called")).to_have_count(0)
    desk.keyboard.press("F8")  # call next
    expect(phone.locator(".cl-number.is-called [data-put=headline]")).to_contain_text("請到 測試診間")


def test_the_television_comes_back_by_itself(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    context = open_as()
    page = context.new_page()
    page.goto(installation.known["tv"])
    context.set_offline(True)
    expect(page.locator(".cl-tv-offline")).to_be_visible()
    context.set_offline(False)
    expect(page.locator(".cl-tv-offline")).to_be_hidden(timeout=40_000)


def test_the_queue_is_run_without_javascript(
    installation: Installation, open_as: Callable[..., BrowserContext]
) -> None:
    known = installation.known
    page = open_as(java_script_enabled=False, language="zh-hant").new_page()
    sign_in(page, installation, "front_desk")
    page.goto(f"/queue/{known['queue_session']}/")
    page.locator(".cl-queue-expected").get_by_role("button", name="報到").first.click()
    expect(page.locator("body")).to_contain_text("號已報到")
    page.goto(known["number"])
    expect(page.locator("[data-put=number]")).to_have_text("3")

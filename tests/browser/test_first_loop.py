"""The first full loop, walked by the front desk in a real browser: records in, patients reached, an answer back."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from conftest import SHARED
from tests.browser.conftest import sign_in
from tests.browser.installation import Installation
from tests.browser.steps import SOON, send

ARCHIVE = SHARED / "data" / "synthea" / "pair-fhir-r4.tar.xz"


@pytest.mark.timeout(600)
def test_real_records_come_in_the_right_patients_are_reached_and_the_answer_comes_back(
    installation: Installation, open_as: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    page = open_as().new_page()
    sign_in(page, installation, "front_desk")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    archive, name = (ARCHIVE, "Herman763") if ARCHIVE.exists() else (small_archive(tmp_path), "Huels")
    import_archive(page, archive)
    look_at_patient(page, name)
    newcomer = register(page, name="程雅文", email="yawen@patient.example", tag=installation.known["tag"])
    before = funnel(page)
    build_segment(page, name="秋季回診名單", tag=installation.known["tag"], size=3)
    # the demo's own journeys send theirs at their hours, so only what is new counts, and only to whom the recall goes
    line_id = installation.known["line_id"]
    mails, pushes = installation.mailed(), installation.pushed_to(line_id)
    journey = start_recall(page, segment="秋季回診名單", entering=3)

    # the e-mail and LINE leave this installation; the text message lands on the sandbox phone
    until(page, lambda: installation.mailed() > mails)
    until(page, lambda: installation.pushed_to(line_id) > pushes)
    answer_on_phone(page, "劉秀英", "請打給我")

    see_what_the_answer_moved(page, journey, "劉秀英")
    work_off_follow_up(page, "劉秀英")
    record_visit(page, newcomer)
    see_the_funnel_move(page, before)


def import_archive(page: Page, archive: Path) -> None:
    """Upload, look at a dry run, import, and watch it to the end."""
    page.goto("/imports/")
    page.get_by_role("link", name="New import").first.click()
    page.get_by_label("File").set_input_files(str(archive))
    page.get_by_label("Source").fill("synthea")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Dry run: check everything, write nothing").click()
    done(page)
    expect(page.get_by_text("Nothing was written. This is what the import would do:")).to_be_visible()
    would = created(page)
    page.get_by_role("button", name="Import now").click()
    done(page)
    expect(page.get_by_text("Nothing was written.")).to_have_count(0)
    assert created(page) == would


def done(page: Page) -> None:
    """Wait until the live progress says so and the numbers below have followed."""
    expect(page.locator(".cl-progress.is-done")).to_be_visible(timeout=90_000)
    page.reload()


def created(page: Page) -> str:
    return page.locator(".cl-stats").inner_text()


def small_archive(folder: Path) -> Path:
    """A FHIR Bundle with one patient and one visit, where the shared archive is not on this machine."""
    patient, visit = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    bundle = {
        "resourceType": "Bundle", "type": "transaction",
        "entry": [
            {"fullUrl": patient, "resource": {
                "resourceType": "Patient", "id": patient[9:], "gender": "female", "birthDate": "1961-04-02",
                "name": [{"use": "official", "family": "Huels", "given": ["Ada"]}]}},
            {"fullUrl": visit, "resource": {
                "resourceType": "Encounter", "id": visit[9:], "status": "finished", "class": {"code": "AMB"},
                "subject": {"reference": patient}, "period": {"start": "2024-05-02T09:00:00+08:00", "end": "2024-05-02T09:20:00+08:00"}}},
        ],
    }  # fmt: skip
    path, content = folder / "small-fhir.tar.xz", json.dumps(bundle).encode()
    with tarfile.open(path, "w:xz") as archive:
        member = tarfile.TarInfo("fhir/ada.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def look_at_patient(page: Page, name: str) -> None:
    """One person, one page: name, visits and timeline."""
    page.goto("/patients/")
    page.get_by_label("Name, number or birth date").fill(name)
    page.locator("#patient-list").get_by_role("link", name=name).first.click()
    expect(page.locator("h1")).to_contain_text(name)
    part(page, "Visits")
    expect(page.locator("#patient-body tbody tr").first).to_be_visible()
    part(page, "Timeline")
    expect(page.locator("#patient-timeline .cl-timeline-item").first).to_be_visible()


def part(page: Page, name: str) -> None:
    page.locator("#patient-body .cl-tabs").get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#patient-body .cl-tabs a[aria-current=page]")).to_have_text(name)


def register(page: Page, *, name: str, email: str, tag: str) -> str:
    """Register somebody who has nothing but an e-mail address; return the address of their page."""
    page.goto("/patients/")
    page.get_by_role("link", name="Register a patient").first.click()
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=email]").fill(email)
    page.get_by_label("was shown to the patient now").check()
    page.locator("input[name=marketing][value=email]").check()
    page.get_by_role("button", name="Register").click()
    expect(page.locator("h1")).to_contain_text(name)
    address = page.url
    page.get_by_role("link", name="Tag", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").or_(dialog.get_by_role("combobox")).first.fill(tag)
    dialog.locator("button.btn-primary").click()
    expect(page.locator(".cl-patient-marks")).to_contain_text(tag)
    return address


def build_segment(page: Page, *, name: str, tag: str, size: int) -> None:
    """Build the rule; the number at the side follows; the list keeps it."""
    page.goto("/segments/")
    send(page, page.get_by_role("link", name="New segment").first)
    page.get_by_label("Name", exact=True).fill(name)
    if not page.locator("select[name^='f:']").count():
        page.get_by_role("button", name="Condition").first.click()
    page.locator("select[name^='f:']").first.select_option("tags")
    page.locator(".seg-choices").get_by_label(tag).check()
    expect(page.locator("#segment-preview .seg-number strong")).to_have_text(str(size))
    expect(page.locator("#segment-preview .seg-sample li")).to_have_count(size)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text(name)
    expect(page.locator(".cl-stats").first).to_contain_text(str(size))


def start_recall(page: Page, *, segment: str, entering: int) -> str:
    """Take the recall from the library, point it at the segment, look at the numbers, start it; return its address."""
    page.goto("/journeys/library/")
    page.locator("li.card", has_text="Recall of overdue care").get_by_role("button", name="Make a draft of it").click()
    expect(page.locator("h1")).to_contain_text("draft")
    journey = page.url
    page.locator("main").get_by_role("link", name="Change", exact=True).first.click()
    page.locator("select[name=segment]").select_option(label=segment)
    page.locator("input[name=hold_out_percent]").fill("0")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Start", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("dl, table").first).to_contain_text(str(entering))
    dialog.get_by_role("button", name="Start the journey").click()
    expect(page.get_by_text(f"The journey runs. {entering} patients have entered.")).to_be_visible()
    return journey


def until(page: Page, so: Callable[[], bool]) -> None:
    """Wait for what happens outside the browser."""
    for _attempt in range(SOON // 200):
        if so():
            return
        page.wait_for_timeout(200)
    raise AssertionError("it did not happen in time")


def answer_on_phone(page: Page, name: str, words: str) -> None:
    """Open the patient's sandbox phone, find the clinic's text message, and answer it."""
    page.goto("/messages/phones/")
    page.get_by_label("Patient", exact=True).fill(name)
    page.locator("#phone-list").get_by_role("link", name=name).click()
    page.locator(".cl-phone-apps").get_by_role("link", name="SMS").click()
    thread = page.locator("#phone-thread")
    expect(thread.get_by_text("您的定期檢查時間到了")).to_be_visible(timeout=SOON)
    tap = thread.get_by_role("button", name=words)
    if tap.count():
        tap.last.click()
    else:
        page.get_by_label("Write as the patient").fill(words)
        page.get_by_role("button", name="Send").click()
    expect(thread.locator(".is-patient").last).to_contain_text(words)


def see_what_the_answer_moved(page: Page, journey: str, name: str) -> None:
    """The journey's page of the patient says how it went on; the patient's timeline has the answer."""
    page.goto(f"{journey}patients/")
    page.locator("#enrollment-list").get_by_role("link", name=name).click()
    again_until(page, page.locator("h1 .cl-badge"), "finished")
    expect(page.locator(".cl-kv")).to_contain_text("call", ignore_case=True)
    page.get_by_role("link", name="Patient’s page").click()
    part(page, "Timeline")
    again_until(page, page.locator("#patient-timeline"), "The patient answered: Please call me")


def again_until(page: Page, place: Locator, text: str) -> None:
    """Reload until readers and worker have caught up."""
    for _attempt in range(SOON // 500):
        if text.casefold() in place.first.inner_text().casefold():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(place.first).to_contain_text(text, ignore_case=True)


def work_off_follow_up(page: Page, name: str) -> None:
    """The patient who asked for a call is on the worklist; the call is made and its outcome saved."""
    page.goto("/follow-ups/")
    row = page.locator("main tbody tr", has_text=name).filter(has_text="請我們回電").first
    send(page, row.locator("th a").first)
    follow_up = page.url
    page.get_by_label("Reached", exact=False).first.check()
    send(page, page.get_by_role("button", name="Save the outcome"))
    page.goto(follow_up)
    expect(page.get_by_role("heading", name="What came of it")).to_be_visible()


def record_visit(page: Page, patient: str) -> None:
    page.goto(patient)
    page.get_by_role("link", name="Record a visit").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Department").fill("家醫科")
    dialog.locator("button.btn-primary").click()
    expect(dialog).to_be_hidden()
    page.goto(f"{patient}visits/")
    expect(page.locator("#patient-body tbody")).to_contain_text("家醫科")


def funnel(page: Page) -> list[int]:
    """The counts of the report's two funnels."""
    page.goto("/reports/")
    return [int(text.split()[0].replace(",", "")) for text in page.locator(".cl-funnel-value").all_inner_texts()]


def see_the_funnel_move(page: Page, before: list[int]) -> None:
    """More messages planned, sent and answered, and more patients who came, than before."""
    for _attempt in range(SOON // 500):
        after = funnel(page)
        if len(after) == len(before) and all(now > then for now, then in zip(after, before, strict=True)):
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"the funnel stands still: {before} → {funnel(page)}")

"""The pages of the newsletter: write, check, look at the numbers, send once."""

from datetime import UTC, datetime

import pytest

from careloop.loyalty.models import NewsletterIssue
from careloop.loyalty.tests.make import member, open_one
from careloop.messaging.models import Message
from careloop.messaging.tests.support import account as channel

DATA = {
    "title": "三月號", "topics": [], "subject_zh_hant": "少鹽的日常",
    "text_zh_hant": "{{ greeting }}，每天少一小匙鹽。資料來源：國民健康署，2026-03-01。",
}  # fmt: skip


@pytest.fixture
def boss(organization, client_for):
    channel("line", now=datetime.now(UTC))
    open_one()
    for n in range(3):
        member(name=f"會員{n}", line=f"U{n:032x}")
    return client_for("owner")


def written(browser, **more):
    answer = browser.post("/membership/newsletters/new/", {**DATA, **more})
    assert answer.status_code == 303, answer.content.decode()[-3000:]
    return answer["Location"]


def version():
    return {"version": NewsletterIssue.objects.get().version}


def test_from_words_to_readers(boss):
    url = written(boss)
    assert boss.post(f"{url}check/", version()).status_code == 303
    page = boss.get(url).content.decode()
    assert "Who gets it" in page
    assert "education" in page
    assert ">3<" in boss.get(f"{url}send/").content.decode()

    sending = version()
    assert boss.post(f"{url}send/", sending).status_code == 303
    boss.post(f"{url}send/", sending)

    assert Message.objects.filter(origin="newsletter").count() == 3
    assert "Who got it" in boss.get(url).content.decode()
    assert "三月號" in boss.get("/membership/newsletters/").content.decode()


def test_fined_words_are_refused_with_the_rule(boss):
    url = written(boss, text_zh_hant="{{ greeting }}，週年慶看診就送精美好禮！")

    answer = boss.post(f"{url}check/", version())

    assert answer.status_code in (409, 422)
    assert "cannot be sent" in answer.content.decode() or "Stopped by rule" in answer.content.decode()
    assert not Message.objects.exists()


def test_a_language_needs_both_parts_and_a_draft_can_be_thrown_away(boss):
    answer = boss.post("/membership/newsletters/new/", {**DATA, "subject_en": "Less salt"})
    assert answer.status_code == 422
    url = written(boss)
    assert boss.post(f"{url}delete/").status_code == 303
    assert not NewsletterIssue.objects.exists()


def test_who_only_looks_sends_nothing(boss, client_for):
    url = written(boss)
    reader = client_for("front_desk")

    assert reader.get(url).status_code == 200
    assert reader.post(f"{url}check/", version()).status_code == 403

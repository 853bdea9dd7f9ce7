"""The guard's pages: what is stopped and why, signing off, taking back, trying a text, the inspector's report."""

import csv
import hashlib
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from careloop.loyalty.draw import draws
from careloop.loyalty.tests.make import open_one
from careloop.policy.models import PolicySignOff

PRIZES = [{"name": "電子血壓計", "count": 1, "gives": "GOODS", "value": 1800}]


@pytest.fixture
def draw(organization, now):
    return draws.prepare(programme_id=open_one().pk, values={"name": "春季衛教抽籤"}, prizes=PRIZES, now=now)


def test_everything_guarded_is_listed_with_both_verdicts_and_why(client_for, draw, django_assert_max_num_queries):
    client = client_for("privacy_officer")

    with django_assert_max_num_queries(45):
        page = client.get(reverse("guard:home"))

    text = page.content.decode()
    assert "春季衛教抽籤" in text
    assert "Needs sign-off" in text
    assert "Not allowed" in text
    assert "S1-D" in text


def test_an_approver_signs_with_reason_and_document_and_takes_it_back(client_for, draw):
    client = client_for("privacy_officer")
    where = reverse("guard:sign", args=["draw", draw.pk, "one"])
    shown = client.get(where)
    letter = SimpleUploadedFile("律師意見.pdf", b"%PDF opinion", content_type="application/pdf")

    signed = client.post(
        where,
        {"fingerprint": shown.context["form"].initial["fingerprint"], "reason": "僅限會員，未對外宣傳", "document": "法字第12號", "file": letter},
    )  # fmt: skip

    assert signed.status_code == 303
    row = PolicySignOff.objects.get()
    assert (row.document, row.approver) == ("法字第12號 · 律師意見.pdf", client.user)
    assert bytes(row.document_hash) == hashlib.sha256(b"%PDF opinion").digest()
    assert "法字第12號" in client.get(reverse("guard:item", args=["draw", draw.pk])).content.decode()

    taken = client.post(reverse("guard:withdraw", args=[row.pk]), {"reason": "衛生局來函要求停止"})
    assert taken.status_code == 303
    text = client.get(reverse("guard:report")).content.decode()
    assert "衛生局來函要求停止" in text
    assert client.post(reverse("guard:withdraw", args=[row.pk]), {"reason": "再一次收回"}).status_code == 422


def test_what_nobody_can_sign_offers_no_form(client_for, organization, now):
    care = draws.prepare(
        programme_id=open_one().pk, values={"name": "全身健檢"},
        prizes=[{"name": "健檢一次", "count": 1, "gives": "CARE", "value": 9000}], now=now,
    )  # fmt: skip

    page = client_for("privacy_officer").get(reverse("guard:sign", args=["draw", care.pk, "one"])).content.decode()

    assert "Nobody can sign this off." in page
    assert 'name="reason"' not in page


def test_what_was_changed_meanwhile_is_not_signed(client_for, draw, now):
    client = client_for("privacy_officer")
    where = reverse("guard:sign", args=["draw", draw.pk, "one"])
    fingerprint = client.get(where).context["form"].initial["fingerprint"]
    draws.prepare(
        programme_id=draw.programme_id, values={"name": "春季衛教抽籤（加碼）"}, prizes=PRIZES, now=now, draw_id=draw.pk
    )

    answer = client.post(where, {"fingerprint": fingerprint, "reason": "僅限會員，未對外宣傳"})

    assert answer.status_code == 422
    assert not PolicySignOff.objects.exists()


def test_the_public_form_cannot_be_signed(client_for, draw):
    client = client_for("privacy_officer")
    where = reverse("guard:sign", args=["draw", draw.pk, "public"])
    fingerprint = client.get(where).context["form"].initial["fingerprint"]

    answer = client.post(where, {"fingerprint": fingerprint, "reason": "僅限會員，未對外宣傳"})

    assert answer.status_code == 422
    assert "S1-D" in answer.content.decode()


def test_others_may_look_and_not_sign(client_for, draw):
    marketer = client_for("marketing")

    assert marketer.get(reverse("guard:home")).status_code == 200
    assert marketer.get(reverse("guard:sign", args=["draw", draw.pk, "one"])).status_code == 403
    assert client_for("nurse").get(reverse("guard:home")).status_code == 403


def test_a_text_is_tried_in_both_forms(client_for, organization):
    client = client_for("marketing")

    text = client.post(reverse("guard:try"), {"text": "推薦親友看診，雙方各送200元"}).content.decode()
    assert "S3" in text
    offer = client.post(reverse("guard:try"), {"text": "", "kind": "EARN_RULE", "earns_by": "NHI", "gives": "POINTS"})
    assert "S7" in offer.content.decode()
    assert client.post(reverse("guard:try"), {"text": ""}).status_code == 422


def test_the_report_is_saved_as_a_table(client_for, draw):
    client = client_for("privacy_officer")

    answer = client.get(reverse("guard:report_csv"))

    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    ours = [row for row in rows[1:] if row[1] == "春季衛教抽籤"]
    assert [row[6] for row in ours] == ["Needs sign-off", "Not allowed"]
    assert "醫療法第61條" in ours[0][8]

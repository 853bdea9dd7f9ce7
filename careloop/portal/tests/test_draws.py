"""Lucky draws on patients' pages: anyone computes one again where the law lets it be shown, a member finds the own ticket."""

import html
import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from careloop.accounts.models import Membership
from careloop.loyalty.draw import draws
from careloop.loyalty.models import DrawTicket
from careloop.loyalty.tests.make import member, open_one
from careloop.policy.services import sign_off_offer
from careloop.portal.tests.support import Phone, open_clinic, somebody

PRIZES = [
    {"name": "電子血壓計", "count": 1, "gives": "GOODS", "value": 1800},
    {"name": "保溫杯", "count": 1, "gives": "GOODS"},
]


def now():
    return datetime.now(UTC)


def drawn(programme):
    draw = draws.prepare(programme_id=programme.pk, values={"name": "春節抽籤"}, prizes=PRIZES, now=now())
    return lambda: _through(draw)


def _through(draw):
    draws.open_draw(draw_id=draw.pk, now=now(), by=None)
    draws.close_draw(draw_id=draw.pk, now=now(), by=None)
    return draws.draw_winners(draw_id=draw.pk, now=now(), by=None)


@pytest.fixture
def anywhere(organization):
    organization.legal_profile = "INTL"
    organization.save()
    return organization


def test_a_stranger_computes_it_again_with_the_script_and_the_file_of_the_page(anywhere, tmp_path):
    programme = open_one()
    for number in range(6):
        member(programme, name=f"王{number}明")
    draw = drawn(programme)()
    stranger = Phone(anywhere)

    page = stranger.sees(f"draws/{draw.pk}/")
    assert draw.seed in page
    assert draw.seed_hash in page
    assert not re.search("王.明", page)
    assert stranger.sees(f"draws/{draw.pk}/?check=1").count(">right<") == 3

    script = next(code for code in re.findall("<code>(.*?)</code>", page, re.DOTALL) if "import hashlib" in code)
    (tmp_path / "check.py").write_text(html.unescape(script), encoding="utf-8")
    (tmp_path / "draw.json").write_bytes(stranger.get(f"draws/{draw.pk}/draw.json").content)
    run = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "check.py"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr
    winner = json.loads((tmp_path / "draw.json").read_text(encoding="utf-8"))["winners"][0]
    assert " ".join(winner) in run.stdout


def test_before_the_drawing_the_page_shows_hashes_and_no_seed(anywhere):
    programme = open_one()
    member(programme)
    draw = draws.prepare(programme_id=programme.pk, values={"name": "春節抽籤"}, prizes=PRIZES, now=now())
    stranger = Phone(anywhere)
    assert stranger.get(f"draws/{draw.pk}/").status_code == 302, "a draft is nobody's business"
    draws.open_draw(draw_id=draw.pk, now=now(), by=None)
    draw = draws.close_draw(draw_id=draw.pk, now=now(), by=None)

    page = stranger.sees(f"draws/{draw.pk}/")

    assert draw.list_hash in page
    assert "published when the winners are drawn" in page
    assert stranger.get(f"draws/{draw.pk}/draw.json").json()["seed"] == ""


def test_in_taiwan_only_members_see_a_signed_draw_and_find_their_own_ticket(organization, member_of):
    open_clinic()
    programme = open_one()
    mine = member(programme, who=somebody())
    through = drawn(programme)
    from careloop.loyalty.models import Draw

    officer = Membership.objects.get(user=member_of("privacy_officer"))
    sign_off_offer(
        offer=Draw.objects.get().offer(),
        audience="one",
        organization=organization,
        reason="律師意見：僅限會員",
        by=officer,
        now=now(),
    )
    draw = through()
    assert "/sign-in/" in Phone(organization).get(f"draws/{draw.pk}/")["Location"]

    phone = Phone(organization).sign_in()
    ticket = DrawTicket.objects.get(account=mine).number

    assert ticket in phone.sees("member/draws/")
    page = phone.sees(f"draws/{draw.pk}/")
    assert "You have won" in page
    assert ticket in page


def test_whoever_is_no_member_does_not_see_it(organization, member_of):
    open_clinic()
    somebody()
    programme = open_one()
    member(programme)
    organization.legal_profile = "INTL"
    organization.save()
    draw = drawn(programme)()
    organization.legal_profile = "TW"
    organization.save()

    assert Phone(organization).sign_in().get(f"draws/{draw.pk}/").status_code == 404

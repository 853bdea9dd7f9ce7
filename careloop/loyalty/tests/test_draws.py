"""A lucky draw from the draft to the prize: everybody can compute it, nobody can bend it."""

import json
import random
import subprocess
import sys
from datetime import date, timedelta
from itertools import pairwise

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from careloop.events.models import Event
from careloop.loyalty import privacy
from careloop.loyalty.draw import draws, errors
from careloop.loyalty.draw import rules as draw_rules
from careloop.loyalty.draw.entries import would_take_part
from careloop.loyalty.draw.pages import computed_again, published, winners_for_staff
from careloop.loyalty.models import Draw, DrawPrize, DrawTicket, DrawWinner
from careloop.loyalty.points import ledger
from careloop.loyalty.tests.make import member, open_one
from careloop.policy.errors import OfferStopped

PRIZES = [
    {"name": "電子血壓計", "count": 1, "gives": "GOODS", "value": 1800},
    {"name": "100點", "count": 2, "gives": "POINTS", "points": 100},
]


@pytest.fixture
def anywhere(organization):
    """A clinic whose law stops no draw."""
    organization.legal_profile = "INTL"
    organization.save()
    return organization


@pytest.fixture
def programme(anywhere):
    return open_one()


def prepared(programme, now, prizes=PRIZES, **values) -> Draw:
    return draws.prepare(programme_id=programme.pk, values={"name": "新年抽獎", **values}, prizes=prizes, now=now)


def closed(programme, now, **values) -> Draw:
    draw = prepared(programme, now, **values)
    draws.open_draw(draw_id=draw.pk, now=now, by=None)
    return draws.close_draw(draw_id=draw.pk, now=now, by=None)


def drawn(programme, now, **values) -> Draw:
    return draws.draw_winners(draw_id=closed(programme, now, **values).pk, now=now, by=None)


# -- the way of a draw -------------------------------------------------------------------------------------------


def test_the_promises_come_before_the_seed(programme, now):
    members = [member(programme) for _ in range(5)]

    draw = prepared(programme, now)
    assert (draw.state, draw.seed_hash) == ("DRAFT", "")
    draw = draws.open_draw(draw_id=draw.pk, now=now, by=None)
    assert (draw.state, len(draw.seed_hash), draw.seed) == ("OPEN", 64, "")
    draw = draws.close_draw(draw_id=draw.pk, now=now, by=None)
    assert (draw.state, draw.tickets_count, draw.seed) == ("CLOSED", 5, "")
    assert draw.list_hash == draw_rules.hash_of(draw_rules.list_text(draws.tickets_of(draw.pk)))
    draw = draws.draw_winners(draw_id=draw.pk, now=now, by=None)

    assert draw_rules.hash_of(draw.seed) == draw.seed_hash
    assert [winner.prize.name for winner in draw.winners.order_by("place")] == ["電子血壓計", "100點", "100點"]
    assert {ticket.account_id for ticket in DrawTicket.objects.filter(draw=draw)} == {one.pk for one in members}


def test_the_script_of_the_page_finds_the_same_winners_and_notices_a_change(programme, now, tmp_path):
    for _ in range(8):
        member(programme)
    draw = drawn(programme, now)
    told = published(draw)
    (tmp_path / "check.py").write_text(draw_rules.script(), encoding="utf-8")
    assert len(draw_rules.script().splitlines()) <= 20

    def run(data) -> subprocess.CompletedProcess:
        (tmp_path / "draw.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-I", "-X", "utf8", "check.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )

    honest = run(told)
    assert honest.returncode == 0, honest.stderr
    for _prize, ticket in told["winners"]:
        assert ticket in honest.stdout
    for changed in (
        {"seed": "0" * 64},
        {"tickets": told["tickets"][1:]},
        {"winners": told["winners"][::-1]},
        {"outside_value": "7"},
    ):
        assert run({**told, **changed}).returncode == 1


def test_an_outside_number_enters_the_computation(programme, now):
    for _ in range(3):
        member(programme)
    draw = closed(programme, now, outside_source="大樂透第115000099期特別號")

    with pytest.raises(errors.OutsideValueNeeded, match="大樂透"):
        draws.draw_winners(draw_id=draw.pk, now=now, by=None)
    draw = draws.draw_winners(draw_id=draw.pk, outside_value="23", now=now, by=None)

    found = draw_rules.winners(draws.tickets_of(draw.pk), prizes=[1, 2], seed=draw.seed, outside="23")
    assert [ticket for _prize, ticket in found] == [ticket for _prize, ticket in published(draw)["winners"]]


def test_points_are_given_and_winners_told_once(programme, now):
    accounts = [member(programme) for _ in range(3)]
    draw = drawn(programme, now)
    again = draws.draw_winners(draw_id=draw.pk, now=now, by=None)

    assert again.seed == draw.seed
    assert DrawWinner.objects.count() == 3
    assert sorted(_balance(one) for one in accounts) == [0, 100, 100]
    assert Event.objects.filter(kind="loyalty.draw_won").count() == 3
    waiting = DrawWinner.objects.get(given_at=None)
    assert waiting.prize.name == "電子血壓計"
    first = draws.hand_over(draw_id=draw.pk, place=waiting.place, now=now, by=None).given_at
    assert draws.hand_over(draw_id=draw.pk, place=waiting.place, now=now + timedelta(days=1), by=None).given_at == first


def _balance(account) -> int:
    account.refresh_from_db()
    return account.balance


def test_every_step_twice_is_once_and_none_leads_back(programme, now):
    member(programme)
    draw = prepared(programme, now)
    with pytest.raises(errors.DrawMovedOn):
        draws.close_draw(draw_id=draw.pk, now=now, by=None)

    hashes = {draws.open_draw(draw_id=draw.pk, now=now, by=None).seed_hash for _ in "12"}
    assert len(hashes) == 1
    with pytest.raises(errors.DrawMovedOn):
        draws.prepare(programme_id=programme.pk, values={"name": "別的"}, prizes=PRIZES, now=now, draw_id=draw.pk)
    assert len({draws.close_draw(draw_id=draw.pk, now=now, by=None).list_hash for _ in "12"}) == 1
    assert draws.open_draw(draw_id=draw.pk, now=now, by=None).state == "CLOSED"


def test_a_lost_connection_in_the_middle_leaves_the_step_undone_and_the_seed_the_same(programme, now, monkeypatch):
    for _ in range(3):
        member(programme)
    draw = closed(programme, now)

    def lost(**_given):
        raise DatabaseError("the connection is gone")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "earn", lost)
        with pytest.raises(DatabaseError):
            draws.draw_winners(draw_id=draw.pk, now=now, by=None)
    draw.refresh_from_db()
    assert (draw.state, draw.seed, DrawWinner.objects.count()) == ("CLOSED", "", 0)

    draw = draws.draw_winners(draw_id=draw.pk, now=now, by=None)
    assert draw_rules.hash_of(draw.seed) == draw.seed_hash


def test_a_draw_needs_prizes_and_somebody_who_takes_part(programme, now):
    empty = prepared(programme, now, prizes=[])
    with pytest.raises(errors.DrawHasNoPrize):
        draws.open_draw(draw_id=empty.pk, now=now, by=None)
    lonely = prepared(programme, now)
    draws.open_draw(draw_id=lonely.pk, now=now, by=None)
    with pytest.raises(errors.NobodyTakesPart):
        draws.close_draw(draw_id=lonely.pk, now=now, by=None)


# -- what the database refuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "update loyalty_draw set seed_hash = repeat('0', 64)",
        "update loyalty_draw set seed_sealed = 'another'",
        "update loyalty_draw set name = 'another'",
        "update loyalty_draw set state = 'OPEN', list_hash = ''",
        "update loyalty_draw set list_hash = repeat('0', 64)",
        "update loyalty_draw set state = 'DRAWN', seed = repeat('0', 64)",
        "update loyalty_draw_prize set count = 3",
        "delete from loyalty_draw_prize",
        "insert into loyalty_draw_ticket (draw_id, account_id, number) select draw_id, account_id, 'mine-1' from loyalty_draw_ticket limit 1",
        "delete from loyalty_draw",
    ],
)
def test_what_was_promised_cannot_be_changed_in_the_database(programme, now, change):
    member(programme)
    closed(programme, now)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_tickets_cannot_be_taken_away_and_winners_not_exchanged(programme, now):
    for _ in range(4):
        member(programme)
    draw = drawn(programme, now)
    loser = DrawTicket.objects.exclude(pk__in=draw.winners.values("ticket")).get()

    with connection.cursor() as cursor:
        for right in ("UPDATE", "DELETE"):
            cursor.execute("select has_table_privilege(current_user, 'loyalty_draw_ticket', %s)", [right])
            assert cursor.fetchone() == (False,)
    with pytest.raises(IntegrityError), transaction.atomic():
        DrawWinner.objects.filter(draw=draw, place=1).update(ticket=loser)
    with pytest.raises(IntegrityError), transaction.atomic():
        DrawWinner.objects.create(draw=draw, place=9, prize=DrawPrize.objects.first(), ticket=loser)


# -- the demo clinic's --------------------------------------------------------------------------------------------


def test_only_a_demo_clinics_draws_come_out_the_same_every_time(programme, anywhere, now):
    for _ in range(5):
        member(programme)

    def again(seed=7):
        chance = random.Random(seed).randbytes
        draw = prepared(programme, now)
        draws.open_draw(draw_id=draw.pk, now=now, by=None, chance=chance)
        draws.close_draw(draw_id=draw.pk, now=now, by=None, chance=chance)
        return published(draws.draw_winners(draw_id=draw.pk, now=now, by=None))

    with pytest.raises(ValueError, match="demo"):
        again()
    anywhere.is_demo = True
    anywhere.save()

    assert again() == again()
    assert again()["tickets"] != again(8)["tickets"]


# -- what a patient is told, and who is erased --------------------------------------------------------------------


def test_a_patient_gets_the_own_tickets_and_what_they_won(programme, now):
    mine = member(programme)
    draw = drawn(programme, now)

    told = privacy.export(mine.patient_id)["draw_tickets"]

    assert [one["ticket"] for one in told] == draws.tickets_of(draw.pk)
    assert (told[0]["draw"], told[0]["won"]) == ("新年抽獎", "電子血壓計")


def test_erasing_takes_the_owner_off_the_tickets_and_everybody_computes_the_same_winners(programme, now):
    members = [member(programme) for _ in range(6)]
    draw = drawn(programme, now)
    before = published(draw)
    winner = DrawWinner.objects.select_related("ticket__account").get(draw=draw, place=1)

    privacy.erase(winner.ticket.account.patient_id)

    assert DrawTicket.objects.filter(draw=draw, account=None).count() == 1
    assert DrawTicket.objects.filter(account__in=members).count() == 5
    assert published(draw) == before
    assert computed_again(draw)["all_right"]
    assert len(winners_for_staff(draw.pk)) == 3
    assert draws.hand_over(draw_id=draw.pk, place=1, now=now, by=None).given_at == now


def test_who_is_erased_before_the_drawing_wins_nothing_and_nobody_else_wins_it(programme, now):
    members = [member(programme) for _ in range(3)]
    draw = closed(programme, now)
    for one in members:
        privacy.erase(one.patient_id)

    drew = draws.draw_winners(draw_id=draw.pk, now=now, by=None)

    assert computed_again(drew)["all_right"]
    assert DrawWinner.objects.filter(draw=draw).count() == 3
    assert not Event.objects.filter(kind="loyalty.draw_won").exists()


# -- who takes part -----------------------------------------------------------------------------------------------


def test_whoever_earned_enough_in_the_period_has_one_ticket(programme, now):
    keen, slow, late = (member(programme) for _ in range(3))
    for account, points, day in ((keen, 60, now), (slow, 10, now), (late, 60, now + timedelta(days=9))):
        ledger.earn(
            account_id=account.pk, points=points, key=str(account.pk), because=ledger.Because("EARN_RULE"), now=day, occurred_at=day
        )  # fmt: skip
    draw = prepared(programme, now, entry="POINTS", least_points=50, from_on=date(2026, 3, 1), to_on=date(2026, 3, 20))
    assert would_take_part(draw, zone="Asia/Taipei") == {"people": 1, "tickets": 1}
    draws.open_draw(draw_id=draw.pk, now=now, by=None)

    with pytest.raises(errors.DrawPeriodNotOver, match="2026-03-20"):
        draws.close_draw(draw_id=draw.pk, now=now, by=None)
    draws.close_draw(draw_id=draw.pk, now=now + timedelta(days=5), by=None)

    assert [ticket.account_id for ticket in DrawTicket.objects.all()] == [keen.pk]


def test_who_has_left_takes_no_part(programme, now):
    from careloop.loyalty.join import membership

    stays, leaves = member(programme), member(programme)
    membership.leave(account_id=leaves.pk, now=now, by=None)
    closed(programme, now)

    assert [ticket.account_id for ticket in DrawTicket.objects.all()] == [stays.pk]


# -- under the guard ----------------------------------------------------------------------------------------------


def test_a_draw_is_off_in_taiwan_until_somebody_signs_it_off(organization, member_of, now):
    from careloop.accounts.models import Membership
    from careloop.policy.services import sign_off_offer

    programme = open_one()
    member(programme)
    draw = prepared(programme, now)
    with pytest.raises(OfferStopped, match="S1-D"):
        draws.open_draw(draw_id=draw.pk, now=now, by=None)

    officer = Membership.objects.get(user=member_of("privacy_officer"))
    sign_off_offer(
        offer=draw.offer(), audience="one", organization=organization, reason="律師意見：僅限會員", by=officer, now=now
    )

    assert draws.open_draw(draw_id=draw.pk, now=now, by=None).state == "OPEN"
    assert draws.verdict_of(draw, now=now, audience="public").answer == "BLOCK"


# -- chances ------------------------------------------------------------------------------------------------------


def test_everybodys_chance_is_the_same():
    """2,000 draws of one prize among 20 tickets: chi-square with 19 degrees of freedom stays below its 99.9 % point."""
    tickets = [f"{draw_rules.hash_of(str(number))[:12]}-1" for number in range(20)]
    counts = dict.fromkeys(tickets, 0)
    for number in range(2000):
        ((_prize, ticket),) = draw_rules.winners(
            tickets, prizes=[1], seed=draw_rules.hash_of(f"seed {number}"), outside=""
        )
        counts[ticket] += 1

    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 43.8


def test_more_tickets_are_more_chances_but_one_prize():
    tickets = ["aa-1", "aa-2", "aa-3", "bb-1"]
    first = [
        draw_rules.winners(tickets, prizes=[1, 1], seed=draw_rules.hash_of(str(number)), outside="")
        for number in range(400)
    ]

    assert all({ticket[:2] for _prize, ticket in won} == {"aa", "bb"} for won in first)
    assert 260 < sum(won[0][1].startswith("aa") for won in first) < 340


def test_the_order_of_the_list_and_of_asking_does_not_matter():
    tickets = ["c-1", "a-1", "b-1"]
    found = [
        draw_rules.winners(order, prizes=[2], seed="s", outside="7")
        for order in (tickets, sorted(tickets), tickets[::-1])
    ]

    assert all(one == other for one, other in pairwise(found))

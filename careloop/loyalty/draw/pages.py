"""What everybody may see of a draw: hashes, tickets, seed and winners, without a name."""

from typing import Any
from uuid import UUID

from careloop.accounts.scope import at_home
from careloop.kernel import sql
from careloop.loyalty.draw import draws
from careloop.loyalty.draw import rules as draw_rules
from careloop.loyalty.models import Draw, DrawTicket

Row = dict[str, Any]


def published(draw: Draw) -> Row:
    """Return the file that the script reads: everything published so far, before the drawing without seed and winners."""
    return {
        "name": draw.name, "state": draw.state, "seed_hash": draw.seed_hash, "list_hash": draw.list_hash, "seed": draw.seed,
        "outside_source": draw.outside_source, "outside_value": draw.outside_value,
        "prizes": [{"name": prize.name, "count": prize.count} for prize in draw.prizes.all()],
        "tickets": draws.tickets_of(draw.pk) if draw.list_hash else [],
        "winners": [[row["prize"], row["ticket"]] for row in winners(draw.pk)],
    }  # fmt: skip


def winners(draw_id: UUID) -> list[Row]:
    """Return prize and ticket of each winner, in order."""
    return sql.rows(
        """select w.id, w.place, z.name as prize, t.number as ticket, w.given_at from loyalty_draw_winner w
             join loyalty_draw_prize z on z.id = w.prize_id join loyalty_draw_ticket t on t.id = w.ticket_id
            where w.draw_id = %s order by w.place""",
        [draw_id],
    )


def computed_again(draw: Draw) -> Row:
    """Compute everything from what is published, and say of each promise whether it was kept."""
    told = published(draw)
    found = draw_rules.winners(
        told["tickets"], prizes=[prize["count"] for prize in told["prizes"]], seed=draw.seed, outside=draw.outside_value
    )
    again = [[told["prizes"][prize]["name"], ticket] for prize, ticket in found]
    seed_hash, list_hash = draw_rules.hash_of(draw.seed), draw_rules.hash_of(draw_rules.list_text(told["tickets"]))
    return {
        "seed_hash": seed_hash, "seed_is_right": seed_hash == draw.seed_hash,
        "list_hash": list_hash, "list_is_right": list_hash == draw.list_hash,
        "winners": again, "winners_are_right": again == told["winners"],
        "all_right": seed_hash == draw.seed_hash and list_hash == draw.list_hash and again == told["winners"],
    }  # fmt: skip


def of_account(account_id: UUID) -> list[Row]:
    """Return the draws a member has tickets in, the newest first: the own tickets, and what they won."""
    return sql.rows(
        """select d.id, d.name, d.state, d.closed_at, d.drawn_at, array_agg(t.number order by t.id) as tickets,
                  array_agg(z.name order by w.place) filter (where z.id is not null) as won
             from loyalty_draw_ticket t join loyalty_draw d on d.id = t.draw_id
             left join loyalty_draw_winner w on w.ticket_id = t.id left join loyalty_draw_prize z on z.id = w.prize_id
            where t.account_id = %s group by d.id order by d.closed_at desc limit 50""",
        [account_id],
    )


def winners_for_staff(draw_id: UUID) -> list[Row]:
    """Return the winners with their patients, for handing prizes over; patients of other branches stay nameless."""
    here, limit = at_home("p.home_location_id")
    return sql.rows(
        f"""select w.id, w.place, z.name as prize, z.gives, t.number as ticket, w.given_at, p.id as patient_id, p.name as patient
              from loyalty_draw_winner w join loyalty_draw_prize z on z.id = w.prize_id join loyalty_draw_ticket t on t.id = w.ticket_id
              left join loyalty_account a on a.id = t.account_id left join patients_patient p on p.id = a.patient_id {here}
             where w.draw_id = %(draw)s order by w.place""",
        {"draw": draw_id, **limit},
    )


def listed(*, limit: int = 100) -> list[Draw]:
    """Return the draws, the newest first, with their prizes: two statements."""
    return list(Draw.objects.prefetch_related("prizes").select_related("programme").order_by("-created_at")[:limit])


def exported(patient_id: UUID) -> list[Row]:
    """Return a patient's tickets with draw, result and what came of them, for the export of their data."""
    return sql.rows(
        """select d.name as draw, d.state, t.number as ticket, d.closed_at, d.drawn_at, z.name as won, w.given_at
             from loyalty_draw_ticket t join loyalty_account a on a.id = t.account_id join loyalty_draw d on d.id = t.draw_id
             left join loyalty_draw_winner w on w.ticket_id = t.id left join loyalty_draw_prize z on z.id = w.prize_id
            where a.patient_id = %s order by d.closed_at, t.id""",
        [patient_id],
    )


def tickets_of_patient(draw_id: UUID, patient_id: UUID) -> list[str]:
    """Return one person's tickets in a draw."""
    rows = DrawTicket.objects.filter(draw_id=draw_id, account__patient_id=patient_id).order_by("id")
    return list(rows.values_list("number", flat=True))

"""What an account holds, what moved it, and what ends when."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from careloop.accounts.scope import at_home
from careloop.kernel import sql
from careloop.loyalty.points.words import reason_of


def balance_of(account_id: UUID) -> int:
    """Return the points an account can spend: the family's where it shares them."""
    return int(
        sql.value(
            """select coalesce(f.balance, a.balance) from loyalty_account a left join loyalty_account f on f.id = a.pool_id
                where a.id = %s""",
            [account_id],
        )
        or 0
    )


def entries_of(account_id: UUID, limit: int = 50, before: int | None = None) -> list[dict[str, Any]]:
    """Return the entries on a member's statement, the latest first, each with its reason in plain words.

    `points` is signed as the member sees it, `balance` what the account (the family's, while it is shared) held afterwards.

    Args:
        before: only entries older than this one.
    """
    return _told(
        """select e.*, case when e.from_member_id = e.to_member_id then 0 when e.from_member_id = %(account)s then -1 else 1 end as side
             from (select * from (select * from loyalty_entry where from_member_id = %(account)s and id < %(before)s
                                   order by id desc limit %(limit)s) as gave
                   union
                   select * from (select * from loyalty_entry where to_member_id = %(account)s and id < %(before)s
                                   order by id desc limit %(limit)s) as got) as e""",
        account_id, limit, before,
    )  # fmt: skip


def entries_of_pool(pool_id: UUID, limit: int = 50, before: int | None = None) -> list[dict[str, Any]]:
    """Return the entries of a family's account, the latest first, each with who brought or used the points."""
    return _told(
        """select distinct e.*, case when e.from_account_id = m.pool_id then -1 else 1 end as side
             from loyalty_pool_member m join loyalty_entry e on e.from_member_id = m.account_id or e.to_member_id = m.account_id
            where m.pool_id = %(account)s and m.pool_id in (e.from_account_id, e.to_account_id) and e.id < %(before)s""",
        pool_id, limit, before,
    )  # fmt: skip


def expiring(account_id: UUID, now: datetime) -> list[tuple[date, int]]:
    """Return what ends when: the last days and how many points can be spent until then, soonest first."""
    return [
        (row["expires_on"], int(row["points"])) for row in sql.rows(
            """select l.expires_on, sum(l."left") as points from loyalty_account a
                 join loyalty_lot l on l.account_id = coalesce(a.pool_id, a.id)
                where a.id = %s and l.is_open and l.expires_on >= loyalty_today(%s) group by 1 order by 1""",
            [account_id, now],
        )
    ]  # fmt: skip


def account(account_id: UUID) -> dict[str, Any] | None:
    """Return a member's account with its programme and family, if the patient is one whom the running member of staff sees."""
    limit, more = at_home("p.home_location_id")
    return sql.row(
        f"{_ACCOUNT} where a.id = %(account)s and a.kind = 'PATIENT'{limit}", {"account": account_id, **more}
    )


def accounts_of_patient(patient_id: UUID) -> list[dict[str, Any]]:
    """Return a patient's accounts with their programmes, the running ones first."""
    return sql.rows(
        f"{_ACCOUNT} where a.patient_id = %(patient)s order by a.state, a.joined_at desc", {"patient": patient_id}
    )


def exported(account_id: UUID) -> list[dict[str, Any]]:
    """Return a member's whole statement for the patient's copy of the data, the oldest entry first."""
    return [
        {"on": row["occurred_at"], "what": row["kind"], "points": row["points"], "balance": row["balance"], "because": row["because"],
         "said": row["note"] or "", "expires_on": row["expires_on"] if row["points"] > 0 else None}
        for row in reversed(entries_of(account_id, limit=1_000_000))
    ]  # fmt: skip


def erase_words(patient_id: UUID) -> int:
    """Take away what was said in words about a patient's entries; points and dates stay. Return how many."""
    return sql.execute(
        """delete from loyalty_entry_note n using loyalty_entry e, loyalty_account a
            where e.id = n.entry_id and a.patient_id = %s and a.id in (e.from_member_id, e.to_member_id)""",
        [patient_id],
    )


_ACCOUNT = """select a.id, a.patient_id, a.state, a.member_number, a.joined_at, a.pool_id, coalesce(f.balance, a.balance) as balance,
           p.name, p.birth_date, g.id as programme_id, g.name as programme, g.point_name, g.when_spent, g.allows_pools, g.allows_transfers
      from loyalty_account a join patients_patient p on p.id = a.patient_id join loyalty_programme g on g.id = a.programme_id
      left join loyalty_account f on f.id = a.pool_id"""


def _told(entries: str, account_id: UUID, limit: int, before: int | None) -> list[dict[str, Any]]:
    """Return the entries with what stands beside them. `side`: -1 the account gave, 1 it got, 0 its points only changed their place."""
    found = sql.rows(
        f"""select e.id, e.kind, e.side, e.points as moved, e.side * e.points as points, e.waived, e.key, e.reverses_id,
                   case when e.side < 0 then e.from_balance else e.to_balance end as balance,
                   e.because, e.because_ref, e.occurred_at, e.recorded_at, n.words as note, u.name as by_name, l.expires_on,
                   g.name as from_name, t.name as to_name, o.kind as of_kind, o.because as of_because, o.occurred_at as of_at, r.undone
              from ({entries}) as e
              left join loyalty_entry_note n on n.entry_id = e.id left join accounts_user u on u.id = e.recorded_by_id
              left join loyalty_account ga on ga.id = e.from_member_id left join patients_patient g on g.id = ga.patient_id
              left join loyalty_account ta on ta.id = e.to_member_id left join patients_patient t on t.id = ta.patient_id
              left join loyalty_entry o on o.id = e.reverses_id
              left join lateral (select max(x.expires_on) as expires_on from loyalty_lot x where x.earning_id = e.id) as l on true
              left join lateral (select coalesce(sum(x.points + x.waived), 0)::int as undone from loyalty_entry x
                                  where x.reverses_id = e.id) as r on true
             order by e.id desc limit %(limit)s""",
        {"account": account_id, "before": before or 2**62, "limit": limit},
    )
    return [{**row, "reason": reason_of(row)} for row in found]

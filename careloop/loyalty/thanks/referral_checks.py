"""What makes a referral odd: the member themself, the same household, staff, a circle, very many at once.

Nothing odd is dropped: it is held, with these reasons, until a person decides. Families do tell each other of a clinic.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.kernel import sql
from careloop.kernel.text import normalise
from careloop.patients import sealing
from careloop.patients.selectors import address_of
from careloop.tenancy.context import current_organization_id

REASONS: dict[str, str | Promise] = {
    "SAME_PERSON": _("The friend seems to be the member: same ID number, or same name and birth date."),
    "SAME_CONTACT": _("Both have the same phone or e-mail address."),
    "SAME_ADDRESS": _("Both live at the same address."),
    "RELATED": _("They belong to each other: family, guardian or carer."),
    "STAFF": _("One of them works here."),
    "CIRCLE": _(
        "The friend, or somebody the friend came through, was brought by this member before, or brought the member."
    ),
    "MANY": _("The member brought very many within 30 days."),
}
"""Why a referral is held, in words for staff."""
MANY_DAYS = 30
LONGEST_CHAIN = 12

_PAIR = """
with pair as (
    select a.id as a_id, b.id as b_id, a.name as a_name, b.name as b_name, a.birth_date as a_born, b.birth_date as b_born
      from patients_patient a cross join patients_patient b where a.id = %(referrer)s and b.id = %(friend)s
),
before as (
    with recursive chain(id, depth) as (
        select %(referrer)s::uuid, 0
        union
        select r.referrer_id, c.depth + 1 from chain c join loyalty_referral r on r.friend_id = c.id
         where c.depth < %(longest)s and r.state <> 'REFUSED'
    )
    select id from chain where depth > 0
)
select
    exists (select from patients_identifier i join patients_identifier k on k.value_index = i.value_index
             where i.patient_id = a_id and k.patient_id = b_id)
      or (a_born is not null and a_born = b_born and a_name = b_name) as same_person,
    exists (select from patients_contact_point c join patients_contact_point d on d.value_index = c.value_index and d.system = c.system
             where c.patient_id = a_id and d.patient_id = b_id) as same_contact,
    exists (select from patients_related_person r
             where (r.patient_id = a_id and (r.relative_id = b_id or (r.name = b_name and r.birth_date = b_born)))
                or (r.patient_id = b_id and (r.relative_id = a_id or (r.name = a_name and r.birth_date = a_born)))) as related,
    exists (select from patients_contact_point c
             where c.patient_id in (a_id, b_id) and c.system = 'email' and c.value_index = any(%(staff)s)) as staff,
    exists (select from before where id = %(friend)s) as circle,
    (select count(*) from loyalty_referral r
      where r.referrer_id = %(referrer)s and r.friend_id <> %(friend)s and r.made_at > %(since)s and r.state <> 'REFUSED') as recent
  from pair
"""


def reasons_of(*, referrer_id: UUID, friend_id: UUID, monthly_limit: int, now: datetime) -> list[str]:
    """Return what is odd about this pair: codes of `REASONS`, none for most. One statement, and the addresses opened."""
    organization_id = current_organization_id()
    emails = [row["email"] for row in sql.rows(_STAFF_EMAILS)]
    found = sql.row(
        _PAIR,
        {
            "referrer": referrer_id, "friend": friend_id, "since": now - timedelta(days=MANY_DAYS), "longest": LONGEST_CHAIN,
            "staff": [sealing.contact_index(organization_id, "email", one) for one in emails],
        },
    )  # fmt: skip
    if found is None:
        return []
    odd = {
        "SAME_PERSON": found["same_person"], "SAME_CONTACT": found["same_contact"],
        "SAME_ADDRESS": same_address(address_of(referrer_id), address_of(friend_id)), "RELATED": found["related"],
        "STAFF": found["staff"], "CIRCLE": found["circle"], "MANY": found["recent"] >= monthly_limit,
    }  # fmt: skip
    return [name for name, is_so in odd.items() if is_so]


_STAFF_EMAILS = """select lower(u.email) as email from accounts_membership m join accounts_user u on u.id = m.user_id where u.email <> ''"""


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are the same, however they are written.

    >>> same_address("臺北市大安區和平東路一段１號", "台北市大安區 和平東路一段1號"), same_address("", ""), same_address("台北市", "台北市")
    (True, False, False)
    """
    first, second = _plain(one), _plain(other)
    # a city alone is shared by half the patients
    return len(first) > SHORTEST_ADDRESS and first == second


SHORTEST_ADDRESS = 6


def _plain(address: str) -> str:
    return "".join(normalise(address).split()).replace("臺", "台").casefold()


def sentences_of(reasons: Iterable[str]) -> list[str]:
    """Return the reasons in words; an unknown code is shown as it is."""
    return [str(REASONS.get(one, one)) for one in reasons]


def is_new_here(*, registered: date | None, first_visit: date | None, today: date, claim_days: int) -> bool:
    """Whether somebody is new enough to say who sent them: registered lately, and not seen before that.

    >>> day = date(2026, 3, 16)
    >>> is_new_here(registered=day, first_visit=None, today=day, claim_days=30)
    True
    >>> is_new_here(registered=day, first_visit=date(2024, 1, 1), today=day, claim_days=30)
    False
    >>> is_new_here(registered=date(2026, 1, 1), first_visit=None, today=day, claim_days=30)
    False
    """
    earliest = today - timedelta(days=claim_days)
    return (registered is None or registered >= earliest) and (first_visit is None or first_visit >= earliest)

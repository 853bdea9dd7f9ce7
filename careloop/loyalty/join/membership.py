"""Joining a programme and leaving it, and whose account is whose."""

import hashlib
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.loyalty import errors
from careloop.loyalty.events import MemberJoined, MemberLeft
from careloop.loyalty.join.numbers import check_digit, is_member_number
from careloop.loyalty.join.programme import open_programme as open_programme
from careloop.loyalty.join.programme import programme_for as programme_for
from careloop.loyalty.models import Account, Programme, Terms
from careloop.tenancy.context import current_organization_id

HOW = ("DESK", "PORTAL", "LINE", "REFERRAL", "IMPORT")
NUMBER_DIGITS = 8
Row = dict[str, Any]

_CARD = signing.Signer(salt="careloop.loyalty.card")
CARD_LETTERS = 10

# the account that counts for a patient: open before closed programmes, one's own branch before the organization's
_OF_PATIENTS = """
    select distinct on (a.patient_id) a.id, a.patient_id, a.programme_id, a.member_number, a.balance, a.state, a.joined_at, a.joined_how,
           a.pool_id, a.version, m.name as programme, m.point_name, m.location_id, m.state as programme_state, m.allows_pools,
           m.allows_transfers
      from loyalty_account a join loyalty_programme m on m.id = a.programme_id join patients_patient p on p.id = a.patient_id
     where a.patient_id = any(%s::uuid[]) and a.kind = 'PATIENT' and a.state = 'ACTIVE'
     order by a.patient_id, (m.state = 'OPEN') desc, (m.location_id = p.home_location_id) is true desc, (m.location_id is null) desc,
              a.joined_at desc, a.id
"""


@transaction.atomic
def join(*, patient_id: UUID, programme_id: UUID, how: str, now: datetime, by: UUID | None) -> Account:
    """Make a patient a member, who has read and accepted the programme's terms; again changes nothing.

    Who left and comes back keeps number and points.

    Args:
        how: one of `HOW`.

    Raises:
        UnknownProgramme, ProgrammeNotOpen, PatientCannotJoin.
    """
    programme = Programme.objects.filter(pk=programme_id).first()
    if programme is None:
        raise errors.UnknownProgramme
    if programme.state != Programme.State.OPEN:
        raise errors.ProgrammeNotOpen
    if not sql.value(
        "select 1 from patients_patient where id = %s and active and not deceased and merged_into_id is null",
        [patient_id],
    ):
        raise errors.PatientCannotJoin
    account = _account(patient_id, programme_id) or _new_account(patient_id, programme_id, now=now)
    if account.joined_how and account.state == Account.State.ACTIVE:
        return account
    account.state, account.joined_at, account.left_at = Account.State.ACTIVE, now, None
    account.joined_how, account.joined_by_id, account.terms = how[:10], by, _terms_of(programme)
    account.version += 1
    account.save()
    audit.record(
        "member.joined", patients=[patient_id], target=("loyalty_account", account.pk), details={"how": how}, now=now
    )
    events.publish(
        MemberJoined(account.pk, programme.pk, how), patient_id=patient_id, now=now, source="staff" if by else how.lower()
    )  # fmt: skip
    return account


@transaction.atomic
def leave(*, account_id: UUID, now: datetime, by: UUID | None, reason: str = "") -> Account:
    """End a membership: nothing more is earned. The points stay with the account, for whoever comes back.

    Raises:
        NoMember.
    """
    account = Account.objects.select_for_update(no_key=True).filter(pk=account_id, kind=Account.Kind.PATIENT).first()
    if account is None or account.patient_id is None:
        raise errors.NoMember
    if account.state == Account.State.LEFT:
        return account
    account.state, account.left_at, account.version = Account.State.LEFT, now, account.version + 1
    account.save(update_fields=["state", "left_at", "version"])
    audit.record(
        "member.left", patients=[account.patient_id], target=("loyalty_account", account.pk), reason=reason, now=now
    )
    events.publish(
        MemberLeft(account.pk, account.programme_id), patient_id=account.patient_id, now=now, source="staff" if by else ""
    )  # fmt: skip
    return account


def account_of(patient_id: UUID) -> Row | None:
    """Return the patient's account in the programme that counts for them, or None: no member."""
    return accounts_of([patient_id]).get(patient_id)


def accounts_of(patient_ids: list[UUID]) -> dict[UUID, Row]:
    """Return the accounts that count, by patient; one statement for all."""
    return {row["patient_id"]: row for row in sql.rows(_OF_PATIENTS, [patient_ids])}


def may_join(patient_id: UUID) -> Programme | None:
    """Return the programme this patient could join: the one of the home branch; None when there is none, or a member already."""
    home = sql.row(
        "select home_location_id from patients_patient where id = %s and active and not deceased", [patient_id]
    )
    programme = programme_for(home["home_location_id"]) if home else None
    if programme is None or _active(patient_id, programme.pk):
        return None
    return programme


def is_offered_to(patient_id: UUID) -> bool:
    """Return whether there is a membership to show this patient: the own one, or one to join. One statement."""
    return bool(
        sql.value(
            """select exists (select 1 from loyalty_account where patient_id = %(patient)s and kind = 'PATIENT' and state = 'ACTIVE')
                   or exists (select 1 from loyalty_programme m join patients_patient p on p.id = %(patient)s
                               where m.state = 'OPEN' and (m.location_id is null or m.location_id = p.home_location_id))""",
            {"patient": patient_id},
        )
    )


def _active(patient_id: UUID, programme_id: UUID) -> bool:
    return Account.objects.filter(
        patient_id=patient_id, programme_id=programme_id, kind=Account.Kind.PATIENT, state=Account.State.ACTIVE
    ).exists()


def _account(patient_id: UUID, programme_id: UUID) -> Account | None:
    mine = Account.objects.filter(patient_id=patient_id, programme_id=programme_id, kind=Account.Kind.PATIENT)
    return mine.select_for_update(no_key=True).first()


def _new_account(patient_id: UUID, programme_id: UUID, *, now: datetime) -> Account:
    """An account with a number nobody has; a second desk that joins the same patient gets the first one's."""
    for _attempt in range(20):
        account = Account(
            patient_id=patient_id, programme_id=programme_id, kind=Account.Kind.PATIENT, joined_at=now,
            member_number=new_number(),
        )  # fmt: skip
        try:
            with transaction.atomic():
                account.save(force_insert=True)
        except IntegrityError:
            if found := _account(patient_id, programme_id):
                return found
            continue  # the number is somebody's
        return account
    raise RuntimeError("no free member number was found in twenty tries")


def new_number() -> str:
    """Return a member number: eight digits drawn at random, and one that checks them."""
    digits = "".join(secrets.choice("0123456789") for _digit in range(NUMBER_DIGITS))
    return digits + check_digit(digits)


def _terms_of(programme: Programme) -> Terms | None:
    digest = hashlib.sha256(programme.terms.encode()).digest()
    return Terms.objects.filter(programme=programme, text_hash=digest).first()


# -- the card --------------------------------------------------------------------------------------------


def card_code(member_number: str) -> str:
    """Return what stands in a card's QR code: the member number, and a signature that nobody else can write."""
    return f"{member_number}-{_signature(member_number)}"


def number_of_code(text: str) -> str | None:
    """Return the member number of a scanned card or a typed number; None when it is neither, or was not written by us."""
    text = "".join(text.split())
    number, _dash, signature = text.partition("-")
    if not is_member_number(number):
        return None
    if signature and not constant_time_compare(signature, _signature(number)):
        return None
    return number


def _signature(member_number: str) -> str:
    return _CARD.signature(f"{current_organization_id()}:{member_number}")[:CARD_LETTERS]


def account_by_code(text: str) -> Row | None:
    """Return the account of a scanned card or a typed member number."""
    number = number_of_code(text)
    if number is None:
        return None
    return sql.row(
        """select a.id, a.patient_id, a.programme_id, a.member_number, a.balance, a.state, p.name, p.home_location_id
             from loyalty_account a join patients_patient p on p.id = a.patient_id
            where a.member_number = %s and a.kind = 'PATIENT'""",
        [number],
    )

"""One-time codes: asked for, sent by a job, typed in.

Asking does the same work whether the address is known or not (a row, a job), so neither the answer nor its time tells. Who has
the address is looked up by the job, and again when the right digits come back.
"""

import hmac
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql, vault
from careloop.kernel.ids import uuid7
from careloop.messaging import sealing as messaging_sealing
from careloop.messaging import services as messaging
from careloop.patients import sealing
from careloop.patients import services as patients
from careloop.patients.contacts import EMAIL, read_contact
from careloop.portal import errors, tasks
from careloop.portal.limits import Limit, minutes, wait_for
from careloop.portal.models import OneTimeCode
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.jobs import defer

VALID_FOR = timedelta(minutes=10)
TRIES = 5
# the warning on a number or address that was typed on these pages and not proved yet
UNPROVED = "contact.unproved"
PLACE = "portal_one_time_code.address_sealed"
LINE_PLACE = "portal_one_time_code.line_sealed"
HOUR, DAY = 3600, 86_400
CHANNEL_OF = {"phone": "sms", "email": "email"}


@dataclass(frozen=True)
class Address:
    """An address as typed, read: `value` to send to, `indexed` to compare."""

    system: str
    value: str
    indexed: str

    @property
    def masked(self) -> str:
        from careloop.patients.selectors import mask

        return mask(self.system, self.value)


def read_address(text: str) -> Address:
    """Read what somebody types to sign in.

    Raises:
        AddressUnreadable: neither a mobile number nor an e-mail address.
    """
    text = text.replace("\x00", "").strip()[:254]
    if "@" in text:
        read = read_contact("email", text)
        if not EMAIL.fullmatch(read.value):
            raise errors.AddressUnreadable
        return Address("email", read.value, read.indexed)
    read = read_contact("phone", text)
    if not read.is_mobile:
        raise errors.AddressUnreadable
    return Address("phone", read.value.partition(";ext=")[0], read.indexed)


def check_limits(address: Address, *, organization_id: UUID, network: str) -> None:
    """Count one more code under the limits of the address, the network address and the clinic.

    Raises:
        TooOften: the same whether the address is known or not.
    """
    index = sealing.contact_index(organization_id, address.system, address.indexed).hex()
    wait = wait_for((
        Limit("code-address-soon", index, 1, 30),
        Limit("code-address", index, 5, HOUR),
        Limit("code-address-day", index, 12, DAY),
        Limit("code-network", f"{organization_id}|{network}", 30, HOUR),
        Limit("code-clinic", str(organization_id), 600, HOUR),
    ))  # fmt: skip
    if wait:
        raise errors.TooOften(minutes=minutes(wait))


@transaction.atomic
def ask(
    *, address: Address, purpose: str, browser_hash: bytes, language: str, now: datetime, patient_id: UUID | None = None,
    is_new_patient: bool = False, line_user: str = "",
) -> OneTimeCode:  # fmt: skip
    """Ask for a code. Codes this browser asked for before for the same end are worth nothing from now on."""
    OneTimeCode.objects.filter(browser_hash=browser_hash, used_at__isnull=True).update(used_at=now)
    one = OneTimeCode(
        id=uuid7(), purpose=purpose, browser_hash=browser_hash, system=address.system, language=language,
        patient_id=patient_id, is_new_patient=is_new_patient, created_at=now, expires_at=now + VALID_FOR,
    )  # fmt: skip
    one.address_sealed = messaging_sealing.seal_for_organization(
        f"{PLACE}.{one.pk}", {"value": address.value, "indexed": address.indexed}
    )
    if line_user:
        one.line_sealed = messaging_sealing.seal_for_organization(f"{LINE_PLACE}.{one.pk}", {"user": line_user})
    one.save(force_insert=True)
    defer(tasks.send_code, current_organization_id(), code_id=str(one.pk))
    return one


def address_of(one: OneTimeCode) -> Address:
    kept = messaging_sealing.open_for_organization(f"{PLACE}.{one.pk}", one.address_sealed)
    return Address(one.system, kept["value"], kept["indexed"])


def line_user_of(one: OneTimeCode) -> str:
    return str(messaging_sealing.open_for_organization(f"{LINE_PLACE}.{one.pk}", one.line_sealed).get("user", ""))


def digits_of(one: OneTimeCode) -> str:
    """Return the six digits of a code: made from its id, guessable by nobody without the installation's key."""
    key = vault.keyring().index_key(one.organization_id, "portal.one_time_code")
    return f"{int.from_bytes(hmac.digest(key, one.pk.bytes, 'sha256')[:8], 'big') % 1_000_000:06d}"


@dataclass(frozen=True)
class Holder:
    """A patient who has the address, and the contact point that is it."""

    patient_id: UUID
    contact_point_id: UUID
    name: str
    birth_date: date | None


def holders_of(address: Address, *, proved_only: bool = True) -> list[Holder]:
    """Return the patients who have this address: one, several (a family), or nobody.

    Args:
        proved_only: leave out what visitors of these pages typed and never proved, so that nobody gets in the way of the
            address's owner by writing it into a form.
    """
    index = sealing.contact_index(current_organization_id(), address.system, address.indexed)
    found = sql.rows(
        """select p.id as patient_id, c.id as contact_point_id, p.name, p.birth_date
             from patients_contact_point c join patients_patient p on p.id = c.patient_id
            where c.value_index = %s and c.system = %s and p.merged_into_id is null and p.active and not p.deceased
              and (not %s or c.warning <> %s) and (c.system <> 'line' or c.verified_at is not null)
            order by c.verified_at nulls last, p.birth_date, c.id""",
        [index, address.system, proved_only, UNPROVED],
    )
    return [Holder(**row) for row in found]


@transaction.atomic
def send(*, code_id: UUID, now: datetime) -> bool:
    """Send a code to whoever has the address (the job's work); return whether anybody has. Repeating it sends once."""
    one = OneTimeCode.objects.select_for_update().filter(pk=code_id, used_at__isnull=True, expires_at__gt=now).first()
    if one is None:
        return False
    holders = holders_of(address_of(one), proved_only=one.patient_id is None)
    if one.patient_id is not None:
        holders = [holder for holder in holders if holder.patient_id == one.patient_id]
    if not holders:
        return False
    message = messaging.send_code(
        patient_id=holders[0].patient_id, contact_point_id=holders[0].contact_point_id, channel=CHANNEL_OF[one.system],
        language=one.language, code=digits_of(one), key=f"code:{one.pk}", expires_at=one.expires_at, now=now,
    )  # fmt: skip
    return message is not None


def waiting(browser_hash: bytes, *, now: datetime, proved: bool = False) -> OneTimeCode | None:
    """Return the code this browser waits for; with `proved` the one whose digits were right already."""
    found = OneTimeCode.objects.filter(
        browser_hash=browser_hash, used_at__isnull=True, expires_at__gt=now, proved_at__isnull=not proved
    )
    return found.order_by("-created_at").first()


def enter(*, code_id: UUID, digits: str, now: datetime) -> OneTimeCode:
    """Check what was typed. Every try counts, also a right one after the last; a right one is good once.

    Call it where its count outlives a refusal: outside a transaction that the refusal rolls back.

    Raises:
        CodeWrong, CodeOver.
    """
    left = sql.value(
        """update portal_one_time_code set tries = tries + 1
            where id = %s and used_at is null and proved_at is null and expires_at > %s and tries < %s
        returning %s - tries""",
        [code_id, now, TRIES, TRIES],
    )
    if left is None:
        raise errors.CodeOver
    one = OneTimeCode.objects.get(pk=code_id)
    typed = "".join(char for char in unicodedata.normalize("NFKC", digits[:40]) if char in "0123456789")
    if not hmac.compare_digest(typed.encode(), digits_of(one).encode()):
        if left == 0:
            audit.record("portal.code_failed", patients=[one.patient_id] if one.patient_id else [], now=now)
            raise errors.CodeOver
        raise errors.CodeWrong(left=left)
    one.proved_at = now
    one.save(update_fields=["proved_at"])
    return one


def finish(one: OneTimeCode, *, now: datetime) -> None:
    """A code is used up."""
    OneTimeCode.objects.filter(pk=one.pk).update(used_at=now)


@transaction.atomic
def verify_contact(one: OneTimeCode, *, patient_id: UUID, now: datetime) -> None:
    """Note that this patient's address was proved."""
    row = patients.add_contact_point(
        patient_id=patient_id, system=one.system, text=address_of(one).value, use="mobile" if one.system == "phone" else "",
        verified=True, now=now, by=None,
    )  # fmt: skip
    sql.execute("update patients_contact_point set warning = '' where id = %s and warning = %s", [row.pk, UNPROVED])


def add_unproved(*, patient_id: UUID, address: Address, now: datetime) -> None:
    """Add an address that somebody typed here: the code goes there, and nothing else counts until it comes back."""
    row = patients.add_contact_point(
        patient_id=patient_id, system=address.system, text=address.value,
        use="mobile" if address.system == "phone" else "", now=now, by=None,
    )  # fmt: skip
    mark_unproved(row.pk)


def mark_unproved(contact_point_id: UUID) -> None:
    sql.execute(
        "update patients_contact_point set warning = %s where id = %s and verified_at is null and warning = ''",
        [UNPROVED, contact_point_id],
    )


@transaction.atomic
def note_proved(*, address: Address, browser_hash: bytes, language: str, now: datetime) -> OneTimeCode:
    """Note an address that was proved without a code (LINE said who it is), so that the family member can be asked for."""
    OneTimeCode.objects.filter(browser_hash=browser_hash, used_at__isnull=True).update(used_at=now)
    one = OneTimeCode(
        id=uuid7(), purpose=OneTimeCode.Purpose.LINE, browser_hash=browser_hash, system=address.system, language=language,
        created_at=now, expires_at=now + VALID_FOR, proved_at=now,
    )  # fmt: skip
    kept = {"value": address.value, "indexed": address.indexed}
    one.address_sealed = messaging_sealing.seal_for_organization(f"{PLACE}.{one.pk}", kept)
    one.save(force_insert=True)
    return one


def name_holder(one: OneTimeCode, *, birth_date: date, now: datetime) -> list[Holder]:
    """Return who of those with the address was born on that day: a try, counted like the digits.

    Raises:
        CodeOver: tried too often. BirthDateWrong.
    """
    counted = sql.execute(
        "update portal_one_time_code set tries = tries + 1 where id = %s and used_at is null and tries < %s",
        [one.pk, TRIES + 3],
    )
    if not counted:
        raise errors.CodeOver
    found = [holder for holder in holders_of(address_of(one)) if holder.birth_date == birth_date]
    if not found:
        raise errors.BirthDateWrong
    return found


def forget_old(*, now: datetime) -> int:
    """Remove codes of more than a day ago: the addresses in them are nobody's business any more."""
    return sql.execute("delete from portal_one_time_code where created_at < %s", [now - timedelta(days=1)])

"""Partners: their door without an account, their codes, and what is settled with them."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.audit.services import Actor, acting_as
from careloop.kernel import sql, vault
from careloop.kernel.ids import token_hash, uuid7
from careloop.kernel.masking import mask_name
from careloop.kernel.text import clean
from careloop.loyalty.models import CouponCode, Partner, Settlement
from careloop.loyalty.reward import codes, coupons
from careloop.loyalty.reward import errors as errors
from careloop.loyalty.reward.redemptions import local_day, patients_of
from careloop.messaging.links import base_url
from careloop.tenancy.context import current_organization_id, in_organization
from careloop.tenancy.models import Organization

Row = dict[str, Any]
PIN_DIGITS = 6


# -- who they are ----------------------------------------------------------------------------------------------


@transaction.atomic
def save(*, partner_id: UUID | None, name: str, contact: str, is_active: bool, now: datetime, by: UUID) -> Partner:
    """Make a partner, or change one.

    Raises:
        PartnerNameTaken, UnknownReward.
    """
    if partner_id is None:
        made = uuid7()
        partner = Partner(id=made, created_at=now, token_hash=token_hash(_token(made, 1)))
    else:
        partner = _locked(partner_id)
        partner.version += 1
    partner.name, partner.contact, partner.is_active = clean(name)[:60], clean(contact)[:120], is_active
    try:
        with transaction.atomic():
            partner.save()
    except IntegrityError:
        raise errors.PartnerNameTaken from None
    audit.record("partner.saved", target=("partner", partner.pk), now=now)
    return partner


@transaction.atomic
def set_pin(*, partner_id: UUID, pin: str, now: datetime, by: UUID) -> None:
    """Give the partner's page another PIN; whoever is inside must enter it anew.

    Raises:
        ValueError: not six digits.
    """
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
        raise ValueError("six digits")
    partner = _locked(partner_id)
    partner.pin_hash, partner.version = make_password(pin), partner.version + 1
    partner.save(update_fields=["pin_hash", "version"])
    audit.record("partner.pin_set", target=("partner", partner.pk), now=now)


@transaction.atomic
def new_link(*, partner_id: UUID, now: datetime, by: UUID) -> str:
    """End the partner's link and return another one."""
    partner = _locked(partner_id)
    partner.link_number += 1
    partner.token_hash, partner.version = token_hash(_token(partner.pk, partner.link_number)), partner.version + 1
    partner.save(update_fields=["link_number", "token_hash", "version"])
    audit.record("partner.link_renewed", target=("partner", partner.pk), now=now)
    return url_of(partner)


def url_of(partner: Partner) -> str:
    """Return the address of the partner's page."""
    return f"{base_url()}/p/v/{_token(partner.pk, partner.link_number)}/"


def _token(partner_id: UUID, link_number: int) -> str:
    key = vault.keyring().index_key(current_organization_id(), "loyalty.partner")
    proof = vault.keyed_hash(key)(partner_id.bytes + link_number.to_bytes(4, "big"))
    return urlsafe_b64encode(proof).decode("ascii").rstrip("=")


def _locked(partner_id: UUID) -> Partner:
    found = Partner.objects.select_for_update().filter(pk=partner_id).first()
    if found is None:
        raise errors.UnknownReward
    return found


# -- their page ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """An open door: the partner and the clinic."""

    partner: Partner
    organization: Organization


@contextmanager
def opened(token: str) -> Iterator[Opened | None]:
    """Enter the organization of the partner this token belongs to, as that partner; None when it opens nothing (any more)."""
    wanted = token_hash(token)
    organization_id = sql.value("select loyalty_find_partner(%s)", [wanted])
    if organization_id is None:
        yield None
        return
    with in_organization(organization_id):
        partner = Partner.objects.filter(token_hash=wanted, is_active=True).exclude(pin_hash="").first()
        if partner is None:
            yield None
            return
        with acting_as(Actor("partner", id=partner.pk, name=partner.name, via="link")):
            yield Opened(partner, Organization.objects.get())


def pin_fits(partner: Partner, pin: str) -> bool:
    """Whether this is the partner's PIN. Count the tries before asking: six digits are soon tried through."""
    return check_password(pin, partner.pin_hash)


@dataclass(frozen=True)
class Seen:
    """What a partner is told about a code: what it gives, whether it can be used, and a masked name to compare with."""

    code_id: UUID
    offer: str
    member: str
    good_until: date
    state: str
    used_on: str


def look(*, partner: Partner, text: str, language: str, now: datetime) -> Seen:
    """Say whether a code is one of this partner's and can be used.

    Raises:
        CodeMistyped, CodeNotOurs, UnknownCode: also for the codes of others, so that a partner learns nothing of them.
    """
    code = _code_of(partner, text)
    organization = Organization.objects.get()
    day = local_day(organization, now)
    state = str(code.state)
    if state == "OPEN" and day > code.good_until:
        state = "OUTDATED"
    zone = ZoneInfo(organization.time_zone)
    used = f"{code.used_at.astimezone(zone):%Y-%m-%d %H:%M}" if code.used_at else ""
    name = code.account.patient.name if code.account and code.account.patient else ""
    audit.record("coupon.checked", patients=patients_of(code.account), target=("coupon_code", code.pk), now=now)
    return Seen(code.pk, code.coupon.name_in(language), mask_name(name), code.good_until, state, used)


def use(*, partner: Partner, text: str, key: str, now: datetime) -> CouponCode:
    """Note that the partner gave what the code is for, once.

    Raises:
        As `look` and `coupons.use`.
    """
    code = _code_of(partner, text)
    return coupons.use(code_id=code.pk, key=key, where=coupons.Where(partner_id=partner.pk), now=now, by=None)


def _code_of(partner: Partner, text: str) -> CouponCode:
    read = codes.read(partner.organization_id, text)
    found = (
        CouponCode.objects.select_related("coupon", "account__patient")
        .filter(serial=read.serial, coupon__partner_id=partner.pk)
        .first()
        if read.kind == "COUPON"
        else None
    )
    if found is None or found.good_until != read.good_until:
        raise errors.UnknownCode
    return found


# -- settling --------------------------------------------------------------------------------------------------


def uses_by_offer(*, partner_id: UUID, first: date, last: date) -> list[Row]:
    """Return what was used at a partner in these days and is not settled yet: offer by offer with count and amount."""
    return sql.rows(
        f"""select c.id as coupon_id, c.name, c.pays, count(*) as uses, count(*) * c.pays as amount
              from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id
             where {_IN_DAYS} and k.settlement_id is null
             group by c.id, c.name, c.pays order by c.name, c.id""",
        _days(partner_id, first, last),
    )


def uses(*, partner_id: UUID, first: date, last: date) -> list[Row]:
    """Return each use in these days, settled or not, the earliest first; no names: a number and the day are enough to compare."""
    return sql.rows(
        f"""select k.id, k.serial, k.good_until, k.used_at, c.name, c.pays, k.settlement_id
              from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id
             where {_IN_DAYS} order by k.used_at, k.id""",
        _days(partner_id, first, last),
    )


@transaction.atomic
def settle(*, partner_id: UUID, first: date, last: date, note: str, now: datetime, by: UUID) -> Settlement:
    """Settle what was used at a partner in these days, and lock it: none of it can be taken back any more.

    Each use stands in one settlement, also where days overlap.

    Raises:
        PeriodNotOver, NothingToSettle, UnknownReward; ValueError: the days are the wrong way round.
    """
    if last < first:
        raise ValueError("the last day is before the first")
    organization = Organization.objects.get()
    if last >= local_day(organization, now):
        raise errors.PeriodNotOver(day=f"{last:%Y-%m-%d}")
    partner = _locked(partner_id)
    taken = sql.rows(
        f"""select k.id, c.id as coupon_id, c.name, c.pays
              from loyalty_coupon_code k join loyalty_coupon c on c.id = k.coupon_id
             where {_IN_DAYS} and k.settlement_id is null order by k.id for update of k""",
        _days(partner_id, first, last),
    )
    if not taken:
        raise errors.NothingToSettle
    made = Settlement.objects.create(
        partner=partner, first_day=first, last_day=last, uses=len(taken), amount=sum(row["pays"] for row in taken),
        currency=organization.currency, lines=_lines(taken), note=clean(note)[:200], settled_at=now, settled_by_id=by,
    )  # fmt: skip
    CouponCode.objects.filter(pk__in=[row["id"] for row in taken]).update(settlement=made)
    audit.record("partner.settled", target=("settlement", made.pk), details={"uses": made.uses}, now=now)
    return made


_IN_DAYS = "k.at_partner_id = %(partner)s and k.state = 'USED' and k.used_at >= %(since)s and k.used_at < %(until)s"


def _days(partner_id: UUID, first: date, last: date) -> Row:
    zone = ZoneInfo(Organization.objects.get().time_zone)
    return {
        "partner": partner_id,
        "since": datetime.combine(first, time.min, zone),
        "until": datetime.combine(last + timedelta(days=1), time.min, zone),
    }


def _lines(taken: list[Row]) -> list[Row]:
    lines: dict[UUID, Row] = {}
    for row in taken:
        line = lines.setdefault(
            row["coupon_id"],
            {"coupon_id": str(row["coupon_id"]), "name": row["name"], "pays": row["pays"], "uses": 0, "amount": 0},
        )
        line["uses"] += 1
        line["amount"] += row["pays"]
    return sorted(lines.values(), key=lambda line: line["name"])

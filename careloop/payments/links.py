"""The link to one payment: it opens that payment and nothing else, without a sign-in.

The token is made anew from the payment's id whenever it is needed and kept only as a hash.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from careloop.audit.services import Actor, acting_as
from careloop.kernel import sql, vault
from careloop.kernel.ids import token_hash
from careloop.messaging.links import base_url
from careloop.payments.models import Payment
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization

# so long after it was asked for or paid, the page still shows how it went
OPENS_FOR = timedelta(days=90)


def token_of(organization_id: UUID, payment_id: UUID) -> str:
    """Return the token in the link to a payment: 256 bits, not guessable without the installation's index secret."""
    key = vault.keyring().index_key(organization_id, "payments.payment")
    return urlsafe_b64encode(vault.keyed_hash(key)(payment_id.bytes)).decode("ascii").rstrip("=")


def path_of(organization_id: UUID, payment_id: UUID) -> str:
    """Return the page of a payment on this site."""
    return f"/p/y/{token_of(organization_id, payment_id)}/"


def url_of(organization_id: UUID, payment_id: UUID) -> str:
    """Return the address of a payment's page, as it stands in a message or in a code."""
    return base_url() + path_of(organization_id, payment_id)


def notify_url(account_id: UUID) -> str:
    """Return where the provider's server reports to."""
    return f"{base_url()}/hooks/payments/{account_id}"


@dataclass(frozen=True)
class Opened:
    """An open door: the payment and the clinic."""

    payment: Payment
    organization: Organization


@contextmanager
def opened(token: str, *, now: datetime) -> Iterator[Opened | None]:
    """Enter the organization of the payment this token belongs to, as its patient; None when it opens nothing (any more)."""
    wanted = token_hash(token)
    organization_id = sql.value("select payments_find_payment(%s)", [wanted])
    if organization_id is None:
        yield None
        return
    with in_organization(organization_id):
        payment = Payment.objects.select_related("patient", "organization").filter(token_hash=wanted).first()
        if payment is None or now - (payment.paid_at or payment.requested_at) > OPENS_FOR:
            yield None
            return
        with acting_as(Actor("patient", id=payment.patient_id, via="link")):
            yield Opened(payment, payment.organization)

"""Patients and channels for the stories told here."""

import itertools
from uuid import uuid4

from careloop.messaging.models import ChannelAccount
from careloop.patients import sealing
from careloop.patients.models import ContactPoint, Patient, RelatedPerson
from careloop.tenancy.context import current_organization_id

_numbers = itertools.count(1)


def account(channel, *, now, kind="sandbox", **fields):
    """A channel that is switched on and the default of its kind."""
    return ChannelAccount.objects.create(
        channel=channel, kind=kind, name=f"{kind} {channel} {next(_numbers)}", settings={"plays": channel}, is_default=True,
        changed_at=now, created_at=now, **fields,
    )  # fmt: skip


def line_id(n):
    return f"U{n:032x}"


def contact(patient_id, system, value, *, reach="unknown"):
    key = sealing.create_keys([patient_id])[patient_id]
    identifier = uuid4()
    return ContactPoint.objects.create(
        id=identifier, patient_id=patient_id, system=system, is_mobile=system == "phone", reach=reach,
        value_sealed=sealing.seal(key, value, table=sealing.CONTACT_TABLE, column="value_sealed", row_id=identifier),
        value_index=sealing.contact_index(current_organization_id(), system, value),
    )  # fmt: skip


def patient(*, now, line=False, phone=False, email=False, reach="unknown", guardian=None, name="王小明", **fields):
    """A patient with these ways of being reached; True makes up an address."""
    n = next(_numbers)
    someone = Patient.objects.create(name=name, created_at=now, updated_at=now, **fields)
    if line:
        contact(someone.pk, "line", line if isinstance(line, str) else line_id(n), reach=reach)
    if phone:
        number = phone if isinstance(phone, str) else f"09{n:08d}"
        contact(someone.pk, "phone", "+886" + number[1:], reach=reach)
    if email:
        contact(someone.pk, "email", email if isinstance(email, str) else f"patient{n}@example.test", reach=reach)
    if guardian:
        RelatedPerson.objects.create(
            patient_id=someone.pk, relative_id=guardian, name="母親", relationship="MTH", is_guardian=True
        )
    return someone.pk


def phone_of(patient_id):
    """What lies on one patient's sandbox phone, the oldest first: dicts with text, subject, quick_replies …"""
    import orjson

    from careloop.integrations.channels.sandbox import services as sandbox
    from careloop.integrations.channels.sandbox.models import SandboxDelivery

    key = sealing.key_of(patient_id)
    return [
        orjson.loads(
            sealing.unseal(key, one.content_sealed, table=sandbox.TABLE, column=sandbox.COLUMN, row_id=one.message_key)
        )
        for one in SandboxDelivery.objects.filter(patient_id=patient_id).order_by("id")
    ]

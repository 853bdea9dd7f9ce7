"""One object of every kind that an address may name, made for the organization a test is in.

The guard of addresses (tests/guards/test_urls.py) asks for the objects by the names of the addresses' parameters. A new
parameter needs a line in `PARAMETERS` (a model) or `VALUES` (a plain value); the guard fails and says so until it has one.
"""

import itertools
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models

from careloop.accounts.models import User
from careloop.tenancy.models import Organization

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
_numbers = itertools.count(1)

# parameter, or "start of the route|parameter" where the same name means different things → model
PARAMETERS: dict[str, str] = {
    "patient_id": "patients.Patient",
    "contact_id": "patients.ContactPoint",
    "settings/contacts/|contact_id": "policy.RegisteredContact",
    "row_id": "patients.Identifier",
    "tag_id": "patients.Tag",
    "note_id": "patients.HealthNote",
    "related_id": "patients.RelatedPerson",
    "record_id": "records.Encounter",
    "notice_id": "consent.Notice",
    "follow_up_id": "followups.FollowUp",
    "batch_id": "imports.ImportBatch",
    "segment_id": "segments.Segment",
    "journey_id": "journeys.Journey",
    "version_id": "journeys.JourneyVersion",
    "enrollment_id": "journeys.Enrollment",
    "message_id": "messaging.Message",
    "template_id": "messaging.MessageTemplate",
    "conversation_id": "messaging.Conversation",
    "account_id": "messaging.ChannelAccount",
    "payment_id": "payments.Payment",
    "refund_id": "payments.Refund",
    "hooks/payments/|account_id": "payments.ProviderAccount",
    "p/y/|account_id": "payments.ProviderAccount",
    "settings/payments/|account_id": "payments.ProviderAccount",
    "tier_id": "loyalty.Tier",
    "benefit_id": "loyalty.Benefit",
    "channel_id": "messaging.ChannelAccount",
    "location_id": "tenancy.Location",
    "member_id": "accounts.Membership",
    "invitation_id": "accounts.Invitation",
    "token_id": "api.ApiToken",
    "appointment_id": "scheduling.Appointment",
    "entry_id": "scheduling.WaitlistEntry",
    "offer_id": "scheduling.WaitlistOffer",
    "session_id": "scheduling.Session",
    "service_id": "scheduling.Service",
    "resource_id": "scheduling.Resource",
    "absence_id": "scheduling.Absence",
    "practitioner_id": "records.Practitioner",
    "reward_id": "loyalty.Reward",
    "redemption_id": "loyalty.Redemption",
    "coupon_id": "loyalty.Coupon",
    "code_id": "loyalty.CouponCode",
    "partner_id": "loyalty.Partner",
    "settlement_id": "loyalty.Settlement",
    "membership/guard/|item_id": "loyalty.Draw",
    "sign_off_id": "policy.PolicySignOff",
    "draw_id": "loyalty.Draw",
    "schedule/|template_id": "scheduling.Template",
    "ticket_id": "waitingroom.Ticket",
    "display_id": "waitingroom.Display",
    "helper_id": "patients.RelatedPerson",
    "programme_id": "loyalty.Programme",
    "membership/|account_id": "loyalty.Account",
    "link_id": "icalendar.CalendarLink",
    "upload_id": "icalendar.LeaveUpload",
    "earn_rule_id": "loyalty.EarnRule",
    "referral_id": "loyalty.Referral",
    "membership/greetings/|plan_id": "loyalty.GreetingPlan",
    "issue_id": "loyalty.NewsletterIssue",
}
# parameters that are words of ours, the same in every organization
VALUES: dict[str, Any] = {
    "kind": "encounter", "tab": "visits", "key": "birthday", "purpose": "privacy", "rule_id": "S1", "colour": "0f766e",
    "pk": 1, "step_id": "s1", "rest": "nowhere", "channel": "email", "what": "visits", "step": "confirm",
    "model": "draw", "audience": "one",
    "settings/channels/|kind": "sandbox", "settings/payments/|kind": "sandbox", "follow-ups/|kind": "call",
    "benefit_kind": "PRICE", "report": "flow",
}  # fmt: skip
# secrets in links: the guard uses one that opens nothing
SECRETS = {"token", "uidb36", "code"}


def a_path() -> dict[str, Any]:
    """The definition of a journey from the library."""
    from careloop.journeys import library

    return library.definition_of(next(iter(library.ready_on(NOW.date()).values())))


def somebody_else() -> Any:
    """Another patient than the one most objects are of."""
    from careloop.patients.models import Patient

    return Patient.objects.create(
        name="林美玲", name_grams=["林", "美", "玲", "林美", "美玲"], created_at=NOW, updated_at=NOW
    )


# what a model's own rules ask for, beyond its types
SPECIAL: dict[str, dict[str, Any]] = {
    "patients.patient": {"name": "王小明", "name_grams": ["王", "小", "明", "王小", "小明"]},
    "policy.registeredcontact": {"value": "https://example.tw", "key": "example.tw"},
    "policy.policysignoff": {"rule_ids": ["S1"], "text_hash": b"x" * 32},
    "loyalty.draw": {"entry": "MEMBERS", "tier": None},
    "segments.segment": {"purpose": "CARE", "rule": {"all": []}},
    "segments.segmentversion": {"purpose": "CARE", "rule": {"all": []}},
    "patients.contactpoint": {"system": "phone"},
    "journeys.journey": {"definition": a_path},
    "journeys.journeyversion": {"definition": a_path, "hold_out_percent": 0, "number": 1},
    "journeys.enrollment": {"due_at": NOW},
    "messaging.message": {"state": "planned", "origin": "staff"},
    "scheduling.template": {"starts": time(9), "ends": time(12), "mode": "SLOTS", "weekday": 1},
    "scheduling.session": {"starts_at": NOW, "ends_at": NOW + timedelta(hours=3), "mode": "SLOTS"},
    "scheduling.absence": {"starts_at": NOW, "ends_at": NOW + timedelta(hours=3)},
    "scheduling.service": {"minutes": 30},
    "scheduling.appointment": {"starts_at": NOW, "ends_at": NOW + timedelta(minutes=30), "state": "booked"},
    "payments.provideraccount": {"kind": "sandbox"},
    "loyalty.referral": {"state": "HELD", "referrer": somebody_else},
    "loyalty.greetingplan": {"occasion": "NEW_YEAR", "template_key": "greeting-new-year", "hour": 9},
    "loyalty.newsletterissue": {"state": "DRAFT"},
    "payments.payment": {"state": "PAID", "paid_at": NOW, "amount": 1_000_000, "currency": "TWD"},
    "payments.refund": {"amount": 5},
    "loyalty.programme": {"state": "OPEN", "terms": "條款"},
    "loyalty.account": {"kind": "PATIENT", "member_number": lambda: f"{next(_numbers):09}"},
    "loyalty.earnrule": {"kind": "VISIT", "per_amount": 0, "multipliers": list},
    "messaging.channelaccount": {"kind": "sandbox", "channel": "email"},
    "loyalty.tier": {"name": "金卡", "rank": 1, "months": 12, "join": "ALL", "window": "MONTHS"},
    "loyalty.benefit": {"kind": "PRICE", "percent": 5},
    "loyalty.reward": {"points": 5, "hold_days": 14},
    "loyalty.redemption": {
        "takes_stock": False,
        "good_until": NOW.date() + timedelta(days=7),
        "serial": lambda: next(_numbers),
    },
    "loyalty.coupon": {"kind": "PERSONAL", "partner": None, "pays": 0},
    "loyalty.couponcode": {"serial": lambda: next(_numbers), "good_until": NOW.date() + timedelta(days=7)},
    "loyalty.partner": {"pin_hash": "x"},
    "loyalty.settlement": {"last_day": NOW.date(), "first_day": NOW.date()},
}

# columns that may be empty and are not in an object that is somebody's
NEEDED = {"scheduling.appointment.patient", "loyalty.account.patient", "loyalty.couponcode.account"}

# of which an organization has one, whoever asks
ONE = {"loyalty.programme"}


class Objects:
    """Makes at most one object of each model, with whatever it points to; belongs to the organization it is used in."""

    def __init__(self) -> None:
        self.made: dict[str, models.Model] = {}

    def value(self, route: str, parameter: str) -> Any:
        """Return what stands for `parameter` in an address with this route.

        Raises:
            LookupError: nobody has said what this parameter names.
        """
        if parameter == "slug":
            return Organization.objects.get().slug
        for known in (PARAMETERS, VALUES):
            for name, found in known.items():
                start, _, wanted = name.rpartition("|")
                if wanted == parameter and start and route.startswith(start):
                    return self._pick(known, found)
        if parameter in PARAMETERS:
            return self._pick(PARAMETERS, PARAMETERS[parameter])
        if parameter in VALUES:
            return VALUES[parameter]
        if parameter in SECRETS:
            return "not-a-token"
        raise LookupError(f"{route}: say in tests/support/objects.py what “{parameter}” names")

    def _pick(self, known: dict[str, Any], found: Any) -> Any:
        return self.get(found).pk if known is PARAMETERS else found

    def get(self, label: str) -> Any:
        """Return the object of a model, made on first use."""
        model = apps.get_model(label)
        key = model._meta.label_lower
        if key not in self.made:
            self.made[key] = (model._default_manager.first() if key in ONE else None) or self._make(model)
        return self.made[key]

    def _make(self, model: type[models.Model]) -> Any:
        if model is User:
            return User.objects.create_user(f"somebody-{next(_numbers)}@example.test", None, name="某人")
        given = SPECIAL.get(model._meta.label_lower, {})
        values: dict[str, Any] = {name: value() if callable(value) else value for name, value in given.items()}
        for field in model._meta.concrete_fields:
            if field.name in values or field.name == "organization" or (field.primary_key and not field.remote_field):
                continue
            filled = field.null or field.has_default() or field.db_default is not models.NOT_PROVIDED
            is_needed = f"{model._meta.label_lower}.{field.name}" in NEEDED
            if filled and not is_needed and (field.null or not isinstance(field, models.ForeignKey)):
                continue
            values[field.name] = self._some(field)
        return model._default_manager.create(**values)

    def _some(self, field: Any) -> Any:
        if isinstance(field, models.ForeignKey):
            return self.get(field.related_model._meta.label)
        if field.choices:
            return next(value for value, _label in field.flatchoices if value != "")
        match field:
            case models.DateTimeField():
                return NOW
            case models.DateField():
                return NOW.date()
            case models.BooleanField():
                return False
            case models.UUIDField():
                return uuid4()
            case models.BinaryField():
                return uuid4().bytes
            case models.JSONField():
                return {}
            case ArrayField():
                return []
            case models.EmailField():
                return f"object-{next(_numbers)}@example.test"
            case models.IntegerField():
                return next(_numbers)
            case _:
                return f"x{next(_numbers)}"[: field.max_length or 40]

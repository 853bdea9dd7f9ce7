"""My data: who I am here, how I am reached, who may act for me, where I am signed in, and what I agreed to."""

from datetime import timedelta
from uuid import UUID, uuid5

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.audit import services as audit
from careloop.consent import selectors as consent_selectors
from careloop.consent import services as consent
from careloop.consent.models import Purpose
from careloop.followups import services as followups
from careloop.kernel.dates import age_in_years
from careloop.loyalty.join import membership
from careloop.loyalty.thanks import referrals
from careloop.messaging import inbound
from careloop.messaging import selectors as messages
from careloop.messaging import services as messaging
from careloop.patients import selectors, services
from careloop.patients.models import Patient
from careloop.portal import codes, errors, family, line, recognizing
from careloop.portal.entering import for_patients, show
from careloop.portal.forms import AddressForm, PreferencesForm, TellForm
from careloop.portal.models import OneTimeCode
from careloop.portal.recognizing import Visitor

SHOWN_MESSAGES = 40
PURPOSES = (Purpose.CARE, Purpose.SURVEY, Purpose.MARKETING, Purpose.HEALTH_MARKETING)


@for_patients
@require_GET
def me(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Everything about the person, masked where it is a number somebody could misuse."""
    patient = Patient.objects.get(pk=visitor.patient_id)
    contacts = [
        one for one in selectors.secrets_of(visitor.patient_id) if one.kind in ("phone", "email", "line", "wechat")
    ]
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "me"}, now=visitor.now)
    today = recognizing.today_of(visitor.clinic, visitor.now)
    is_adult = patient.birth_date is None or age_in_years(patient.birth_date, on=today) >= family.ADULT
    context = {
        "patient": patient, "contacts": contacts,
        "preferences": PreferencesForm(kept=patient),
        # only the person themself decides who may act for them
        "helpers": family.helpers_of(visitor.own_id) if is_adult and not visitor.acts_for_another else [],
        "devices": len(recognizing.sessions_of(visitor.own_id, now=visitor.now)),
        "line_ready": line.is_ready() and not visitor.acts_for_another,
        "has_membership": membership.is_offered_to(visitor.patient_id),
        "line_bound": any(one.kind == "line" for one in contacts),
        "may_refer": referrals.is_on() and membership.account_of(visitor.patient_id) is not None,
    }  # fmt: skip
    return show(request, visitor, "portal/me.html", context, tab="me")


@for_patients
@require_POST
def preferences(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Keep how the clinic should write."""
    form = PreferencesForm(request.POST, kept=Patient.objects.get(pk=visitor.patient_id))
    if form.is_valid():
        services.update(patient_id=visitor.patient_id, version=None, now=visitor.now, by=None, changes=form.changes())
    return _to(visitor, "portal:me")


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Add a number or address; it counts once the code sent there is typed in."""
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["address"]
        if not messaging.can_send(codes.CHANNEL_OF[address.system]):
            form.add_error("address", _("The clinic cannot send a code there. Please call, and we will note it."))
            return show(request, visitor, "portal/contact.html", {"form": form}, tab="me", status=422)
        try:
            codes.check_limits(address, organization_id=visitor.clinic.pk, network=visitor.address)
        except errors.TooOften as error:
            form.add_error("address", str(error))
            return show(request, visitor, "portal/contact.html", {"form": form}, tab="me", status=429)
        codes.add_unproved(patient_id=visitor.patient_id, address=address, now=visitor.now)
        codes.ask(
            address=address, purpose=OneTimeCode.Purpose.CONTACT, browser_hash=visitor.browser_hash,
            language=translation.get_language() or "", now=visitor.now, patient_id=visitor.patient_id,
        )  # fmt: skip
        url = reverse("portal:code", args=[visitor.clinic.slug])
        return HttpResponseRedirect(f"{url}?next={reverse('portal:me', args=[visitor.clinic.slug])}")
    return show(request, visitor, "portal/contact.html", {"form": form}, tab="me", status=422 if form.errors else 200)


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def tell(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Say what is wrong in the record: staff get a task, because the record is the clinic's to change (PDPA art. 11)."""
    form = TellForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        text = form.cleaned_data["text"]
        day = f"{visitor.now:%Y-%m-%d}"
        with translation.override(visitor.clinic.language):
            followups.create(
                patient_id=visitor.patient_id, kind="CHECK", title=_("The patient asks to correct their data"), script=text,
                due_at=visitor.now + timedelta(days=1), now=visitor.now, by=None, origin="portal",
                # the form sent twice is one task
                origin_id=f"correct:{uuid5(visitor.patient_id, day + text)}",
            )  # fmt: skip
        return show(request, visitor, "portal/told.html", tab="me")
    return show(request, visitor, "portal/tell.html", {"form": form}, tab="me", status=422 if form.errors else 200)


# -- family ------------------------------------------------------------------------------------------------------


@for_patients
@require_POST
def helper(request: HttpRequest, visitor: Visitor, helper_id: UUID) -> HttpResponse:
    """Let a family member act for me, or end it. Only for oneself: who acts for another decides nothing about this."""
    patient = Patient.objects.get(pk=visitor.own_id)
    today = recognizing.today_of(visitor.clinic, visitor.now)
    is_child = patient.birth_date is not None and age_in_years(patient.birth_date, on=today) < family.ADULT
    if visitor.acts_for_another or is_child:
        raise errors.NotYours
    family.allow(
        patient_id=visitor.own_id, helper_id=helper_id, is_allowed=request.POST.get("allowed") == "yes", now=visitor.now
    )
    return _to(visitor, "portal:me")


# -- devices -----------------------------------------------------------------------------------------------------


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def devices(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Where I am signed in; end one, or all."""
    assert visitor.session is not None
    found = recognizing.sessions_of(visitor.own_id, now=visitor.now)
    if request.method == "POST":
        chosen = request.POST.get("device", "")
        ids = [one["id"] for one in found if chosen in ("all", str(one["id"]))]
        if not ids:
            raise errors.NotYours
        recognizing.end_sessions(visitor.own_id, ids, now=visitor.now)
        if visitor.session["id"] in ids:
            visitor.session, visitor.forget = None, True
            return _to(visitor, "portal:home")
        return _to(visitor, "portal:devices")
    context = {"devices": [{**one, "is_this": one["id"] == visitor.session["id"]} for one in found]}
    return show(request, visitor, "portal/devices.html", context, tab="me")


# -- agreements and notices --------------------------------------------------------------------------------------


@for_patients
@require_http_methods(["GET", "HEAD", "POST"])
def consents(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What I agreed to, with the texts and the history; give and withdraw with the same ease."""
    patient_id = visitor.patient_id
    texts = consent_selectors.current_notices()
    if request.method == "POST":
        purpose, wants = request.POST.get("purpose", ""), request.POST.get("wants", "")
        if purpose not in {one.value for one in PURPOSES} or wants not in ("yes", "no"):
            raise errors.NotYours
        if wants == "yes":
            notice = texts.get(purpose)
            consent.give(
                patient_id=patient_id, purpose=purpose, source="portal", notice_id=notice["id"] if notice else None,
                evidence=f"given by family member {visitor.own_id}" if visitor.acts_for_another else "",
                now=visitor.now, by=None,
            )  # fmt: skip
        elif purpose == Purpose.HEALTH_MARKETING:
            consent.withdraw(patient_id=patient_id, purpose=purpose, source="portal", now=visitor.now, by=None)
        else:
            inbound.opt_out(
                patient_id=patient_id, channel="", source="portal", inbound_id=None, now=visitor.now, confirm=False,
                purposes=(purpose,),
            )  # fmt: skip
        return _to(visitor, "portal:consents")
    audit.record("portal.viewed", patients=[patient_id], details={"page": "consents"}, now=visitor.now)
    now_in_force = {one["purpose"]: one for one in consent_selectors.in_force(patient_id) if one["channel"] == "any"}
    language = translation.get_language() or ""
    context = {
        "purposes": [
            {
                "code": one.value, "label": one.label, "decision": now_in_force.get(one.value, {}).get("decision", ""),
                "at": now_in_force.get(one.value, {}).get("decided_at"), "needs_yes": one in consent_selectors.NEEDS_PERMIT,
                "text": consent_selectors.text_in(texts[one.value]["texts"], language) if one.value in texts else None,
            }
            for one in PURPOSES
        ],
        "history": [
            {**one, "label": Purpose(one["purpose"]).label} for one in consent_selectors.history(patient_id)[:60]
        ],
    }  # fmt: skip
    return show(request, visitor, "portal/consents.html", context, tab="me")


@for_patients
@require_POST
def notice_read(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The patient has read the privacy notice that was shown (P2)."""
    consent.record_notice_shown(patient_id=visitor.patient_id, how="portal", now=visitor.now, by=None)
    return _to(visitor, "portal:home")


@for_patients
@require_GET
def written(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What the clinic wrote to me and I answered, the newest first."""
    lines = [
        one for one in messages.thread(visitor.patient_id, limit=SHOWN_MESSAGES)
        if one["direction"] == "in" or one["state"] == "accepted"
    ]  # fmt: skip
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "messages"}, now=visitor.now)
    return show(request, visitor, "portal/messages.html", {"lines": lines[::-1]}, tab="messages")


def _to(visitor: Visitor, name: str) -> HttpResponse:
    return HttpResponseRedirect(reverse(name, args=[visitor.clinic.slug]))

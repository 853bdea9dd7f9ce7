"""Referrals: how they go, those that a person decides, who brought whom, and how the clinic thanks."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.models import Referral, ReferralProgramme
from careloop.loyalty.thanks import referral_lists, referrals
from careloop.loyalty.thanks.referral_checks import sentences_of
from careloop.patients import selectors as patients
from careloop.patients.models import Patient
from careloop.tenancy.models import Organization
from careloop.web.addresses import address
from careloop.web.http import Keyset, clinic_zone, redirect_to, respond
from careloop.web.screens.referrals.forms import DecideForm, FilterForm, NoteForm, ProgrammeForm

TONES = {"WAITING": "info", "HELD": "warning", "COMPLETED": "success", "REFUSED": "neutral", "EXPIRED": "neutral"}
YEAR = timedelta(days=365)
CHANGED = ("is_on", "gives", "points", "coupon_id", "monthly_limit", "claim_days", "visit_days")


@requires("loyalty.view")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Referrals, the latest first, with the year's figures: one statement each."""
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    form = FilterForm(request.GET)
    state = form.cleaned_data["state"] if form.is_valid() else ""
    keyset = Keyset(request, order=("-made_at", "-id"), size=referral_lists.PAGE)
    columns = {"made_at": "r.made_at", "id": "r.id"}
    beyond, values = keyset.where(**columns)
    more = {f"after_{number}": value for number, value in enumerate(values)}
    for name in more:
        beyond = beyond.replace("%s", f"%({name})s", 1)
    page = keyset.cut(
        referral_lists.listed(
            state=state,
            beyond=f"and {beyond}" if beyond else "",
            order=keyset.order_by(**columns),
            limit=keyset.limit,
            more=more,
        )
    )
    settings = referrals.programme()
    audit.record(
        "referrals.listed", patients=[one for row in page.rows for one in (row["referrer_id"], row["friend_id"])]
    )
    context = {
        "page": page, "rows": [_shown(request, row) for row in page.rows], "form": form, "state": state,
        "chips": [{"label": dict(Referral.State.choices)[state], "url": request.path}] if state else [],
        "stats": _stats(referral_lists.figures(since=now - YEAR)), "settings": settings, "is_on": bool(settings and settings.is_on),
        "stopped": _stopped(settings), "may_set_up": member.can("loyalty.manage"),
    }  # fmt: skip
    return respond(request, "referrals/home.html", context)


def _stopped(settings: ReferralProgramme | None) -> Any:
    """The verdict, where something switched on is stopped today."""
    if settings is None or not settings.is_on:
        return None
    verdict = guard.verdicts([settings], audience="one", organization=Organization.objects.get(), now=timezone.now())[
        settings.pk
    ]
    return None if verdict.may_be_sent else verdict


def _stats(found: dict[str, Any]) -> list[dict[str, Any]]:
    came = f"{found['came']} ({found['came'] / found['made']:.0%})" if found["made"] else "0"
    url = reverse("referrals:home")
    return [
        {"label": pgettext("referrals", "Friends registered"), "value": found["made"], "hint": _("in twelve months")},
        {"label": pgettext("referrals", "Came"), "value": came, "href": f"{url}?state=COMPLETED"},
        {"label": pgettext("referrals", "To be decided"), "value": found["held"], "href": f"{url}?state=HELD",
         "tone": "warning" if found["held"] else ""},
        {"label": pgettext("referrals", "Members who brought somebody"), "value": found["members"]},
        {"label": pgettext("referrals", "Days until the first visit"), "value": "–" if found["days"] is None else found["days"],
         "hint": _("half of them took less")},
    ]  # fmt: skip


def _shown(request: HttpRequest, row: dict[str, Any]) -> dict[str, Any]:
    zone = clinic_zone(request)
    return {
        **row, "state_label": dict(Referral.State.choices)[row["state"]], "tone": TONES[row["state"]],
        "how_label": dict(Referral.How.choices)[row["how"]], "at": row["made_at"].astimezone(zone),
        "visited": row["visited_at"].astimezone(zone) if row["visited_at"] else None,
        "why": sentences_of(row["reasons"]), "url": address("referrals:referral", row["id"]),
        "given_label": dict(ReferralProgramme.Gives.choices).get(row["given"], ""),
        "referrer_url": "" if row["referrer_hidden"] else address("patients:page", row["referrer_id"]),
        "friend_url": "" if row["friend_hidden"] else address("patients:page", row["friend_id"]),
    }  # fmt: skip


@requires("loyalty.view")
@require_http_methods(["GET", "HEAD", "POST"])
def referral(request: HttpRequest, referral_id: UUID) -> HttpResponse:
    """One referral: what happened, what looks odd, and the decision of a person."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = referral_lists.one(referral_id)
    if row is None:
        raise Http404
    may_decide = member.can("loyalty.manage") and row["state"] == "HELD"
    form = DecideForm(request.POST or None) if may_decide else None
    if request.method == "POST":
        if form is None:
            return redirect_to(request, reverse("referrals:referral", args=[referral_id]))
        if form.is_valid():
            try:
                referrals.decide(
                    referral_id=referral_id, counts=form.cleaned_data["counts"] == "yes", note=form.cleaned_data["note"],
                    now=timezone.now(), by=member.user_id,
                )  # fmt: skip
            except DomainError as refusal:
                form.add_error(None, str(refusal))
            else:
                return redirect_to(request, reverse("referrals:referral", args=[referral_id]), message=_("Decided."))
    audit.record("referral.viewed", patients=[row["referrer_id"], row["friend_id"]], target=("referral", referral_id))
    context = {"one": _shown(request, row), "form": form, "withheld": _withheld(row["withheld"])}
    return respond(request, "referrals/referral.html", context, status=422 if form is not None and form.errors else 200)


def _withheld(why: str) -> str:
    return {
        "LAW": _("The legal rules of that day let only words of thanks go."),
        "NO_MEMBER": _("The one who brought the friend was no member any more."),
        "NO_TEXT": _("There was no text of thanks."),
        "USED": _("What was given the first time was used already; nothing is given twice."),
        "NOT_HAD": _("What was to be given could not be had any more, so only words of thanks went."),
    }.get(why, "")


@requires("loyalty.view")
@require_GET
def tree(request: HttpRequest, patient_id: UUID | None = None) -> HttpResponse:
    """Who brought whom: from those who brought most, or from one patient down. Whom one sees is in the audit log."""
    if patient_id is not None:
        # whoever may not see this patient sees no tree of theirs
        if not patients.names_of([patient_id]) or not _is_visible(patient_id):
            raise Http404
        roots = [patient_id]
    else:
        roots = referral_lists.top_referrers()
    found = referral_lists.tree(roots)
    audit.record("referrals.tree_viewed", patients=sorted(set(referral_lists.ids_in(found))))
    _address(found)
    context = {"roots": found, "depth": referral_lists.DEPTH, "one": found[0] if patient_id and found else None}
    return respond(request, "referrals/tree.html", context)


def _is_visible(patient_id: UUID) -> bool:
    from careloop.accounts.scope import current_location_ids

    limit = current_location_ids()
    return limit is None or Patient.objects.filter(pk=patient_id, home_location_id__in=limit).exists()


def _address(nodes: list[dict[str, Any]]) -> None:
    """Give every row of the tree its words and its address."""
    states = dict(Referral.State.choices)
    for node in nodes:
        node["state_label"], node["tone"] = states.get(node["state"], ""), TONES.get(node["state"], "neutral")
        node["url"] = "" if node["hidden"] else address("patients:page", node["id"])
        node["more_url"] = "" if node["hidden"] or node["more"] <= 0 else address("referrals:tree_of", node["id"])
        _address(node["children"])


@requires("loyalty.desk")
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Note the code that a new patient tells at the desk, or afterwards."""
    member: Any = request.member  # type: ignore[attr-defined]
    patient = Patient.objects.filter(pk=patient_id).first()
    if patient is None or not _is_visible(patient_id):
        raise Http404
    form = NoteForm(request.POST or None)
    back = reverse("patients:page", args=[patient_id])
    if request.method == "POST" and form.is_valid():
        try:
            made = referrals.claim(
                friend_id=patient_id, code=form.cleaned_data["code"], how="DESK", now=timezone.now(), by=member.user_id,
                shows_name=form.cleaned_data["shows_name"],
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error("code", str(refusal))
        else:
            said = _("Noted. Something looks odd, so somebody decides first.") if made.state == "HELD" else _("Noted.")
            return redirect_to(request, back, message=said)
    audit.record("referral.asked", patients=[patient_id])
    context = {"form": form, "patient": patient, "back": back}
    return respond(request, "referrals/note.html", context, status=422 if form.errors else 200)


@requires("loyalty.view")
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """How the clinic thanks; what the law stops is refused with its reasons."""
    member: Any = request.member  # type: ignore[attr-defined]
    may_change = member.can("loyalty.manage")
    found = referrals.programme() or ReferralProgramme(version=0)
    initial = {name: getattr(found, name) for name in (*CHANGED, "version")}
    form = ProgrammeForm(request.POST if request.method == "POST" and may_change else None, initial=initial)
    verdict = None
    if request.method == "POST" and may_change and form.is_valid():
        try:
            referrals.set_up(
                given={name: form.cleaned_data[name] for name in CHANGED}, version=form.cleaned_data["version"], now=timezone.now(),
                by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            verdict = getattr(refusal, "verdict", None)
            form.add_error(
                None if verdict is None else "gives",
                str(refusal) if verdict is None else _("The law does not let this be switched on as it is."),
            )
        else:
            return redirect_to(request, reverse("referrals:settings"), message=_("Saved."))
    if not may_change:
        for field in form.fields.values():
            field.disabled = True
    context = {"form": form, "verdict": verdict, "may_change": may_change}
    return respond(request, "referrals/settings.html", context, status=422 if form.errors else 200)

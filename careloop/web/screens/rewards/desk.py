"""The desk in three taps: scan or type a member's card or a code, choose, confirm. And the codes noted while there was no network."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts import scope
from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.loyalty.figures import in_groups
from careloop.loyalty.models import Account
from careloop.loyalty.points import statements
from careloop.loyalty.reward import codes
from careloop.loyalty.reward import desk as service
from careloop.loyalty.reward import lists as reward_lists
from careloop.loyalty.reward.redemptions import hand_over, local_day, patients_of
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.middleware import PERMISSIONS_POLICY
from careloop.web.screens.rewards.common import DESK_COOKIE, branch_id, branches, desk_branch, in_words, tabs
from careloop.web.screens.rewards.forms import FindForm, NotedForm

A_YEAR = 365 * 86400


@requires("loyalty.desk")
@require_GET
def desk(request: HttpRequest) -> HttpResponse:
    """One field: a scanner types into it, or a person."""
    return _desk(request, FindForm())


def _desk(request: HttpRequest, form: FindForm, *, status: int = 200) -> HttpResponse:
    places = branches()
    context = {
        **tabs(request, "rewards:desk"), "form": form, "branches": places if len(places) > 1 else [],
        "branch": desk_branch(request, places),
    }  # fmt: skip
    response = respond(request, "rewards/desk.html", context, status=status)
    # every other page forbids the camera
    response.headers["Permissions-Policy"] = PERMISSIONS_POLICY.replace("camera=()", "camera=(self)")
    return response


@requires("loyalty.desk")
@require_POST
def find(request: HttpRequest) -> HttpResponse:
    """Go to what was scanned: a member, a redemption or a coupon. Sent by POST, so that codes stand in no log of addresses."""
    form = FindForm(request.POST)
    if not form.is_valid():
        return _desk(request, form, status=422)
    text = form.cleaned_data["code"]
    if not codes.looks_like_a_code(text) and (member := service.find_member(text)) is not None:
        return redirect_to(request, address("rewards:desk_member", member["id"]))
    try:
        found = service.find_code(text)
    except DomainError as refused:
        form.add_error("code", str(refused))
        return _desk(request, form, status=refused.status if refused.status != 404 else 422)
    return redirect_to(request, address("rewards:redemption" if found.kind == "REWARD" else "rewards:code", found.id))


@requires("loyalty.desk")
@require_POST
def branch(request: HttpRequest) -> HttpResponse:
    """Remember in this browser at which branch it stands."""
    chosen = next((one for one in branches() if str(one.pk) == request.POST.get("branch", "")), None)
    response = redirect_to(request, address("rewards:desk"))
    if chosen is not None:
        response.set_cookie(
            DESK_COOKIE, str(chosen.pk), max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response


@requires("loyalty.desk")
@require_GET
def member(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """What this member can have: what waits, coupons, and rewards for the points there are."""
    account, now = load(account_id), timezone.now()
    language = translation.get_language() or ""
    audit.record("loyalty.desk_viewed", patients=patients_of(account), target=("loyalty_account", account.pk), now=now)
    day = local_day(request.member.organization, now)  # type: ignore[attr-defined]
    choices = [
        {"name": one.reward.name_in(language), "text": one.reward.text_in(language), "points": one.reward.points,
         "stock": one.reward.stock, "why_not": str(one.objection) if one.objection else "",
         "url": address("rewards:desk_take", account.pk, one.reward.pk)}
        for one in reward_lists.choices_for(account, now=now, location_id=branch_id(request))
    ]  # fmt: skip
    waiting = [
        {**row, "name": in_words(row, "name"), "url": address("rewards:redemption", row["id"])}
        for row in reward_lists.redemptions_of(account.pk, only_open=True)
    ]
    own = [
        {**row, "name": in_words(row, "name"), "url": address("rewards:code", row["id"])}
        for row in reward_lists.coupons_of(account.pk, day=day, only_open=True)
    ]
    context = {
        "account": account, "number": in_groups(account.member_number or ""), "patient": account.patient, "balance": statements.balance_of(account.pk), "choices": choices,
        "waiting": waiting, "coupons": own, "patient_url": address("patients:page", account.patient.pk) if account.patient else "",
    }  # fmt: skip
    return respond(request, "rewards/desk_member.html", context)


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def take(request: HttpRequest, account_id: UUID, reward_id: UUID) -> HttpResponse:
    """Say what will happen, then do it: points go, the reward is handed over."""
    account, now = load(account_id), timezone.now()
    by: UUID = request.member.user_id  # type: ignore[attr-defined]
    place = branch_id(request)
    choice = next(
        (one for one in reward_lists.choices_for(account, now=now, location_id=place) if one.reward.pk == reward_id),
        None,
    )
    if choice is None:
        raise Http404
    back = address("rewards:desk_member", account.pk)
    problem, status = str(choice.objection) if choice.objection else "", 200
    if request.method == "POST":
        key = f"desk:{request.POST.get('key', '')[:40] or uuid7().hex}"
        try:
            done = hand_over(account_id=account.pk, reward_id=reward_id, key=key, now=now, by=by, location_id=place)
        except DomainError as refused:
            problem, status = str(refused), 422
        else:
            said = _("Handed over. %(points)d points were spent.") % {"points": done.points}
            return redirect_to(request, address("rewards:redemption", done.pk), message=said)
    audit.record("loyalty.desk_viewed", patients=patients_of(account), target=("loyalty_account", account.pk), now=now)
    balance = statements.balance_of(account.pk)
    name = choice.reward.name_in(translation.get_language() or "")
    context = {
        "title": _("Hand over: %(name)s") % {"name": name}, "problem": problem, "label": pgettext("reward", "Hand over"), "cancel_url": back,
        "text": choice.reward.text_in(translation.get_language() or ""), "action": request.path,
        "facts": [
            {"label": _("Member"), "value": account.patient.name if account.patient else ""},
            {"label": _("Points now"), "value": f"{balance:,}"},
            {"label": _("Points that go"), "value": f"{choice.reward.points:,}"},
            {"label": _("Points afterwards"), "value": f"{balance - choice.reward.points:,}" if not problem else "–"},
        ],
        "hidden": [{"name": "key", "value": uuid7().hex}], "may_do": not problem,
    }  # fmt: skip
    return respond(request, "rewards/confirm.html", context, fragment="rewards/_ask.html", status=status)


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def noted(request: HttpRequest) -> HttpResponse:
    """Send in the codes that were noted on paper while there was no network."""
    zone, now = clinic_zone(request), timezone.now()
    form = NotedForm(request.POST or None, initial={"noted_at": now.astimezone(zone)})
    answers: list[service.Answer] = []
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            answers = service.send_in(
                given["codes"], key=f"noted:{given['key']}", noted_at=min(given["noted_at"], now), now=now,
                by=request.member.user_id, location_id=branch_id(request),  # type: ignore[attr-defined]
            )  # fmt: skip
        except DomainError as refused:
            form.add_error("noted_at", str(refused))
    done = sum(one.done for one in answers)
    said = ngettext("%(n)d code was used.", "%(n)d codes were used.", done) % {"n": done}
    context = {"form": form, "answers": answers, "said": said, "has_refused": done < len(answers)}
    return respond(request, "rewards/noted.html", context, status=422 if form.errors else 200)


def load(account_id: UUID) -> Account:
    """The member, if they are one the member of staff sees."""
    found = Account.objects.select_related("patient").filter(pk=account_id, kind="PATIENT", state="ACTIVE").first()
    if found is None or found.patient is None:
        raise Http404
    limit = scope.current_location_ids()
    if limit is not None and found.patient.home_location_id not in limit:
        raise Http404
    return found

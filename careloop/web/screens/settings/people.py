"""Settings: staff, invitations and roles; the switch between organizations; accepting an invitation."""

from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts import selectors, services
from careloop.accounts.access import public, requires
from careloop.accounts.errors import InvitationInvalid
from careloop.accounts.middleware import SESSION_KEY
from careloop.accounts.models import Invitation, Membership
from careloop.accounts.permissions import PERMISSIONS, ROLES
from careloop.accounts.trail import address_of, note
from careloop.audit.services import Actor, acting_as
from careloop.kernel.errors import DomainError
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.settings import forms

log = structlog.get_logger(__name__)


@requires("settings.staff")
@require_GET
def staff(request: HttpRequest) -> HttpResponse:
    """Who works here, who is invited, who left."""
    now = timezone.now()
    context = {
        "members": [_shown(one) for one in selectors.members()],
        "invitations": [
            {"id": one.pk, "email": one.email, "name": one.name, "role": ROLES[one.role].label, "expires_at": one.expires_at,
             "by": one.invited_by.name or one.invited_by.email, "is_expired": one.expires_at <= now}
            for one in selectors.open_invitations(now=now)
        ],
    }  # fmt: skip
    return respond(request, "settings/staff.html", context)


def _shown(one: Membership) -> dict[str, Any]:
    return {
        "id": one.pk, "name": one.user.name or one.user.email, "email": one.user.email, "title": one.title,
        "role": ROLES[one.role].label, "is_active": one.is_active, "last_login": one.user.last_login,
        "locations": ", ".join(sorted(place.name for place in one.locations.all())),
    }  # fmt: skip


@requires("settings.staff")
def invite(request: HttpRequest) -> HttpResponse:
    """Invite a colleague. The link is shown once, and mailed if a mail server is set up."""
    me = request.member  # type: ignore[attr-defined]
    form = forms.InviteForm(request.POST or None, may_make_owners=me.role == "owner", initial={"role": "front_desk"})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            invitation, token = services.invite(
                email=values["email"], name=values["name"], role=values["role"], title=values["title"],
                locations=[place.pk for place in values["locations"]], by=me, now=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            link = request.build_absolute_uri(reverse("settings:accept", args=[token]))
            mailed = _mail(invitation, link, me.organization.name, me.organization.language)
            context = {"invitation": invitation, "role": ROLES[invitation.role].label, "link": link, "mailed": mailed}
            return respond(request, "settings/invited.html", context)
    return respond(request, "settings/invite.html", {"form": form}, status=422 if request.method == "POST" else 200)


def _mail(invitation: Invitation, link: str, organization: str, language: str) -> bool:
    """Send the link, if there is a mail server; without one the link on the page is enough."""
    if settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"):
        return False
    with override(language):
        subject = _("Invitation to work with %(organization)s in CareLoop") % {"organization": organization}
        text = render_to_string(
            "settings/invitation.txt",
            {
                "organization": organization,
                "link": link,
                "name": invitation.name,
                "role": ROLES[invitation.role].label,
                "until": invitation.expires_at,
            },
        )
    try:
        send_mail(" ".join(subject.split()), text, None, [invitation.email])
    except OSError as error:
        log.warning("invitation.not_mailed", error=type(error).__name__)
        return False
    return True


@requires("settings.staff")
def member(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """One colleague: role, title, locations."""
    me = request.member  # type: ignore[attr-defined]
    one = get_object_or_404(Membership.objects.select_related("user"), pk=member_id)
    initial = {"role": one.role, "title": one.title, "locations": list(one.locations.all())}
    form = forms.MemberForm(
        request.POST or None, initial=initial, may_make_owners=me.role == "owner" or one.role == "owner"
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            services.change_member(
                member=one, role=values["role"], title=values["title"], locations=[place.pk for place in values["locations"]],
                by=me, now=timezone.now(),
            )  # fmt: skip
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            return redirect_to(request, reverse("settings:staff"), message=_("Saved. It counts from the next click."))
    context = {
        "form": form, "one": _shown(one), "is_self": one.pk == me.pk, "may_deactivate": one.is_active and one.pk != me.pk,
    }  # fmt: skip
    return respond(request, "settings/member.html", context, status=422 if request.method == "POST" else 200)


@requires("settings.staff")
def deactivate(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """Ask, then take the access away at once."""
    one = get_object_or_404(Membership.objects.select_related("user"), pk=member_id)
    if request.method == "POST":
        try:
            services.deactivate_member(member=one, by=request.member, now=timezone.now())  # type: ignore[attr-defined]
        except DomainError as error:
            return refuse(request, str(error), status=error.status)
        return redirect_to(request, reverse("settings:staff"), message=_("Deactivated. All sessions were ended."))
    return respond(request, "settings/deactivate.html", {"one": _shown(one)}, fragment="settings/_deactivate.html")


@requires("settings.staff")
@require_POST
def reactivate(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """Let a former colleague in again."""
    one = get_object_or_404(Membership, pk=member_id)
    try:
        services.reactivate_member(member=one, by=request.member, now=timezone.now())  # type: ignore[attr-defined]
    except DomainError as error:
        return refuse(request, str(error), status=error.status)
    return redirect_to(request, reverse("settings:staff"), message=_("This colleague may sign in again."))


@requires("settings.staff")
@require_POST
def end_sessions(request: HttpRequest, member_id: UUID) -> HttpResponse:
    """Sign a colleague out everywhere: a lost phone, a shared computer."""
    one = get_object_or_404(Membership, pk=member_id)
    own = request.session.session_key if one.user_id == request.user.pk else ""
    ended = services.end_sessions(user_id=one.user_id, except_key=own or "")
    note("staff.sessions_ended", target=("user", one.user_id), sessions=ended)
    return redirect_to(request, reverse("settings:member", args=[one.pk]), message=_("Signed out on all devices."))


@requires("settings.staff")
@require_POST
def withdraw(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    """Make an invitation's link worthless."""
    services.withdraw_invitation(invitation=get_object_or_404(Invitation, pk=invitation_id), now=timezone.now())
    return redirect_to(request, reverse("settings:staff"), message=_("The invitation was withdrawn."))


@requires("settings.staff")
@require_GET
def roles(request: HttpRequest) -> HttpResponse:
    """Which role may do what."""
    rows = [
        {"label": label, "marks": [name in role.permissions for role in ROLES.values()]}
        for name, label in PERMISSIONS.items()
    ]
    return respond(request, "settings/roles.html", {"roles": list(ROLES.values()), "rows": rows})


@public("acts only for a signed-in user, and only lets them enter where they have a membership")
@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Work in another organization from now on."""
    if not request.user.is_authenticated:
        return redirect_to(request, reverse(settings.LOGIN_URL))
    wanted = request.POST.get("organization", "")
    if wanted in {str(place.organization_id) for place in selectors.workplaces(request.user.pk)}:
        request.session[SESSION_KEY] = wanted
    return redirect_to(request, "/")


@public("opened by the secret token of an invitation, of which only a hash is kept")
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Join: with a new account, or with the account that has this address."""
    invited = selectors.find_invitation(token, now=timezone.now())
    if invited is None:
        return _told(request, str(InvitationInvalid()), status=404)
    user = invited.user
    signed_in = request.user if request.user.is_authenticated else None
    if user is not None and signed_in is None:
        return redirect_to(request, f"{reverse(settings.LOGIN_URL)}?next={request.path}")
    return _accept(request, invited, token)


def _accept(request: HttpRequest, invited: selectors.Invited, token: str) -> HttpResponse:
    user = invited.user
    form = None if user else forms.AcceptForm(request.POST or None, email=invited.email, initial={"name": invited.name})
    if request.method == "POST" and (form is None or form.is_valid()):
        values = form.cleaned_data if form else {}
        signed_in = request.user if request.user.is_authenticated else None
        actor = Actor(
            "staff" if signed_in else "visitor", signed_in.pk if signed_in else None,
            (signed_in.name or signed_in.email) if signed_in else invited.email, via="web", address=address_of(request),
        )  # fmt: skip
        try:
            with acting_as(actor):
                services.accept_invitation(
                    token=token, signed_in=signed_in, name=values.get("name", ""), password=values.get("password", ""),
                    now=timezone.now(),
                )  # fmt: skip
        except ValidationError as error:
            if form:
                form.add_error("password", error)
        except DomainError as error:
            return _told(request, str(error), status=error.status)
        else:
            if user is not None:
                request.session[SESSION_KEY] = str(invited.organization_id)
            return redirect_to(
                request,
                "/" if user else reverse(settings.LOGIN_URL),
                message=_("You have joined %(organization)s.") % {"organization": invited.organization},
            )
    context = {"invited": invited, "role": ROLES[invited.role].label, "form": form}
    return _private(render(request, "settings/accept.html", context, status=422 if request.method == "POST" else 200))


def _told(request: HttpRequest, sentence: str, *, status: int) -> HttpResponse:
    return _private(render(request, "settings/not_accepted.html", {"sentence": sentence}, status=status))


def _private(response: HttpResponse) -> HttpResponse:
    """Keep the page with the token in its address out of caches and out of other sites' logs."""
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response

"""Signing in with LINE: to LINE and back, or with the ID token of a LIFF app; and connecting LINE with a patient."""

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.audit.services import Actor, acting_as
from careloop.integrations.channels.line.login import LineLoginError, LoginChannel
from careloop.kernel.masking import mask_name
from careloop.messaging.links import base_url
from careloop.patients import inviting
from careloop.patients.models import Patient
from careloop.portal import codes, errors, line, recognizing
from careloop.portal.codes import Address
from careloop.portal.entering import for_everybody, for_patients, next_page, show
from careloop.portal.forms import AddressForm
from careloop.portal.limits import Limit, minutes, wait_for
from careloop.portal.models import OneTimeCode
from careloop.portal.recognizing import Visitor


@for_everybody("sends the browser to LINE; nothing is known of it yet")
@require_POST
def start(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """To LINE."""
    found = _channel()
    return HttpResponseRedirect(line.send_away(
        found, organization_id=visitor.clinic.pk, browser_hash=visitor.browser_hash, redirect=_callback(visitor),
        next_url=next_page(request, visitor), language=translation.get_language() or "",
    ))  # fmt: skip


@for_everybody("opens only with LINE's own word, for the browser that was sent there, once")
@require_GET
def callback(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Back from LINE: the code is exchanged on the server, and the token verified by LINE."""
    found = _channel()
    errand = line.come_back(
        organization_id=visitor.clinic.pk, browser_hash=visitor.browser_hash, state=request.GET.get("state", "")[:200]
    )
    code = request.GET.get("code", "")[:500]
    if not code:  # the person said no, over there
        return HttpResponseRedirect(reverse("portal:sign_in", args=[visitor.clinic.slug]))
    try:
        token = line.port().token_of(found, code=code, verifier=errand.verifier, redirect=_callback(visitor))
    except LineLoginError:
        raise errors.LineRefused from None
    user = line.user_behind(found, id_token=token, nonce=errand.nonce, now=visitor.now)
    if errand.invitation:
        return _bind_invited(request, visitor, user, errand.invitation)
    return _known(request, visitor, user, errand.next)


@for_everybody("sends the browser to LINE; nothing is known of it yet")
@require_GET
def straight(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The address for rich menus and links in LINE: inside LINE's browser the patient is signed in without a tap.

    LINE's browser signs in to LINE Login by itself, so no LIFF app and no script of LINE's is needed. Whoever says no over there
    comes back to the ordinary sign-in.
    """
    wanted = next_page(request, visitor)
    if visitor.session is not None:
        return HttpResponseRedirect(wanted)
    found = line.channel()
    if found is None:
        return HttpResponseRedirect(f"{reverse('portal:sign_in', args=[visitor.clinic.slug])}?next={quote(wanted)}")
    return HttpResponseRedirect(line.send_away(
        found, organization_id=visitor.clinic.pk, browser_hash=visitor.browser_hash, redirect=_callback(visitor),
        next_url=wanted, language=translation.get_language() or "",
    ))  # fmt: skip


@for_everybody(
    "opened by a 256-bit code that the desk shows for ten minutes; connects only the LINE account LINE vouches for, once"
)
@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: HttpRequest, visitor: Visitor, token: str) -> HttpResponse:
    """The code at the desk, opened with the patient's phone: ask, then to LINE. Opening it does nothing."""
    found = inviting.look(token)
    if found is None:
        raise errors.InvitationOver
    if request.method == "POST":
        return HttpResponseRedirect(line.send_away(
            _channel(), organization_id=visitor.clinic.pk, browser_hash=visitor.browser_hash, redirect=_callback(visitor),
            next_url="", language=translation.get_language() or "", invitation=token,
        ))  # fmt: skip
    name = mask_name(Patient.objects.values_list("name", flat=True).get(pk=found.patient_id))
    return show(request, visitor, "portal/line_invited.html", {"name": name, "token": token})


def _bind_invited(request: HttpRequest, visitor: Visitor, user: str, token: str) -> HttpResponse:
    """Connect the LINE account with the chart the desk's code names, and sign in there if nobody is on this phone."""
    found = inviting.use_up(token)
    if found is None:
        raise errors.InvitationOver
    with acting_as(Actor("patient", id=found.patient_id, via="portal", address=visitor.address)):
        line.bind(patient_id=found.patient_id, user_id=user, now=visitor.now, invited_by=found.by)
    if visitor.session is None:
        recognizing.sign_in(visitor, found.patient_id, how="line", user_agent=request.headers.get("User-Agent", ""))
    return HttpResponseRedirect(reverse("portal:line_connected", args=[visitor.clinic.slug]))


@for_everybody("says that LINE is connected, and of nobody whose")
@require_GET
def connected(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """LINE is connected."""
    return show(request, visitor, "portal/line_connected.html")


@for_everybody("opens only with an ID token that LINE confirms, once; limited per network")
@require_POST
def token(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The ID token of a LIFF app (`liff.getIDToken()`), posted as a form."""
    wait = wait_for((Limit("line-network", f"{visitor.clinic.pk}|{visitor.address}", 60, 3600),))
    if wait:
        raise errors.TooOften(minutes=minutes(wait))
    user = line.user_behind(_channel(), id_token=request.POST.get("id_token", ""), nonce="", now=visitor.now)
    return _known(request, visitor, user, next_page(request, visitor))


def _known(request: HttpRequest, visitor: Visitor, user: str, next_url: str) -> HttpResponse:
    """Sign in whose LINE it is; a family says who; a stranger proves to be a patient first."""
    address = Address("line", user, user)
    holders = codes.holders_of(address)
    language = translation.get_language() or ""
    if len(holders) == 1 and visitor.session is None:
        recognizing.sign_in(
            visitor, holders[0].patient_id, how="line", user_agent=request.headers.get("User-Agent", "")
        )
        return HttpResponseRedirect(next_url)
    if holders and visitor.session is None:
        codes.note_proved(address=address, browser_hash=visitor.browser_hash, language=language, now=visitor.now)
        return HttpResponseRedirect(f"{reverse('portal:who', args=[visitor.clinic.slug])}?next={quote(next_url)}")
    line.keep_waiting(organization_id=visitor.clinic.pk, browser_hash=visitor.browser_hash, user=user)
    return HttpResponseRedirect(f"{reverse('portal:line_connect', args=[visitor.clinic.slug])}?next={quote(next_url)}")


@for_everybody("needs LINE's word and then a code to an address in the record and the birth date")
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Prove which patient this LINE account is: a code to the address in the record, then the birth date."""
    user = line.who_waits(organization_id=visitor.clinic.pk, browser_hash=visitor.browser_hash)
    if not user:
        return HttpResponseRedirect(reverse("portal:sign_in", args=[visitor.clinic.slug]))
    form = AddressForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            address = form.cleaned_data["address"]
            try:
                codes.check_limits(address, organization_id=visitor.clinic.pk, network=visitor.address)
            except errors.TooOften as error:
                form.add_error("address", str(error))
                status = 429
            else:
                codes.ask(
                    address=address, purpose=OneTimeCode.Purpose.LINE, browser_hash=visitor.browser_hash,
                    language=translation.get_language() or "", now=visitor.now, line_user=user,
                )  # fmt: skip
                url = reverse("portal:code", args=[visitor.clinic.slug])
                return HttpResponseRedirect(f"{url}?next={quote(next_page(request, visitor))}")
    context = {"form": form, "next": next_page(request, visitor)}
    return show(request, visitor, "portal/line_connect.html", context, status=status)


@for_patients
@require_POST
def unbind(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Take LINE off the record."""
    if visitor.acts_for_another:
        raise errors.NotYours
    line.unbind(patient_id=visitor.own_id, now=visitor.now)
    return HttpResponseRedirect(reverse("portal:me", args=[visitor.clinic.slug]))


def _channel() -> LoginChannel:
    found = line.channel()
    if found is None:
        raise errors.LineRefused
    return found


def _callback(visitor: Visitor) -> str:
    return base_url() + reverse("portal:line_callback", args=[visitor.clinic.slug])

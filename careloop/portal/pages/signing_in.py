"""Signing in without a password: an address, a code, and for a family's shared phone the birth date."""

from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_http_methods, require_POST

from careloop.kernel.errors import DomainError
from careloop.kernel.masking import mask_name
from careloop.portal import booking as bookings
from careloop.portal import codes, errors, line, recognizing, registering
from careloop.portal.entering import for_everybody, for_patients, next_page, show
from careloop.portal.forms import AddressForm, BirthDateForm, CodeForm
from careloop.portal.models import OneTimeCode
from careloop.portal.pages import book
from careloop.portal.recognizing import Visitor

WHY = "signing in has to be open; codes are limited per address, network and clinic, and tell nobody who is known"
_FORM = require_http_methods(["GET", "HEAD", "POST"])


@for_everybody(WHY)
@_FORM
def sign_in(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Ask where to send a code; a POST sends one, if anybody here has the address, and says the same in any case."""
    if visitor.session is not None:
        return HttpResponseRedirect(next_page(request, visitor))
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["address"]
        try:
            codes.check_limits(address, organization_id=visitor.clinic.pk, network=visitor.address)
        except errors.TooOften as error:
            form.add_error("address", str(error))
            return _address_page(request, visitor, form, status=429)
        codes.ask(
            address=address, purpose=OneTimeCode.Purpose.SIGN_IN, browser_hash=visitor.browser_hash,
            language=translation.get_language() or visitor.clinic.language, now=visitor.now,
        )  # fmt: skip
        return HttpResponseRedirect(_with_next(request, visitor, "portal:code"))
    return _address_page(request, visitor, form, status=422 if form.errors else 200)


def _address_page(request: HttpRequest, visitor: Visitor, form: AddressForm, *, status: int) -> HttpResponse:
    context = {"form": form, "next": next_page(request, visitor), "line": line.is_ready()}
    return show(request, visitor, "portal/sign_in.html", context, status=status)


@for_everybody("takes only a code that was sent for this very browser, five tries")
@_FORM
def code(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Take the six digits."""
    waiting = codes.waiting(visitor.browser_hash, now=visitor.now)
    if waiting is None:
        if codes.waiting(visitor.browser_hash, now=visitor.now, proved=True) is not None:
            return HttpResponseRedirect(_with_next(request, visitor, "portal:who"))
        return HttpResponseRedirect(_with_next(request, visitor, "portal:sign_in"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            one = codes.enter(code_id=waiting.pk, digits=form.cleaned_data["code"], now=visitor.now)
        except errors.CodeWrong as error:
            form.add_error("code", str(error))
        except errors.CodeOver as error:
            codes.finish(waiting, now=visitor.now)
            return show(request, visitor, "portal/code_over.html", {"sentence": str(error), "next": next_page(request, visitor)},
                        status=422)  # fmt: skip
        else:
            return _proved(request, visitor, one)
    context = {
        "form": form, "masked": codes.address_of(waiting).masked, "system": waiting.system,
        "purpose": waiting.purpose, "next": next_page(request, visitor),
    }  # fmt: skip
    return show(request, visitor, "portal/code.html", context, status=422 if form.errors else 200)


def _proved(request: HttpRequest, visitor: Visitor, one: OneTimeCode) -> HttpResponse:
    """The digits were right: what this code was for can happen."""
    if one.purpose == OneTimeCode.Purpose.CONTACT:
        if visitor.session is None or one.patient_id != visitor.patient_id:
            raise errors.NotYours
        codes.verify_contact(one, patient_id=one.patient_id, now=visitor.now)
        codes.finish(one, now=visitor.now)
        return HttpResponseRedirect(next_page(request, visitor, "portal:me"))
    if one.purpose == OneTimeCode.Purpose.REGISTER:
        assert one.patient_id is not None
        return _enter(request, visitor, one, one.patient_id)
    holders = codes.holders_of(codes.address_of(one))
    if not holders:  # the address was taken off the record in these ten minutes
        codes.finish(one, now=visitor.now)
        raise errors.CodeOver
    if len(holders) == 1 and one.purpose == OneTimeCode.Purpose.SIGN_IN:
        return _enter(request, visitor, one, holders[0].patient_id)
    return HttpResponseRedirect(_with_next(request, visitor, "portal:who"))


@for_everybody("opens only after the right code was typed in this browser")
@_FORM
def who(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Ask who of those with the address it is: the birth date says so, and for twins the name."""
    one = codes.waiting(visitor.browser_hash, now=visitor.now, proved=True)
    if one is None:
        return HttpResponseRedirect(_with_next(request, visitor, "portal:sign_in"))
    form = BirthDateForm(request.POST or None, today=recognizing.today_of(visitor.clinic, visitor.now))
    choices: list[dict[str, str]] = []
    if request.method == "POST" and form.is_valid():
        try:
            found = codes.name_holder(one, birth_date=form.cleaned_data["birth_date"], now=visitor.now)
        except errors.BirthDateWrong as error:
            form.add_error("birth_date", str(error))
        except errors.CodeOver as error:
            codes.finish(one, now=visitor.now)
            return show(request, visitor, "portal/code_over.html", {"sentence": str(error), "next": next_page(request, visitor)},
                        status=422)  # fmt: skip
        else:
            chosen = request.POST.get("person", "")
            picked = [h for h in found if constant_time_compare(str(h.patient_id), chosen)] if len(found) > 1 else found
            if picked:
                return _enter(request, visitor, one, picked[0].patient_id)
            choices = [{"id": str(holder.patient_id), "name": mask_name(holder.name)} for holder in found]
    context = {"form": form, "choices": choices, "next": next_page(request, visitor)}
    return show(request, visitor, "portal/who.html", context, status=422 if form.errors else 200)


def _enter(request: HttpRequest, visitor: Visitor, one: OneTimeCode, patient_id: UUID) -> HttpResponse:
    """Sign in; what the browser was booking goes on for this patient, and a LINE account that waited is connected."""
    codes.verify_contact(one, patient_id=patient_id, now=visitor.now)
    codes.finish(one, now=visitor.now)
    how = "line" if one.purpose == OneTimeCode.Purpose.LINE else "code"
    if one.purpose == OneTimeCode.Purpose.LINE:
        line.bind(patient_id=patient_id, user_id=codes.line_user_of(one), now=visitor.now)
    recognizing.sign_in(visitor, patient_id, how=how, user_agent=request.headers.get("User-Agent", ""))
    going_on = bookings.current(visitor)
    if one.purpose == OneTimeCode.Purpose.REGISTER:
        registering.note_notice(patient_id, now=visitor.now)
    if going_on is not None and going_on.appointment_id is not None:
        try:
            bookings.belongs_to(going_on, patient_id, is_proved=True, is_new=one.is_new_patient, now=visitor.now)
        except DomainError as error:  # signed in all the same
            bookings.give_up(visitor)
            return book.refused(request, visitor, going_on.service, error)
        return HttpResponseRedirect(reverse("portal:book_details", args=[visitor.clinic.slug]))
    return HttpResponseRedirect(next_page(request, visitor))


@for_patients
@require_POST
def sign_out(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Sign this device out."""
    recognizing.sign_out(visitor)
    return HttpResponseRedirect(reverse("portal:home", args=[visitor.clinic.slug]))


def _with_next(request: HttpRequest, visitor: Visitor, name: str) -> str:

    url = reverse(name, args=[visitor.clinic.slug])
    wanted = next_page(request, visitor)
    home = reverse("portal:home", args=[visitor.clinic.slug])
    return url if wanted == home else f"{url}?next={quote(wanted)}"

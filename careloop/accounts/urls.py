"""Closes the pages of allauth that are not for staff, ahead of allauth's own addresses."""

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.views import remove_webauthn
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, re_path

from careloop.accounts import factors
from careloop.accounts.access import public
from careloop.accounts.errors import SecondFactorNeeded
from careloop.accounts.passwords import ALONE


@public("always answers that nothing is there")
def closed(request: HttpRequest, **_parts: str) -> HttpResponse:
    """Staff are invited, and their address is the one they were invited by: no sign-up, no other addresses, no codes by mail."""
    raise Http404


@public("allauth asks for a signed-in user and lets them reach their own keys only")
def remove_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a passkey or security key, unless a short password would then stand alone."""
    if request.user.is_authenticated:
        key = Authenticator.objects.filter(pk=pk, user=request.user).first()
        if key is not None and not factors.may_remove(key):
            messages.error(request, str(SecondFactorNeeded(least=ALONE)))
            return redirect("mfa_list_webauthn")
    answer: HttpResponse = remove_webauthn(request, pk=pk)
    return answer


urlpatterns = [
    path("accounts/signup/", closed),
    path("accounts/email/", closed),
    path("accounts/confirm-email/", closed),
    re_path(r"^accounts/confirm-email/(?P<key>[-:\w]+)/$", closed),
    path("accounts/password/set/", closed),
    path("accounts/login/code/confirm/", closed),
    path("accounts/2fa/webauthn/keys/<int:pk>/remove/", remove_key),
]

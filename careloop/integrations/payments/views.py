"""The providers' door: prove the sender, take what is said, answer in the provider's words."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from careloop.accounts.access import public
from careloop.payments import accounts, notices
from careloop.payments.notices import Taken

# A notice has some hundred bytes; what is bigger than this is not from a provider.
MAX_BYTES = 64_000


@public("payment providers have no account here; each notice is proved by its checksum with the account's secret")
@csrf_exempt
@require_POST
def notice(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Answer as the provider wants it when the notice is stored (also for the hundredth time), 400 when it is not theirs."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        return HttpResponse(status=413)
    door = accounts.find_door(account_id)
    if door is None:
        return HttpResponse(status=404)
    taken = notices.receive(door, request.body, now=timezone.now())
    if taken is Taken.REFUSED:
        return HttpResponse("0|Refused", status=400, content_type="text/plain")
    return HttpResponse(door.provider.accepted, content_type="text/plain")

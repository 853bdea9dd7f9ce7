"""LINE's door: prove the sender, store what came, answer. The work is done later, by a job."""

import logging
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from careloop.accounts.access import public
from careloop.messaging import services
from careloop.messaging.ports import MalformedWebhook
from careloop.tenancy.context import in_organization

from .kind import KIND, open_webhook
from .webhook import SIGNATURE

log = logging.getLogger(__name__)

# LINE sends a handful of events at a time; what is bigger than this is not from LINE.
MAX_BYTES = 1_000_000


@public("LINE has no account here; each call is proved by its signature over the raw body")
@csrf_exempt
@require_POST
def webhook(request: HttpRequest, channel_id: UUID) -> HttpResponse:
    """Answer 200 when the events are stored (or none were for us), 403 unsigned, 400 malformed, 404 no
    channel.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        return HttpResponse(status=413)
    door = services.find_door(channel_id)
    if door is None or door.kind != KIND.kind:
        return HttpResponse(status=404)
    hook = open_webhook(door.settings)
    body = request.body
    if not hook.verify(body, {SIGNATURE: request.headers.get(SIGNATURE, "")}):
        log.warning("LINE webhook refused: signature does not match (channel %s)", channel_id)
        return HttpResponse(status=403)
    try:
        events = hook.parse(body)
    except MalformedWebhook:
        return HttpResponse(status=400)
    if events:
        with in_organization(door.organization_id):
            services.receive(channel_id=door.channel_id, events=events, now=timezone.now())
    return HttpResponse(status=200)

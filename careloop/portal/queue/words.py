"""What a phone and a loudspeaker say: whole sentences in the reader's language."""

from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from careloop.waitingroom.live import Board

# what the browser's voices are called
VOICES = {"zh-hant": "zh-TW", "zh-hans": "zh-CN", "en": "en-US"}


def language_of(ticket: dict[str, Any], clinic: str) -> str:
    """Return the patient's language, or the clinic's."""
    own = ticket["language"] or clinic
    return own if own in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def for_phone(clinic_language: str) -> Any:
    """Return what puts a phone's numbers into words, see `live.said_to`."""

    def words(board: Board, ticket: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        with translation.override(language_of(ticket, clinic_language)):
            return {
                "headline": _headline(board, value), "ahead_text": _ahead(value), "wait_text": _wait(board, value),
                "basis": _basis(value), "back_text": _back(value), "now_text": "、".join(value["now"]) or "–",
            }  # fmt: skip

    return words


def _headline(board: Board, value: dict[str, Any]) -> str:
    match value["state"]:
        case "CALLED" if value["room"]:
            return _("It is your turn. Please go to %(room)s.") % {"room": value["room"]}
        case "CALLED":
            return _("It is your turn. Please go in.")
        case "IN_ROOM":
            return _("You are with the practitioner now.")
        case "MISSED" if value.get("must_check_in"):
            return _("Your number was called. Please check in at the desk again.")
        case "MISSED":
            return _("Your number was called. Please tell the desk that you are here; you will be called again.")
        case "HELD":
            return _("Your place is kept while you are at your tests. Please tell the desk when you are back.")
        case "DONE":
            return _("Your visit is finished. Take care of yourself.")
        case "LEFT":
            return _("You are not in the queue any more. Please ask at the desk.")
        case "EXPECTED" if board.session["state"] == "CLOSED":
            return _("This session is closed. Please call the clinic.")
        case "EXPECTED":
            return _("You are not checked in yet.")
    if value["ahead"] == 0:
        return _("You are next.")
    return _("You are checked in. We call your number.")


def _ahead(value: dict[str, Any]) -> str:
    count = value["ahead"]
    if count is None:
        return ""
    return ngettext("%(count)d person ahead of you", "%(count)d people ahead of you", count) % {"count": count}


def _wait(board: Board, value: dict[str, Any]) -> str:
    if value["low"] is None:
        return ""
    if value["high"] <= 5:
        return _("In a few minutes")
    return _("About %(low)d to %(high)d minutes, between %(from)s and %(to)s") % {
        "low": value["low"], "high": value["high"], "from": value["from"], "to": value["to"],
    }  # fmt: skip


def _basis(value: dict[str, Any]) -> str:
    if value["low"] is None:
        return ""
    if value["learned"]:
        return _("From the last consultations here; eight in ten patients are called within this time.")
    return _("From the schedule only: too few consultations are known yet to say it better.")


def _back(value: dict[str, Any]) -> str:
    return _("If you go out, please be back by %(time)s.") % {"time": value["back_by"]} if value["back_by"] else ""


def spoken(call: dict[str, Any]) -> str:
    """Return what a loudspeaker says of a call: the number and the room, never a name."""
    number = call["number"]
    if ":" in number:
        hour, minute = number.split(":")
        said = _("the visit of %(hour)s %(minute)s") % {"hour": hour, "minute": minute}
    else:
        said = pgettext("spoken", "number %(number)s") % {"number": number.replace("T", "T ")}
    if call["room"]:
        return _("%(who)s, please go to %(room)s.") % {"who": said, "room": call["room"]}
    return _("%(who)s, please come in.") % {"who": said}

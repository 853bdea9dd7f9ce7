"""Why points moved, in words that staff and patients read alike."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

REASONS: dict[str, str | Promise] = {
    "EARN_RULE": pgettext_lazy("why points", "earned at the clinic"),
    "REWARD": pgettext_lazy("why points", "a reward"),
    "REFUND": pgettext_lazy("why points", "a payment was given back"),
    "MANUAL": pgettext_lazy("why points", "changed by the clinic"),
    "REFERRAL": pgettext_lazy("why points", "thanks for a recommendation"),
    "DRAW": pgettext_lazy("why points", "a lucky draw"),
    "BIRTHDAY": pgettext_lazy("why points", "for the birthday"),
    "TRANSFER": pgettext_lazy("why points", "handed over in the family"),
    "EXPIRY": pgettext_lazy("why points", "their last day has passed"),
    "CANCELLED": pgettext_lazy("why points", "called off"),
}

KINDS: dict[str, str | Promise] = {
    "EARN": gettext_lazy("Points earned"),
    "SPEND": pgettext_lazy("points", "Points spent"),
    "ADJUST": gettext_lazy("Points changed by hand"),
    "EXPIRE": gettext_lazy("Points expired"),
    "TRANSFER": gettext_lazy("Points handed over"),
    "REVERSE": gettext_lazy("Points reversed"),
}


def reason_of(row: dict[str, Any]) -> str:
    """Return the one line that says what happened: the words given with the entry, or those of its reason.

    Args:
        row: kind, side, because, note, from_name, to_name, of_because, as `statements` reads them.
    """
    match row["kind"]:
        case "EXPIRE":
            return _("Expired: the last day to use them has passed")
        case "TRANSFER" if row["because"] == "POOL" and row["because_ref"] == "in":
            return _("Now shared with the family")
        case "TRANSFER" if row["because"] == "POOL":
            return _("No longer shared with the family")
        case "TRANSFER" if row["side"] < 0:
            return pgettext("points", "Handed to %(name)s") % {"name": row["to_name"]}
        case "TRANSFER":
            return pgettext("points", "From %(name)s") % {"name": row["from_name"]}
        case "REVERSE" if row["of_kind"] == "SPEND":
            return _with(pgettext("points", "Given back"), row)
        case "REVERSE":
            return _with(pgettext("points", "Taken back"), row)
    return row["note"] or str(REASONS.get(row["because"], KINDS[row["kind"]]))


def _with(said: str, row: dict[str, Any]) -> str:
    why = row["note"] or REASONS.get(row["because"])
    return pgettext("points", "%(what)s: %(why)s") % {"what": said, "why": why} if why else said

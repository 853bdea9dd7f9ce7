"""The cards of the settings page. Whoever adds a settings screen adds a card here (or registers one in its `slots.py`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Card:
    """One settings screen. `permissions`: any of them lets a member see it; empty: everybody."""

    group: str
    label: str | Promise
    text: str | Promise
    url_name: str
    icon: str
    permissions: tuple[str, ...] = ()


GROUPS: dict[str, str | Promise] = {
    "clinic": _("The clinic"),
    "people": _("People and access"),
    "law": _("Law and privacy"),
    "outside": _("Connections"),
    "machine": _("The installation"),
    "own": _("Your own account"),
}

CARDS: list[Card] = [
    Card("clinic", _("Organization"), _("Name, contact, language, colour, quiet hours and the monthly limit for marketing."),
         "settings:organization", "building-hospital", ("settings.organization",)),
    Card("clinic", _("Locations"), _("The places where patients are seen."), "settings:locations", "building",
         ("settings.organization",)),
    Card("clinic", _("Tags"), _("The words staff put on patients."), "settings:tags", "tags",
         ("patients.edit",)),
    Card("people", _("Staff"), _("Who works here, invitations, and what each may do."), "settings:staff", "users-group",
         ("settings.staff",)),
    Card("people", _("Roles"), _("What each role may do."), "settings:roles", "id", ("settings.staff",)),
    Card("law", _("Law and rules"), _("Which law applies, the rules in force, and where you decided otherwise."),
         "settings:legal", "scale", ("settings.legal",)),
    Card("law", _("Registered SMS contacts"), _("Web addresses and telephone numbers registered for text messages."),
         "settings:contacts", "link", ("settings.legal", "settings.channels")),
    Card("law", _("Sign-offs"), _("Who took responsibility for which wording, and why."), "settings:sign_offs",
         "clipboard-check", ("policy.sign_off",)),
    Card("law", _("Privacy notices"), _("The texts patients are shown before they agree, with their versions."),
         "consent:notices", "file-text", ("settings.legal",)),
    Card("outside", _("Channels"), _("LINE, e-mail and the sandbox phone."), "channels:list", "messages", ("settings.channels",)),
    Card("outside", _("API tokens"), _("Let other programs read and write, within limits."), "api_tokens:list", "key", ("api.tokens",)),
    Card("machine", _("State of the installation"), _("Database, event readers, background work, audit chain."),
         "settings:system", "activity-heartbeat", ("system.health",)),
    Card("own", _("Two-step sign-in and passkeys"), _("An authenticator app, passkeys and recovery codes."), "mfa_index", "fingerprint"),
    Card("own", _("Password"), _("Choose a new password."), "account_change_password", "key"),
    Card("own", _("Signed-in devices"), _("See where you are signed in, and end other sessions."), "usersessions_list", "device-laptop"),
]  # fmt: skip


def register(card: Card) -> None:
    """Add a card, or replace the one with the same label's address."""
    CARDS[:] = [one for one in CARDS if one.url_name != card.url_name] + [card]


def cards_for(member: Any) -> list[tuple[str | Promise, list[dict[str, Any]]]]:
    """Return the groups of cards this member sees; a screen that does not exist in this installation has none."""
    groups = []
    for group, label in GROUPS.items():
        cards = list(_cards(group, member))
        if cards:
            groups.append((label, cards))
    return groups


def _cards(group: str, member: Any) -> Iterable[dict[str, Any]]:
    for card in CARDS:
        if card.group != group or (card.permissions and not any(member.can(one) for one in card.permissions)):
            continue
        try:
            url = reverse(card.url_name)
        except NoReverseMatch:
            continue
        yield {"label": card.label, "text": card.text, "url": url, "icon": card.icon}

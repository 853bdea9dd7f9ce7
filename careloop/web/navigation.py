"""The navigation on the left, by job. A slice that gains a screen adds one line here.

An item shows when its address exists and the member's role holds its permission.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from careloop.web.addresses import address


@dataclass(frozen=True)
class Item:
    """One line of the navigation.

    `url_name` is reversed when the page is drawn. `permission` may be a permission name, several (any of
    them will do) or empty for everybody. `badge` counts what waits (a cheap query; 0 shows nothing). `under`
    lists further namespaces whose pages belong to this item.
    """

    label: str | Promise
    url_name: str
    icon: str
    permission: str | tuple[str, ...] = ""
    badge: Callable[[HttpRequest], int] | None = None
    under: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Items under one heading; an empty heading shows none."""

    label: str | Promise
    items: tuple[Item, ...]


@dataclass
class Entry:
    """An item as one member sees it."""

    label: str | Promise
    url: str
    icon: str
    is_current: bool
    count: int = 0


@dataclass
class EntryGroup:
    """A section as one member sees it."""

    label: str | Promise
    entries: list[Entry] = field(default_factory=list)


SECTIONS: list[Section] = [
    Section("", (
        Item(pgettext_lazy("navigation", "Today"), "today:home", "sun"),
        Item(pgettext_lazy("navigation", "Waiting room"), "queue:home", "armchair", "queue.run"),
        Item(pgettext_lazy("navigation", "Patients"), "patients:list", "users", "patients.view",
             under=("records", "consent", "privacy")),
        Item(pgettext_lazy("navigation", "Schedule"), "schedule:home", "calendar", "schedule.view"),
    )),
    Section(pgettext_lazy("navigation", "Care"), (
        Item(pgettext_lazy("navigation", "Follow-ups"), "followups:list", "checklist", "followups.view"),
        Item(pgettext_lazy("navigation", "Segments"), "segments:list", "filter", "segments.view"),
        Item(pgettext_lazy("navigation", "Care journeys"), "journeys:list", "route", "journeys.view"),
    )),
    Section(pgettext_lazy("navigation", "Membership"), (
        Item(pgettext_lazy("navigation", "Members"), "membership:home", "id-badge-2", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Tiers"), "tiers:list", "trophy", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Rewards"), "rewards:home", "gift", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Referrals"), "referrals:home", "affiliate", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Greetings"), "greetings:list", "cake", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Newsletter"), "newsletters:list", "mail", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Draws"), "draws:list", "ticket", "loyalty.view"),
        Item(pgettext_lazy("navigation", "Legal guard"), "guard:home", "shield-check", ("loyalty.manage", "policy.sign_off")),
    )),
    Section("", (
        Item(pgettext_lazy("navigation", "Messages"), "messaging:list", "messages", "messages.view"),
        Item(pgettext_lazy("navigation", "Payments"), "payments:list", "credit-card", "payments.manage"),
        Item(pgettext_lazy("navigation", "Imports"), "imports:list", "file-import", "imports.run"),
        Item(pgettext_lazy("navigation", "Reports"), "insights:home", "chart-bar", "reports.view"),
    )),
]  # fmt: skip

FOOT = Section("", (
    Item(pgettext_lazy("navigation", "Settings"), "settings:home", "settings",
         ("settings.organization", "settings.staff", "settings.channels", "settings.legal")),
    Item(pgettext_lazy("navigation", "Audit"), "audit:list", "shield-check", "audit.view"),
))  # fmt: skip


def sections_for(request: HttpRequest) -> list[EntryGroup]:
    """What this member may see, with the current page marked."""
    groups = [EntryGroup(section.label, list(_entries(section, request))) for section in SECTIONS]
    return [group for group in groups if group.entries]


def foot_for(request: HttpRequest) -> list[Entry]:
    """The items that stand at the bottom."""
    return list(_entries(FOOT, request))


def _entries(section: Section, request: HttpRequest) -> Iterator[Entry]:
    for item in section.items:
        if not _may_see(item, request):
            continue
        try:
            url = address(item.url_name)
        except NoReverseMatch:
            continue  # the slice has no screens in this installation
        count = item.badge(request) if item.badge else 0
        yield Entry(item.label, url, item.icon, _is_current(item, request, url), count)


def _may_see(item: Item, request: HttpRequest) -> bool:
    if not item.permission:
        return True
    member = getattr(request, "member", None)
    wanted = (item.permission,) if isinstance(item.permission, str) else item.permission
    return member is not None and any(member.can(permission) for permission in wanted)


def _is_current(item: Item, request: HttpRequest, url: str) -> bool:
    match = request.resolver_match
    if match is None:
        return False
    namespace = item.url_name.rpartition(":")[0]
    inside = match.namespace == namespace if namespace else match.view_name == item.url_name
    return inside or match.namespace in item.under or request.path == url

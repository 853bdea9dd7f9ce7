"""What stands on a patient's page: slices above add their parts in `slots.py`, the page knows none of them.

    panels.register(Panel("messages", _("Messages"), order=60, permission="messages.view", render=render_messages))

    def render_messages(request, patient):
        return "messaging/_patient_panel.html", {"messages": selectors.latest(patient.id)}

The template is a fragment; its context gets `patient` and `request` too. Do not audit the view: the page does, once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.utils.functional import Promise

Place = Literal["tab", "next", "overview"]


@dataclass(frozen=True, slots=True)
class PatientHead:
    """Who the page is about: what its header shows."""

    id: UUID
    name: str
    sex: str
    birth_date: date | None
    chart_number: str
    version: int
    deceased: bool
    active: bool
    language: str = ""
    restriction: str = ""


Rendered = tuple[str, dict[str, Any]] | None


@dataclass(frozen=True)
class Panel:
    """One part of the page.

    `place`: `tab` has an address of its own and is fetched when it is opened; `next` stands in the column of what to do next and
    `overview` on the first tab: both are drawn with the page, so they must be one cheap query. `render` returns a template and
    its context, or None when there is nothing to show (not for tabs).
    `shows_when`: SQL over `p` (patients_patient) that says whether there is something to show; it is asked with the page's own
    statement, and a panel with nothing to show is not drawn and asks nothing.
    `asks`: what it shows in that column waits for somebody, so the page does not say that nothing is due.
    `order`: overview 0, visits 10, medication 20, results 30, spend 40, messages 60, tasks 70, family 80, consent 90.
    """

    name: str
    label: str | Promise
    render: Callable[[HttpRequest, PatientHead], Rendered]
    order: int = 100
    permission: str = "patients.view"
    place: Place = "tab"
    icon: str = ""
    shows_when: str = ""
    asks: bool = False


_panels: dict[tuple[Place, str], Panel] = {}


def register(panel: Panel) -> None:
    """Add a panel; registering the same name and place again replaces it."""
    _panels[panel.place, panel.name] = panel


def panels(place: Place, member: Any) -> list[Panel]:
    """Return the panels of one place that this member may see, in order."""
    found = [panel for panel in _panels.values() if panel.place == place and member.can(panel.permission)]
    return sorted(found, key=lambda panel: (panel.order, panel.name))


def drawn_with_page(member: Any) -> list[Panel]:
    """Return the panels that stand on the page itself, as this member may see them."""
    return [panel for place in ("next", "overview") for panel in panels(place, member)]  # type: ignore[arg-type]


def panel(name: str, member: Any) -> Panel | None:
    """Return one tab, if this member may see it."""
    found = _panels.get(("tab", name))
    return found if found is not None and member.can(found.permission) else None

"""A patient's timeline: the event log, filtered, a page at a time, as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from careloop.consent.models import ConsentChannel
from careloop.events.registry import KINDS
from careloop.kernel import sql
from careloop.web.http import Keyset, Page
from careloop.web.screens.patients import words
from careloop.web.screens.patients.fields import ClinicDateField
from careloop.web.templatetags.careloop import icon

PAGE_SIZE = 40
GROUPS: dict[str, str | Promise] = {
    "visits": pgettext_lazy("records", "Visits"), "clinical": gettext_lazy("Clinical"), "messages": gettext_lazy("Messages"), "money": gettext_lazy("Money"),
    "tasks": gettext_lazy("Follow-ups"), "profile": gettext_lazy("Record"),
}  # fmt: skip
# What only members who see clinical records may read.
CLINICAL = frozenset({"clinical"})
TONES = {
    "clinical": "info",
    "visits": "success",
    "messages": "accent",
    "money": "neutral",
    "tasks": "warning",
    "profile": "neutral",
}


class TimelineForm(forms.Form):
    """Filters of the timeline."""

    group = forms.ChoiceField(label=gettext_lazy("Kind"), required=False)
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"), required=False, choices=[("", gettext_lazy("All")), *ConsentChannel.choices[1:]]
    )
    since = ClinicDateField(label=gettext_lazy("From"), required=False)
    until = ClinicDateField(label=gettext_lazy("To"), required=False)

    def __init__(self, *args: Any, groups: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["group"]
        field.choices = [("", gettext_lazy("All")), *((name, GROUPS.get(name, name)) for name in groups)]
        for name in ("since", "until"):
            self.fields[name].help_text = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, in words; times are ready to show, because a template's date filter is slow in long lists."""

    icon: SafeString
    tone: str
    title: str
    at: str
    at_iso: str
    meta: str


def kinds_for(*, clinical: bool) -> dict[str, list[str]]:
    """Return group → kinds that this reader may see."""
    groups: dict[str, list[str]] = {}
    for kind in KINDS.values():
        if clinical or kind.group not in CLINICAL:
            groups.setdefault(kind.group, []).append(kind.name)
    return {name: groups[name] for name in [*GROUPS, *sorted(set(groups) - set(GROUPS))] if name in groups}


def page_of(request: HttpRequest, patient_id: UUID, *, zone: ZoneInfo, clinical: bool) -> tuple[TimelineForm, Page]:
    """Return the filters and one page of entries: one statement, as fast at the ten-thousandth event as at the first."""
    groups = kinds_for(clinical=clinical)
    form = TimelineForm(request.GET, groups=list(groups))
    form.is_valid()
    given = form.cleaned_data
    wanted = groups.get(given.get("group", "")) or [kind for kinds in groups.values() for kind in kinds]
    keyset = Keyset(request, order=("-occurred_at", "-id"), size=PAGE_SIZE)
    beyond, values = keyset.where()
    conditions, params = ["e.patient_id = %s", "e.kind = any(%s)", beyond.replace("occurred_at", "e.occurred_at").replace(" id", " e.id")], [
        patient_id, wanted, *values,
    ]  # fmt: skip
    if given.get("channel"):
        conditions.append("e.payload->>'channel' = %s")
        params.append(given["channel"])
    if given.get("since"):
        conditions.append("e.occurred_at >= %s")
        params.append(_midnight(given["since"], zone))
    if given.get("until"):
        conditions.append("e.occurred_at < %s")
        params.append(_midnight(given["until"] + timedelta(days=1), zone))
    found = sql.rows(
        f"""select e.id, e.kind, e.occurred_at, e.actor_kind, e.source, e.historical, e.payload, u.name as actor,
                   (select t.name from messaging_template t where t.key = e.payload->>'template') as template
              from events_event e left join accounts_user u on u.id = e.actor_id and e.actor_kind = 'staff'
             where {" and ".join(conditions)}
               and (e.batch_id is null or not exists (select 1 from events_retraction r where r.batch_id = e.batch_id))
             order by e.{keyset.order_by().replace(", ", ", e.")} limit {keyset.limit}""",
        params,
    )
    page = keyset.cut(found)
    icons = {kind: icon(KINDS[kind].icon) for kind in {row["kind"] for row in page.rows}}
    page.rows[:] = [_entry(row, icons, zone, clinical=clinical) for row in page.rows]
    return form, page


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _entry(row: dict[str, Any], icons: dict[str, SafeString], zone: ZoneInfo, *, clinical: bool) -> Entry:
    kind = KINDS[row["kind"]]
    hides = kind.group == "visits" and not clinical
    title = (
        str(kind.label)
        if hides or not kind.sentence
        else sentence(row["kind"], row["payload"] | ({"template": row["template"]} if row["template"] else {}))
    )
    who = row["actor"] or words.word(words.EVENT_SOURCES, row["source"])
    meta = " · ".join(part for part in (str(who or ""), _("imported history") if row["historical"] else "") if part)
    at: datetime = row["occurred_at"].astimezone(zone)
    return Entry(
        icons[row["kind"]], TONES.get(kind.group, "neutral"), title, f"{at:%Y-%m-%d %H:%M}", at.isoformat(), meta
    )


class _Payload(dict[str, Any]):
    """A payload whose missing fields are empty: events of older versions stay readable."""

    def __missing__(self, name: str) -> str:
        return ""


def sentence(kind: str, payload: dict[str, Any]) -> str:
    """Return an event as a sentence: codes become words, amounts become money."""
    if payload.get("fields") == []:
        return str(KINDS[kind].label)  # earlier imports did not say what they changed
    said = KINDS[kind].sentence or KINDS[kind].label
    shown = _Payload()
    for name, value in payload.items():
        if name in words.PAYLOAD_WORDS:
            shown[name] = words.word(words.PAYLOAD_WORDS[name], value)
        elif name == "fields" and isinstance(value, list):
            shown[name] = _(", ").join(words.word(words.FIELDS, one) for one in value)
        elif name in ("total", "self_pay") and isinstance(value, int) and "currency" in payload:
            shown[name] = words.money(value, payload["currency"])
        else:
            shown[name] = "" if value is None else value
    try:
        return (str(said) % shown).strip()
    except (ValueError, TypeError):
        return str(KINDS[kind].label)

"""The inspector's report: one page to print, and the same as a table."""

from datetime import datetime, timedelta
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires_any
from careloop.audit import services as audit
from careloop.loyalty.guard_report import Watched, add_history, watched
from careloop.policy import selectors
from careloop.policy.models import PolicySignOff
from careloop.web.http import clinic_zone, csv_download, respond
from careloop.web.screens.guard.common import FORM_LABELS, TONES

HISTORY = timedelta(days=730)


@requires_any("policy.sign_off", "loyalty.manage", "audit.view")
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Everything offered with verdicts, legal bases, sign-offs and changes, on one page."""
    organization, now = organizations.current(), timezone.now()
    everything, others = _read(now)
    context = {
        "groups": _groups(everything), "others": others, "organization": organization, "now": now,
        "profile": organization.get_legal_profile_display(),
        "rules": [
            one for one in selectors.organization_rules(organization=organization, on=timezone.localdate(now))
            if one.rule.offers or one.rule.id.startswith(("S", "A1"))
        ],
        "texts": PolicySignOff.objects.filter(subject="TEXT").select_related("approver").order_by("-approved_at")[:50],
        "since": now - HISTORY,
    }  # fmt: skip
    audit.record("guard.report_read", details={"items": len(everything)}, now=now)
    return respond(request, "guard/report.html", context)


@requires_any("policy.sign_off", "loyalty.manage", "audit.view")
@require_GET
def as_csv(request: HttpRequest) -> FileResponse:
    """A line for each thing and form: what it is, verdict, rules, legal base, sign-offs, changes."""
    now, zone = timezone.now(), clinic_zone(request)
    everything, _others = _read(now)
    audit.record("guard.report_read", details={"items": len(everything), "as": "csv"}, now=now)
    header = [
        _("Kind"), pgettext("guard", "Name"), pgettext("guard", "State"), pgettext("guard", "What it gives"), _("Wording"), pgettext("guard", "Shown to"), _("Answer"), _("Rules"), _("Legal base"),
        _("Signed off by"), pgettext("sign-off", "Day"), pgettext("sign-off", "Reason"), _("Document"), _("SHA-256 of the document"), _("Taken back"), pgettext("guard", "Changes"),
    ]  # fmt: skip
    return csv_download(f"guard-{now:%Y%m%d}.csv", header, [line for one in everything for line in _lines(one, zone)])


def _read(now: datetime) -> tuple[list[Watched], list[dict[str, Any]]]:
    everything = watched(organization=organizations.current(), now=now, with_sign_offs=True)
    everything.sort(key=lambda one: (str(one.guarded.label), not one.is_on, one.title))
    return everything, add_history(everything, since=now - HISTORY)


def _groups(everything: list[Watched]) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in everything:
        row = {
            "one": one,
            "forms": [
                {"label": FORM_LABELS[audience], "verdict": verdict, "tone": TONES[verdict.answer],
                 "sign_offs": [row for row in one.sign_offs if row.audience == audience]}
                for audience, verdict in (("one", one.one), ("public", one.public))
            ],
        }  # fmt: skip
        groups.setdefault(str(one.guarded.label), []).append(row)
    return [{"label": label, "rows": rows} for label, rows in groups.items()]


def _lines(one: Watched, zone: Any) -> list[list[str]]:
    history = "; ".join(
        f"{row['recorded_at'].astimezone(zone):%Y-%m-%d %H:%M} {row['label']} ({row['actor_name']})" for row in one.history
    )  # fmt: skip
    lines = []
    for audience, verdict in (("one", one.one), ("public", one.public)):
        signed = [row for row in one.sign_offs if row.audience == audience]
        taken_back = [
            f"{back.withdrawn_at.astimezone(zone):%Y-%m-%d} {back.withdrawn_by.name}: {back.reason}"
            for row in signed for back in row.withdrawals.all()
        ]  # fmt: skip
        lines.append([
            str(one.guarded.label), one.title, str(one.state), str(one.offer), one.offer.text, str(FORM_LABELS[audience]),
            str(verdict.answer.label), ", ".join(verdict.rule_ids), "; ".join(dict.fromkeys(match.legal_base for match in verdict.matches)),
            "; ".join(row.approver.name or row.approver.email for row in signed),
            "; ".join(f"{row.approved_at.astimezone(zone):%Y-%m-%d}" for row in signed), "; ".join(row.reason for row in signed),
            "; ".join(filter(None, (row.document for row in signed))),
            "; ".join(bytes(row.document_hash).hex() for row in signed if row.document_hash), "; ".join(taken_back), history,
        ])  # fmt: skip
    return lines

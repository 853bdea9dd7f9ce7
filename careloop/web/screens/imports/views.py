"""Imports: upload, say what the columns mean, look at what would happen, watch it, mend what was refused, take it back."""

from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.integrations.imports import findings, reasons, services, tasks, uploads
from careloop.integrations.imports import undo as undoing
from careloop.integrations.imports.errors import BatchUnknown
from careloop.integrations.imports.models import ImportBatch, ImportFinding
from careloop.integrations.tabular import loader
from careloop.integrations.tabular import mapping as mappings
from careloop.integrations.tabular.fields import OWN_COLUMN
from careloop.integrations.tabular.findings import Question
from careloop.kernel import vault
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.jobs import defer
from careloop.web.http import csv_download, redirect_to, refuse, respond
from careloop.web.screens.imports import words
from careloop.web.screens.imports.forms import UploadForm

State = ImportBatch.State
SHOWN_ROWS = 5
SHOWN_FINDINGS = 100
TONES = {
    State.DONE: "success", State.FAILED: "danger", State.STOPPED: "warning", State.RUNNING: "info", State.QUEUED: "info",
    State.UNDONE: "neutral", State.UPLOADED: "neutral",
}  # fmt: skip
PHASES = {
    State.QUEUED: "waiting",
    State.RUNNING: "running",
    State.DONE: "done",
    State.STOPPED: "stopped",
    State.FAILED: "failed",
}


def _batch(batch_id: UUID) -> ImportBatch:
    try:
        return services.get_batch(batch_id)
    except BatchUnknown as error:
        raise Http404 from error


@requires("imports.run")
@require_GET
def batches(request: HttpRequest) -> HttpResponse:
    """All imports, newest first."""
    found = ImportBatch.objects.select_related("source", "created_by").order_by("-created_at")[:200]
    rows = [
        {
            "url": reverse("imports:prepare" if one.state == State.UPLOADED else "imports:batch", args=[one.id]),
            "name": one.file_name, "source": one.source.code, "kind": one.get_kind_display(), "at": one.created_at,
            "state": _("dry run") if one.dry_run and one.state == State.DONE else one.get_state_display(),
            "tone": TONES[State(one.state)], "rows": f"{one.rows_read:,}", "refused": f"{one.refused:,}",
            "created": f"{sum((one.counts or {}).get('created', {}).values()):,}", "by": one.created_by.name if one.created_by else "–",
        }
        for one in found
    ]  # fmt: skip
    return respond(request, "imports/list.html", {"rows": rows})


@requires("imports.run")
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file in; nothing is imported yet."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            batch = _take(request, form)
        except DomainError as error:
            form.add_error("file", str(error))
        else:
            return redirect_to(request, reverse("imports:prepare", args=[batch.id]))
    return respond(request, "imports/new.html", {"form": form}, status=422 if request.method == "POST" else 200)


def _take(request: HttpRequest, form: UploadForm) -> ImportBatch:
    values = form.cleaned_data
    stored, name = uploads.save(values["file"])
    path = uploads.folder() / stored
    kind = values["kind"] or uploads.kind_of(path, name)
    return services.create_batch(
        kind=kind, path=path, name=name, source=values["source"] or kind, document=None, dry_run=False,
        by=request.user.pk, now=timezone.now(), stored_as=stored,
    )  # fmt: skip


# --- what the columns mean ------------------------------------------------------------------------------------------


@requires("imports.run")
def prepare(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Show what the file is and what its columns mean; save what the person says; start a dry run or the import."""
    batch = _batch(batch_id)
    if batch.state != State.UPLOADED:
        return redirect_to(request, reverse("imports:batch", args=[batch.id]))
    path = uploads.stored_path(batch)
    if not batch.stored_as or not path.exists():
        return refuse(request, _("The uploaded file is no longer here. Upload it again."), status=410)
    context: dict[str, Any] = {"batch": batch, "tables": [], "notices": [], "problem": ""}
    ready = True
    if batch.kind == ImportBatch.Kind.CSV:
        if request.method == "POST":
            _save_mapping(request, batch)
        ready = _describe(request, batch, path, context)
    if request.method == "POST" and ready and request.POST.get("action") in {"import", "dry_run"}:
        return _start(request, batch, dry_run=request.POST["action"] == "dry_run")
    audit.record("import.previewed", target=("import", batch.id))
    return respond(
        request, "imports/prepare.html", context | {"ready": ready}, fragment="imports/_prepare.html",
        status=422 if request.method == "POST" and not ready and request.POST.get("action") != "preview" else 200,
    )  # fmt: skip


def _save_mapping(request: HttpRequest, batch: ImportBatch) -> None:
    """Keep what the form says about a single table; archives of known tables have nothing to say."""
    kind = request.POST.get("kind", "")
    if kind not in words.KINDS:
        return
    document: dict[str, Any] = {"version": 1, "kind": kind, "source": batch.source.code, "columns": {}, "options": {}}
    columns: dict[str, list[str]] = {}
    names = dict(words.field_choices(kind))
    same_kind = request.POST.get("kind_before") == kind
    for name, value in request.POST.items():
        if name.startswith("column_") and value and value in names and same_kind:
            columns.setdefault(value, []).append("#" + name.removeprefix("column_"))
    for option in ("encoding", "delimiter", "header_line", "sheet", "repair", "date_order", "allow_short_rows"):
        if value := request.POST.get(f"option_{option}", "").strip():
            document["options"][option] = value
    if not document["options"].get("header_line", "0").isdigit():
        del document["options"]["header_line"]
    batch.mapping = {"document": {**document, "columns": columns}} if columns else {"suggest": document}
    batch.save(update_fields=["mapping"])


def _describe(request: HttpRequest, batch: ImportBatch, path: Any, context: dict[str, Any]) -> bool:
    """Fill the page's context with what the tables are; return whether they can be imported."""
    given = (batch.mapping or {}).get("document") or _only_options((batch.mapping or {}).get("suggest"))
    zone = ZoneInfo(request.member.organization.time_zone)  # type: ignore[attr-defined]
    try:
        with loader.open_source(path, name=batch.file_name, document=given) as source:
            _use_saved(batch, source, given)
            context["notices"] = [notice.text for notice in source.notices]
            context["questions"] = [_question(one) for table in source.tables for one in table.questions]
            context["tables"] = [_table(table, zone) for table in source.tables]
    except DomainError as error:
        context["problem"] = str(error)
        return False
    context["single"] = context["tables"][0] if len(context["tables"]) == 1 else None
    if context["single"]:
        context["kinds"] = list(words.KINDS.items())
    return not context["questions"]


def _question(one: Question) -> str:
    """A question in words, with the field called as everywhere on the screen."""
    field = one.values.get("field")
    return reasons.sentence(one.code, one.values | {"field": words.FIELDS.get(field, field)}) if field else one.text


def _only_options(document: dict[str, Any] | None) -> dict[str, Any] | None:
    """A kind and options without columns: the columns are suggested for that kind."""
    if not document:
        return None
    return {"kind": document["kind"], "options": document.get("options", {}), "suggest": True}


def _use_saved(batch: ImportBatch, source: loader.Source, given: dict[str, Any] | None) -> None:
    """Use the mapping this source had last time for the same headers."""
    if given:
        return
    for table in source.tables:
        if known := batch.source.mappings.get(services.fingerprint(table.report.headers)):
            table.mapping = mappings.from_json(known, headers=table.report.headers)


def _table(table: loader.Table, zone: ZoneInfo) -> dict[str, Any]:
    report, mapping = table.report, table.mapping
    field_of: dict[int, str] = {}
    for name, headers in mapping.columns.items():
        for header in headers:
            field_of.setdefault(mappings.place_of(header, report.headers), name)
    choices = words.field_choices(mapping.kind)
    encoding = report.encoding
    return {
        "name": table.name,
        "kind": mapping.kind,
        "kind_word": words.KINDS[mapping.kind],
        "recognised": mapping.recognised,
        "format": report.format,
        "encoding": encoding.label if encoding else "",
        "encodings": ["utf-8", "cp950", "gb18030", "utf-16-le", "utf-16-be", "cp1252"],
        "encoding_chosen": mapping.options.get("encoding", ""),
        "delimiter": report.delimiter_name,
        "header_line": report.header_line,
        "repair": encoding.repair if encoding else "",
        "repaired": bool(mapping.options.get("repair")),
        "date_order": mapping.options.get("date_order", ""),
        "sheets": report.sheet_names,
        "sheet": report.sheet,
        "columns": [
            {
                "place": column.place,
                "header": column.header or f"#{column.place}",
                "samples": column.samples[:3],
                "filled": column.filled,
                "field": field_of.get(at, ""),
                "sure": mapping.confidence.get(field_of.get(at, ""), 1.0) >= 0.9,
                "choices": choices,
            }
            for at, column in enumerate(report.columns)
        ],
        "preview": _preview(table, zone),
    }


def _preview(table: loader.Table, zone: ZoneInfo) -> dict[str, Any]:
    """Return the first rows as they would be imported: only the fields that are filled."""
    if table.questions:
        return {}
    try:
        chunk = next(
            loader.table_chunks(table, zone=zone, today=timezone.now().astimezone(zone).date(), size=200, limit=200),
            None,
        )
    except (DomainError, ValueError):
        return {}
    if chunk is None or not chunk.rows:
        return {}
    used = [
        (at, words.FIELDS[name])
        for at, name in enumerate(chunk.kind.names)
        if name in words.FIELDS and any(row[at] is not None for row in chunk.rows[:SHOWN_ROWS])
    ]
    return {
        "heads": [word for _at, word in used],
        "rows": [[_cell(chunk.kind.names[at], row[at]) for at, _word in used] for row in chunk.rows[:SHOWN_ROWS]],
    }


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    return Patient.Sex(value).label if name == "sex" and value in Patient.Sex.values else value


def _start(request: HttpRequest, batch: ImportBatch, *, dry_run: bool) -> HttpResponse:
    """Queue the import, or a dry run of it that leaves the upload where it is."""
    target = batch
    if dry_run:
        target = ImportBatch.objects.get(id=batch.id)
        target.pk = target.id = uuid7()
        target.dry_run, target.created_at, target._state.adding = True, timezone.now(), True
        target.mapping = {**(batch.mapping or {}), "of": str(batch.id)}
        target.key_wrapped = vault.keyring().wrap(vault.new_data_key(), owner=target.id.bytes)
    if "suggest" in (target.mapping or {}) and "document" not in target.mapping:
        target.mapping = {**target.mapping, "document": _only_options(target.mapping["suggest"])}
    target.state, target.created_by_id = State.QUEUED, request.user.pk
    target.save()
    audit.record("import.queued", target=("import", target.id), details={"dry_run": dry_run})
    defer(tasks.run, current_organization_id(), batch_id=str(target.id))
    return redirect_to(request, reverse("imports:batch", args=[target.id]))


@requires("imports.run")
@require_POST
def start(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Start what a dry run has shown, or go on with an import that was stopped or cut off."""
    batch = _batch(batch_id)
    if batch.dry_run:
        batch = _batch(UUID(batch.mapping.get("of", str(batch.id))))
    if batch.state not in (State.UPLOADED, State.STOPPED, State.FAILED) or not batch.stored_as:
        return refuse(
            request,
            _("This import cannot be started: its state is “%(state)s”.") % {"state": batch.get_state_display()},
            status=409,
        )
    return _start(request, batch, dry_run=False)


# --- the import's page ----------------------------------------------------------------------------------------------


@requires("imports.run")
@require_GET
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """What an import did: numbers, refused rows with reasons, what to look at, and the way back."""
    one = _batch(batch_id)
    if one.state == State.UPLOADED:
        return redirect_to(request, reverse("imports:prepare", args=[one.id]))
    audit.record("import.viewed", target=("import", one.id))
    return respond(request, "imports/batch.html", _page(one), fragment="imports/_batch.html")


def _page(one: ImportBatch) -> dict[str, Any]:
    counts = one.counts or {}
    resources = sorted({name for group in counts.values() for name in group})
    parts = list(
        one.findings.filter(kind=ImportFinding.Kind.REFUSED)
        .values_list("part", flat=True)
        .distinct()
        .order_by("part")[:50]
    )
    return {
        "batch": one,
        "state_word": _("dry run") if one.dry_run and one.state == State.DONE else one.get_state_display(),
        "tone": TONES[State(one.state)],
        "progress": _progress(one),
        "counts": [
            {"word": words.resource_word(name), **{group: counts.get(group, {}).get(name, 0) for group in ("created", "updated", "unchanged")}}
            for name in resources
        ],
        "totals": {group: sum(counts.get(group, {}).values()) for group in ("created", "updated", "unchanged")},
        "notices": [reasons.sentence(n["code"], n.get("values"), line=n.get("line")) for n in one.notices],
        "refused": [_finding(f) for f in one.findings.filter(kind=ImportFinding.Kind.REFUSED).order_by("id")[:SHOWN_FINDINGS]],
        "warned": [_finding(f) for f in one.findings.filter(kind=ImportFinding.Kind.WARNED).order_by("id")[:SHOWN_FINDINGS]],
        "parts": parts,
        "can_undo": not one.dry_run and one.state in (State.DONE, State.STOPPED, State.FAILED) and one.rows_read > 0,
        "can_start": bool(one.stored_as) and ((one.dry_run and one.state == State.DONE) or one.state in (State.STOPPED, State.FAILED)),
        "parent": (one.mapping or {}).get("of", ""),
    }  # fmt: skip


def _finding(one: ImportFinding) -> dict[str, Any]:
    return {
        "part": one.part, "line": one.line, "field": words.FIELDS.get(one.field, one.field),
        "reason": reasons.sentence(one.code, one.values, line=one.line if one.code in _WITH_LINE else None),
    }  # fmt: skip


_WITH_LINE = frozenset({"tabular.total_line", "tabular.nul_removed", "tabular.zeros_restored"})


def _progress(one: ImportBatch) -> dict[str, Any]:
    """Return the inputs of the progress component."""
    now = one.finished_at or timezone.now()
    seconds = max((now - one.started_at).total_seconds(), 0.1) if one.started_at else 0
    rate = one.rows_read / seconds if seconds else 0
    total = one.rows_read
    # what is not over yet, or was broken off, has read so much of the file
    if one.state not in (State.DONE, State.UNDONE) and one.position:
        total = max(one.rows_read, round(one.rows_read * one.file_size / one.position))
    remaining = ""
    if one.state == State.RUNNING and one.position and seconds:
        left = max(one.file_size - one.position, 0) * seconds / one.position
        remaining = ngettext("%(minutes)d minute", "%(minutes)d minutes", max(1, round(left / 60))) % {
            "minutes": max(1, round(left / 60))
        }
        if left < 60:
            remaining = _("less than a minute")
    return {
        "state": PHASES.get(State(one.state), "done"),
        "done": one.rows_read,
        "total": total or None,
        "rate": _("%(rate)s rows/s") % {"rate": f"{rate:,.0f}"} if one.rows_read else "",
        "remaining": remaining,
        "counts": [
            _("%(count)s rows") % {"count": f"{one.rows_read:,}"}, _("%(count)s refused") % {"count": f"{one.refused:,}"},
            _("%(count)s to look at") % {"count": f"{one.warnings:,}"},
        ],
        "problem": one.error,
        "poll_url": reverse("imports:progress", args=[one.id]),
        "stop_url": reverse("imports:stop", args=[one.id]),
    }  # fmt: skip


@requires("imports.run")
@require_GET
def progress(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """The progress bar, asked for every second; when the work is over, the whole page is shown anew."""
    one = _batch(batch_id)
    response = respond(
        request, "imports/batch.html", _page(one) | {"is_answer": True}, fragment="imports/_progress.html"
    )
    if not one.running:
        response["HX-Redirect"] = reverse("imports:batch", args=[one.id])
    return response


@requires("imports.run")
@require_POST
def stop(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Stop behind the chunk at hand; what is written stays and can be undone."""
    one = services.request_stop(batch_id=_batch(batch_id).id, by=request.user, now=timezone.now())
    return redirect_to(
        request, reverse("imports:batch", args=[one.id]), message=_("The import stops behind the rows it is writing.")
    )


@requires("imports.run")
def undo(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Say what undoing would take away, then do it."""
    one = _batch(batch_id)
    back = reverse("imports:batch", args=[one.id])
    if request.method == "POST":
        try:
            undoing.undo_batch(batch_id=one.id, by=None, by_user=request.user.pk, now=timezone.now())
        except DomainError as error:
            return refuse(request, str(error), status=409)
        return redirect_to(request, back, message=_("The import was taken back."))
    found = undoing.obstacles(one) if one.state in (State.DONE, State.STOPPED, State.FAILED) and not one.dry_run else []
    page = _page(one)
    facts = [
        {"label": _("New records that are erased"), "value": f"{page['totals']['created']:,}"},
        {"label": _("Updated records that are put back"), "value": f"{page['totals']['updated']:,}"},
    ]
    context = {"batch": one, "facts": facts, "obstacles": [str(obstacle) for obstacle in found], "back": back}
    return respond(request, "imports/undo.html", context, fragment="imports/_undo.html")


@requires("imports.run")
@require_POST
def discard(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Throw an upload away that was never imported."""
    one = _batch(batch_id)
    if one.state != State.UPLOADED:
        return refuse(request, _("This file was imported already; undo the import instead."), status=409)
    uploads.remove(one)
    audit.record("import.discarded", target=("import", one.id))
    one.delete()
    return redirect_to(request, reverse("imports:list"), message=_("The upload was thrown away."))


@requires("imports.run")
@require_GET
def refused(request: HttpRequest, batch_id: UUID) -> FileResponse:
    """The refused rows as they stood in the file, with reasons behind them: mend them and import this file."""
    one = _batch(batch_id)
    part = request.GET.get("part", "")
    found = one.findings.filter(kind=ImportFinding.Kind.REFUSED, part=part).order_by("id")
    headers = (one.mapping or {}).get("tables", {}).get(part, {}).get("headers", [])
    audit.record("import.refused_downloaded", target=("import", one.id), details={"rows": found.count()})

    def rows() -> Any:
        for finding in found.iterator(2_000):
            raw = findings.open_row(one, finding.raw_sealed)
            cells = [raw] if isinstance(raw, str) else list(raw)
            cells += [""] * (len(headers) - len(cells))
            yield [
                *cells,
                finding.line,
                str(words.FIELDS.get(finding.field, finding.field)),
                reasons.sentence(finding.code, finding.values),
            ]

    return csv_download(
        f"refused-{Path(part or one.file_name).stem}.csv",
        [*headers, *(OWN_COLUMN + name for name in ("row", "field", "reason"))],
        rows(),
    )

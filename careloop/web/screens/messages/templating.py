"""Templates: the list, the editor with its chips, previews for a real patient, publishing with the verdict."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.messaging import rendering, services, texts, variables, words
from careloop.messaging.models import MessageTemplate, TemplateVersion
from careloop.policy.answers import Answer
from careloop.web.http import redirect_to, refuse, respond
from careloop.web.screens.messages import common
from careloop.web.screens.messages.forms import NewTemplateForm

LANGUAGES = (("zh-hant", "繁體中文"), ("zh-hans", "简体中文"), ("en", "English"))
MOST_TAPS = 4
VERDICT_TONES = {"ALLOW": "success", "WARN": "warning", "REQUIRE": "danger", "SIGN_OFF": "warning", "BLOCK": "danger"}


@requires("messages.view")
@require_GET
def templates(request: HttpRequest) -> HttpResponse:
    """All templates with their class and state."""
    found = sql.rows(
        """select t.id, t.key, t.name, t.description, t.message_class, t.is_library, t.is_archived,
                  max(v.number) filter (where v.published_at is not null) as published,
                  max(v.published_at) as published_at, bool_or(v.published_at is null) as has_draft,
                  coalesce(sum(s.sent), 0)::int as sent
             from messaging_template t left join messaging_template_version v on v.template_id = t.id
             left join (select template_version_id, count(*) as sent from messaging_message
                         where accepted_at > %s - interval '30 days' group by 1) s on s.template_version_id = v.id
            group by t.id order by t.is_archived, t.message_class, t.name""",
        [timezone.now()],
    )
    labels = dict(MessageTemplate._meta.get_field("message_class").choices)  # type: ignore[arg-type]
    for row in found:
        row["class_label"] = labels[row["message_class"]]
    member: Any = request.member  # type: ignore[attr-defined]
    context = {"rows": found, "tabs": common.tabs(request, "templates"), "may_edit": member.can("messages.templates")}
    return respond(request, "messages/templates.html", context)


@requires("messages.templates")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Name and class of a new template; its words come next."""
    form = NewTemplateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = texts.create_template(
            key=f"own-{uuid7().hex[-12:]}", by=request.user, now=timezone.now(), **form.cleaned_data
        )
        return redirect_to(request, reverse("messaging:template", args=[made.pk]))
    return respond(request, "messages/template_new.html", {"form": form}, status=422 if form.errors else 200)


@requires("messages.view")
@require_http_methods(["GET", "POST"])
def template(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """The words in three languages; a POST keeps them as a draft."""
    one = _template(template_id)
    member: Any = request.member  # type: ignore[attr-defined]
    error = ""
    version = _current(one)
    given: dict[str, Any] = version.texts if version else {}
    if request.method == "POST":
        if not member.can("messages.templates"):
            raise PermissionDenied("messages.templates")
        given = read_texts(request)
        try:
            texts.save_draft(template=one, texts=given, by=request.user, now=timezone.now())
        except DomainError as refused:
            error = str(refused)
        else:
            url = reverse("messaging:template", args=[one.pk])
            return redirect_to(
                request, url, message=_("The draft is saved. Nothing is sent with it until it is published.")
            )
    versions = list(one.versions.order_by("-number").values("id", "number", "published_at", "published_by__name"))
    context = {
        "template": one, "version": version, "languages": _editing(given), "error": error, "versions": versions,
        "may_edit": member.can("messages.templates"), "chips": _chips(), "answers": list(words.ANSWERS.items())[:8],
        "verdict": _verdict(version, one), "is_draft": bool(version and version.published_at is None),
        "patients": _examples(),
    }  # fmt: skip
    return respond(request, "messages/template.html", context, status=422 if error else 200)


@requires("messages.view")
@require_GET
def previews(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """How it would look on every channel, for a real patient or with examples."""
    one = _template(template_id)
    version = _current(one)
    language = request.GET.get("language", "")
    patient = request.GET.get("patient", "")
    try:
        patient_id = UUID(patient) if patient else None
    except ValueError:
        patient_id = None
    here, limit = at_home("home_location_id")
    if patient_id and not sql.value(
        f"select 1 from patients_patient where id = %(id)s{here}", {"id": patient_id, **limit}
    ):
        raise Http404
    shown = []
    if version and version.texts:
        shown = [
            {
                "preview": services.preview(version, patient_id=patient_id, channel=channel,
                                            language=language if language in rendering.LANGUAGES else "", now=timezone.now()),
                "label": common.channel_name(channel), "icon": common.CHANNEL_ICONS[channel],
            }
            for channel in ("line", "sms", "email")
        ]  # fmt: skip
    context = {
        "template": one, "previews": shown, "language": language, "patient": patient, "languages": LANGUAGES, "patients": _examples(),
    }  # fmt: skip
    return respond(request, "messages/previews.html", context, fragment="messages/_previews.html")


@requires("messages.templates")
@require_POST
def publish(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Publish the draft, or say what stands in the way."""
    one = _template(template_id)
    draft = one.versions.filter(published_at__isnull=True).first()
    if draft is None:
        return refuse(request, _("There is no draft to publish."))
    try:
        texts.publish(version_id=draft.pk, by=request.user, now=timezone.now())
    except DomainError as error:
        return redirect_to(request, reverse("messaging:template", args=[one.pk]), message=str(error), tone="danger")
    return redirect_to(
        request, reverse("messaging:template", args=[one.pk]), message=_("Published. New messages use these words.")
    )


@requires("messages.templates")
@require_POST
def archive(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Take it out of use, or back."""
    one = _template(template_id)
    texts.archive_template(template_id=one.pk, archived=not one.is_archived, by=request.user, now=timezone.now())
    return redirect_to(request, reverse("messaging:templates"), message=_("Saved."))


# -- inside ----------------------------------------------------------------------------------------------------


def _template(template_id: UUID) -> MessageTemplate:
    one = MessageTemplate.objects.filter(pk=template_id).first()
    if one is None:
        raise Http404
    return one


def _current(one: MessageTemplate) -> TemplateVersion | None:
    """The draft, or the newest published words."""
    return one.versions.select_related("template").order_by("-number").first()


def read_texts(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """Return the texts as the editor sends them."""
    given: dict[str, dict[str, Any]] = {}
    for language, _label in LANGUAGES:
        entry: dict[str, Any] = {
            name: request.POST.get(f"{language}-{name}", "") for name in ("subject", "text", "sms", "email")
        }
        entry["quick_replies"] = [
            {
                "label": request.POST.get(f"{language}-label-{n}", ""),
                "answer": request.POST.get(f"{language}-answer-{n}", ""),
            }
            for n in range(MOST_TAPS)
            if request.POST.get(f"{language}-label-{n}", "").strip()
        ]
        given[language] = entry
    return given


def _editing(given: dict[str, Any]) -> list[dict[str, Any]]:
    shown = []
    for language, label in LANGUAGES:
        entry = given.get(language) or {}
        taps = list(entry.get("quick_replies") or ())
        taps = [{**tap, "meaning": words.ANSWERS.get(tap["answer"], "")} for tap in taps]
        taps += [{"label": "", "answer": "", "meaning": ""}] * (MOST_TAPS - len(taps))
        shown.append(
            {
                "code": language,
                "label": label,
                "entry": entry,
                "taps": taps[:MOST_TAPS],
                "is_there": bool(entry.get("text")),
            }
        )
    return shown


def _chips() -> list[dict[str, Any]]:
    return [
        {"code": "{{ " + one.name + " }}", "label": one.label, "example": one.example["zh-hant"], "given": one.given}
        for one in variables.VARIABLES.values()
    ]


def _verdict(version: TemplateVersion | None, one: MessageTemplate) -> dict[str, Any]:
    """What the rules say about the words now: a draft is asked at once, published words keep what was said then."""
    if version is None or not version.texts:
        return {}
    try:
        names, _required = rendering.names_in(version.texts)
    except rendering.RenderProblem as problem:
        return {
            "tone": "danger",
            "label": _("Not written correctly"),
            "lines": [str(rendering.WHY_TEXT.get(problem.reason, problem.reason))],
        }
    unknown = rendering.unknown_names(names)
    lines = [_("Unknown placeholders: %(names)s") % {"names": ", ".join(sorted(unknown))}] if unknown else []
    said = texts.check_texts(version.texts, message_class=one.message_class, now=timezone.now())
    for match in said.matches:
        quoted = f"「{match['text']}」" if match["text"] else ""
        lines.append(f"{match['rule']} {quoted} {match['message']} ({match['base']})")
    return {
        "tone": "danger" if unknown else VERDICT_TONES[said.answer],
        "label": _("Not written correctly") if unknown else Answer(said.answer).label,
        "lines": list(dict.fromkeys(lines)),
    }


def _examples() -> list[dict[str, Any]]:
    """A few patients to preview with: those written to last, then any."""
    here, limit = at_home("home_location_id")
    return sql.rows(
        f"""select id, name, chart_number from patients_patient
            where merged_into_id is null and not deceased{here} order by updated_at desc, id desc limit 12""",
        limit,
    )

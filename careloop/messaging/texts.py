"""Templates: drafting, checking, publishing; a published version is never changed."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from careloop.audit import services as audit
from careloop.kernel.text import clean
from careloop.messaging import rendering
from careloop.messaging.errors import BadText, NotPublishable, UnknownTemplate
from careloop.messaging.models import MessageClass, MessageTemplate, TemplateVersion
from careloop.messaging.rules import CHANNEL_ORDER
from careloop.policy import services as policy
from careloop.policy.answers import Verdict
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

STAFF_NOTE = "staff-note"
CODE = "sign-in-code"
FIELDS = ("subject", "text", "sms", "email", "quick_replies", "buttons")


def LANGUAGE_ORDER(language: str) -> int:
    """Return a language's place: Traditional Chinese first."""
    return rendering.LANGUAGES.index(language) if language in rendering.LANGUAGES else 99


# -- reading ---------------------------------------------------------------------------------------------------


def published_version(template_key: str) -> TemplateVersion:
    """Return the newest published words of a template.

    Raises:
        UnknownTemplate: no such template, it is archived, or nothing is published.
    """
    version = (
        TemplateVersion.objects.select_related("template")
        .filter(template__key=template_key, template__is_archived=False, published_at__isnull=False)
        .order_by("-number")
        .first()
    )
    if version is None:
        raise UnknownTemplate(key=template_key)
    return version


def staff_note_version(*, message_class: str = "OPERATIONAL") -> TemplateVersion:
    """Return the frame around what staff write: greeting, their words, the clinic's name."""
    return library_version(STAFF_NOTE)


def library_version(template_key: str) -> TemplateVersion:
    """Return the published words of a template the program itself needs; it is brought in when the clinic lacks it."""
    try:
        return published_version(template_key)
    except UnknownTemplate:
        install_library(now=_organization().created_at)
        return published_version(template_key)


# -- checking --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TextVerdict:
    """What policy says about every text of a version, as it is stored and shown."""

    answer: str
    matches: tuple[dict[str, Any], ...]
    message_class: str
    declared_class: str

    @property
    def may_be_sent(self) -> bool:
        return self.answer in ("ALLOW", "WARN")

    @property
    def reclassified(self) -> bool:
        return self.message_class != self.declared_class

    @property
    def sentence(self) -> str:
        """The first thing that stands in the way, in words."""
        strongest = [match for match in self.matches if match["answer"] == self.answer]
        return " ".join(dict.fromkeys(str(match["message"]) for match in strongest)) or self.answer

    def stored(self) -> dict[str, Any]:
        return {
            "answer": self.answer, "class": self.message_class,
            "matches": [{**match, "message": str(match["message"])} for match in self.matches],
        }  # fmt: skip


def _joined(verdicts: list[tuple[str, str, Verdict]], declared: str) -> TextVerdict:
    matches: list[dict[str, Any]] = []
    answer, effective = "ALLOW", declared
    strength = -1
    for language, channel, verdict in verdicts:
        if verdict.answer.strength > strength:
            answer, strength = str(verdict.answer), verdict.answer.strength
        if verdict.reclassified and verdict.message_class:
            effective = str(verdict.message_class)
        for match in verdict.matches:
            matches.append(
                {
                    "rule": match.rule_id, "answer": str(match.answer), "message": match.message, "base": match.legal_base,
                    "text": match.text, "language": language, "channel": channel,
                }
            )  # fmt: skip
    once = {(m["rule"], m["language"], m["text"], str(m["answer"])): m for m in matches}
    return TextVerdict(answer, tuple(once.values()), effective, declared)


def check_texts(
    texts: Mapping[str, Mapping[str, Any]], *, message_class: str, now: datetime, checker: policy.Checker | None = None
) -> TextVerdict:
    """Ask the legal rules about every language and channel of a text, as it will look with its refusal line."""
    organization = _organization()
    checker = checker or policy.checker_for(organization)
    verdicts: list[tuple[str, str, Verdict]] = []
    for language, entry in texts.items():
        for channel in CHANNEL_ORDER:
            if whole := whole_text(entry, channel):
                verdicts.append((language, channel, ask(whole, message_class, channel, organization, checker)))
    return _joined(verdicts, message_class)


def whole_text(entry: Mapping[str, Any], channel: str) -> str:
    """Return what one language says on one channel, with subject and taps, as the rules read it; nothing if it says nothing."""
    source = next((str(entry[name]) for name in rendering.CHANNEL_TEXTS[channel] if entry.get(name)), "")
    if not source:
        return ""
    labels = [item["label"] for item in (*entry.get("quick_replies", ()), *entry.get("buttons", ()))]
    return "\n".join([str(entry.get("subject", "")) if channel == "email" else "", source, *labels]).strip()


def check_words(text: str, *, message_class: str, channel: str, now: datetime) -> TextVerdict:
    """Ask the legal rules about words that somebody wrote by hand."""
    verdict = ask(text, message_class, channel, _organization())
    return _joined([("", channel, verdict)], message_class)


def ask(
    text: str, message_class: str, channel: str, organization: Organization, checker: policy.Checker | None = None
) -> Verdict:
    """Ask the legal rules about a text with its refusal line; a sign-off of exactly this text counts."""
    marketing = message_class == MessageClass.MARKETING
    return policy.check_text(
        text, message_class=message_class, channel=channel, organization=organization,
        opt_out=marketing, one_click=channel == "email", checker=checker,
    )  # fmt: skip


# -- writing ---------------------------------------------------------------------------------------------------


def tidy(texts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return texts as they are stored: known languages and fields only, cleaned, empty ones left out.

    Raises:
        BadText: a quick reply without a label or an answer, or too many of them.
    """
    kept: dict[str, dict[str, Any]] = {}
    for language in rendering.LANGUAGES:
        given = texts.get(language) or {}
        entry: dict[str, Any] = {}
        for name in ("subject", "text", "sms", "email"):
            value = clean(str(given.get(name) or "").replace("\r\n", "\n"))
            if value:
                entry[name] = value
        for name in ("quick_replies", "buttons"):
            items = [_tap(item) for item in given.get(name) or () if any(str(part).strip() for part in item.values())]
            if items:
                entry[name] = items
        if entry.get("text"):
            kept[language] = entry
    return kept


def _tap(item: Mapping[str, Any]) -> dict[str, str]:
    label = clean(str(item.get("label") or ""))
    answer, url = str(item.get("answer") or "").strip(), str(item.get("url") or "").strip()
    if not label or len(label) > 20 or bool(answer) == bool(url):
        from django.utils.translation import gettext as _

        raise BadText(why=_("every answer needs words of at most 20 characters and what it means"))
    return {"label": label, "answer": answer} if answer else {"label": label, "url": url}


@transaction.atomic
def save_draft(
    *, template: MessageTemplate, texts: Mapping[str, Mapping[str, Any]], by: Any, now: datetime, note: str = ""
) -> TemplateVersion:
    """Keep words in the template's one draft, made when there is none. Drafts may be incomplete."""
    template = MessageTemplate.objects.select_for_update().get(pk=template.pk)
    draft = template.versions.filter(published_at__isnull=True).first()
    if draft is None:
        last = template.versions.aggregate(last=Max("number"))["last"] or 0
        draft = TemplateVersion(template=template, number=last + 1, created_at=now, created_by=by)
    draft.texts, draft.note = tidy(texts), clean(note)[:200]
    draft.verdict = {}
    draft.save()
    return draft


@transaction.atomic
def publish(*, version_id: UUID, by: Any, now: datetime) -> TemplateVersion:
    """Publish a draft: from now on new messages use it; those planned before keep the words they were planned with.

    Raises:
        NotPublishable: a placeholder is unknown or written wrongly, a language lacks its text or subject, or a legal rule
            says no; the sentence says which.
    """
    version = TemplateVersion.objects.select_for_update().select_related("template").get(pk=version_id)
    if version.published_at is None:
        _make_public(version, by=by, now=now)
        version.save()
        _note_published(version)
    return version


def _note_published(version: TemplateVersion) -> None:
    audit.record(
        "template.published", target=("message_template", version.template_id), details={"number": version.number}
    )


def _make_public(version: TemplateVersion, *, by: Any, now: datetime, checker: policy.Checker | None = None) -> None:
    """Fill in what a published version holds, after everything that `publish` refuses."""
    from django.utils.translation import gettext as _

    if "zh-hant" not in version.texts:
        raise NotPublishable(why=_("the text in Traditional Chinese is missing"))
    if any(not entry.get("subject") for entry in version.texts.values()):
        raise NotPublishable(why=_("every language needs a subject for e-mail"))
    try:
        names, required = rendering.names_in(version.texts)
        for language in version.texts:
            for channel in CHANNEL_ORDER:
                rendering.compile_texts(version.texts).words(
                    channel=channel, language=language, context=rendering.example_context(language)
                )
    except rendering.RenderProblem as problem:
        raise NotPublishable(why=str(rendering.WHY_TEXT.get(problem.reason, problem.reason))) from None
    if unknown := rendering.unknown_names(names):
        raise NotPublishable(why=_("unknown placeholders: %(names)s") % {"names": ", ".join(sorted(unknown))})
    verdict = check_texts(version.texts, message_class=version.template.message_class, now=now, checker=checker)
    if not verdict.may_be_sent:
        raise NotPublishable(why=verdict.sentence)
    if verdict.reclassified:
        raise NotPublishable(why=_("these words make it marketing, and the template is declared otherwise"))
    version.variables, version.required = sorted(names), sorted(required)
    version.verdict = verdict.stored()
    version.published_at, version.published_by = now, by


@transaction.atomic
def create_template(
    *, key: str, name: str, message_class: str, by: Any, now: datetime, description: str = ""
) -> MessageTemplate:
    """Make a template without words yet; the same key returns the one that is there."""
    template, created = MessageTemplate.objects.get_or_create(
        key=key,
        defaults={
            "name": clean(name),
            "description": clean(description),
            "message_class": message_class,
            "created_at": now,
        },
    )
    if created:
        audit.record("template.created", target=("message_template", template.pk))
    return template


@transaction.atomic
def archive_template(*, template_id: UUID, archived: bool, by: Any, now: datetime) -> None:
    """Take a template out of use, or back into it; messages planned with it still go."""
    MessageTemplate.objects.filter(pk=template_id).update(is_archived=archived)
    audit.record("template.archived" if archived else "template.restored", target=("message_template", template_id))


# -- the library that comes with the program -------------------------------------------------------------------


@lru_cache(maxsize=1)
def library() -> tuple[dict[str, Any], ...]:
    """Return the templates that come with the program, as data."""
    folder = Path(__file__).parent / "data"
    return tuple(tomllib.loads((folder / "library.toml").read_text(encoding="utf-8"))["template"])


@transaction.atomic
def install_library(*, now: datetime) -> int:
    """Give the current organization the library's templates it does not have yet, published; return how many are new."""
    known = set(MessageTemplate.objects.values_list("key", flat=True))
    missing = [entry for entry in library() if entry["key"] not in known]
    checker = policy.checker_for(_organization())
    versions = []
    for entry in missing:
        template = MessageTemplate(
            key=entry["key"], name=entry["name"], description=entry["description"], message_class=entry["class"],
            is_library=True, created_at=now,
        )  # fmt: skip
        version = TemplateVersion(template=template, number=1, texts=tidy(entry["texts"]), created_at=now)
        _make_public(version, by=None, now=now, checker=checker)
        versions.append(version)
    MessageTemplate.objects.bulk_create(version.template for version in versions)
    TemplateVersion.objects.bulk_create(versions)
    for version in versions:
        _note_published(version)
    return len(versions)


def _organization() -> Organization:
    return Organization.objects.get(pk=current_organization_id())

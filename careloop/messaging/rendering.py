"""From a published version and a patient to the words that leave: compiled once, sandboxed, never half a text."""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import minijinja
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.messaging.ports import Button, Link, QuickReply
from careloop.messaging.variables import VARIABLES, spoken

FUEL = 20_000
LANGUAGES = ("zh-hant", "zh-hans", "en")
CHANNEL_TEXTS = {"line": ("text",), "sms": ("sms", "text"), "email": ("email", "text")}


class RenderProblem(Exception):
    """A text could not be made. `reason` is the code for the message, `details` say which name or line."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


@dataclass(frozen=True)
class Words:
    """What is said, before it knows to whom: taps and links without their addresses."""

    text: str
    subject: str = ""
    quick_replies: tuple[dict[str, str], ...] = ()
    buttons: tuple[dict[str, str], ...] = ()


@dataclass
class Compiled:
    """One version in all languages. Not shared between threads while a template is added: built whole, then read."""

    environment: minijinja.Environment
    texts: Mapping[str, Mapping[str, Any]]
    names: frozenset[str] = field(default_factory=frozenset)
    template_key: str = ""
    ways: dict[tuple[str, str], tuple[str, tuple[dict[str, str], ...], tuple[dict[str, str], ...]]] = field(
        default_factory=dict
    )

    def language(self, wanted: str, default: str) -> str:
        for language in (wanted, default, *LANGUAGES):
            if language in self.texts:
                return language
        return next(iter(self.texts))

    def words(self, *, channel: str, language: str, context: Mapping[str, Any]) -> Words:
        """Return the words for one channel and language.

        Raises:
            RenderProblem: a variable is missing, or the template does too much or what it may not.
        """
        text_name, quick_replies, buttons = self._way(channel, language)
        try:
            text = self.environment.render_template(text_name, **context).strip()
            subject = ""
            if channel == "email":
                subject = self.environment.render_template(f"{language}.subject", **context).strip()
        except minijinja.TemplateError as error:
            raise _problem(error) from None
        if not text or (channel == "email" and not subject):
            raise RenderProblem("render", what="empty")
        return Words(text, " ".join(subject.split()), quick_replies, buttons)

    def _way(self, channel: str, language: str) -> tuple[str, tuple[dict[str, str], ...], tuple[dict[str, str], ...]]:
        """Return what one channel takes of a language: the name of its text, its quick replies and buttons."""
        if (channel, language) not in self.ways:
            entry = self.texts[language]
            which = next((name for name in CHANNEL_TEXTS[channel] if entry.get(name)), "text")
            taps = tuple(entry.get("quick_replies", ())), tuple(entry.get("buttons", ()))
            self.ways[channel, language] = f"{language}.{which}", *taps
        return self.ways[channel, language]

    @cached_property
    def opens_page(self) -> bool:
        """Whether a text or a button shows the address of one of the message's pages."""
        taps = (item for entry in self.texts.values() for item in entry.get("buttons", ()))
        return any(name.partition(".")[0] == "link" for name in self.names) or any(
            item.get("answer") in ON_PAGE for item in taps
        )


def _problem(error: minijinja.TemplateError) -> RenderProblem:
    if error.kind == "UndefinedError":
        name = str(error.message or error.detail or "").partition("`")[2].partition("`")[0]
        return RenderProblem("missing_variable", missing=[name] if name else [])
    return RenderProblem("render", what=str(error.kind), line=error.line)


def compile_texts(texts: Mapping[str, Mapping[str, Any]]) -> Compiled:
    """Compile a version's texts.

    Raises:
        RenderProblem: a text is no valid template; details name language, field and line.
    """
    environment = minijinja.Environment(undefined_behavior="strict", fuel=FUEL, debug=False, pycompat=False)
    names: set[str] = set()
    for language, entry in texts.items():
        for which in ("text", "sms", "email", "subject"):
            source = entry.get(which) or ""
            name = f"{language}.{which}"
            try:
                environment.add_template(name, source)
                names |= environment.undeclared_variables_in_template(name, nested=True)
            except minijinja.TemplateError as error:
                raise RenderProblem("syntax", language=language, field=which, line=error.line) from None
    return Compiled(environment, texts, frozenset(names))


@lru_cache(maxsize=512)
def _compiled(version_id: UUID) -> Compiled:
    from careloop.messaging.models import TemplateVersion

    texts, key = TemplateVersion.objects.values_list("texts", "template__key").get(pk=version_id)
    made = compile_texts(texts)
    made.template_key = key
    return made


def compiled(version_id: UUID) -> Compiled:
    """Return a published version compiled; it is kept, because it never changes."""
    return _compiled(version_id)


def names_in(texts: Mapping[str, Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """Return the variables the texts use, and those among them that a caller must give.

    Raises:
        RenderProblem: a text is no valid template.
    """
    names = set(compile_texts(texts).names)
    given = {name for name, variable in VARIABLES.items() if variable.given}
    return names, {name for name in names if name not in given}


def unknown_names(names: set[str]) -> set[str]:
    """Return names that no variable has: a typing mistake, most likely."""
    return names - set(VARIABLES)


def context_of(given: Mapping[str, Any], params: Mapping[str, Any], *, language: str, zone: ZoneInfo) -> dict[str, Any]:
    """Return what a template sees: `{"patient": {"name": …}, …}` from flat names, parameters as people say them."""
    context: dict[str, Any] = {}
    for name, value in given.items():
        group, dot, leaf = name.partition(".")
        if dot:
            context.setdefault(group, {})[leaf] = value
        else:
            context[name] = value
    for name, value in params.items():
        if value is not None and "." not in name:
            try:
                context[name] = spoken(name, value, language, zone)
            except ValueError:
                raise RenderProblem("render", what="bad_value", name=name) from None
    return context


def example_context(language: str) -> dict[str, Any]:
    """Return the examples of all variables, for previews without a patient."""
    context: dict[str, Any] = {}
    for variable in VARIABLES.values():
        group, dot, leaf = variable.name.partition(".")
        if dot:
            context.setdefault(group, {})[leaf] = variable.example[language]
        else:
            context[variable.name] = variable.example[language]
    return context


# -- what hangs on the words -----------------------------------------------------------------------------------

REFUSE: dict[str, dict[str, str]] = {
    "zh-hant": {"line": "不想再收到這類訊息，請回覆「退訂」。", "email": "不想再收到這類信件"},
    "zh-hans": {"line": "不想再收到这类消息，请回复“退订”。", "email": "不想再收到这类邮件"},
    "en": {"line": "Reply STOP to receive no more of these messages.", "email": "Unsubscribe"},
}
"""How a person refuses: added to every marketing message, so that no template can forget it (rules P4, M4)."""

VISIT_ANSWERS = frozenset({"CONFIRM", "MOVE", "CANCEL", "AGAIN", "TAKE", "PASS", "OFF_LIST"})
NUMBER_ANSWERS = frozenset({"CHECK_IN", "NUMBER"})
"""What leads to the patient's number in the waiting room: saying “I am here”, and seeing how far it is."""
ON_PAGE = frozenset({"MOVE", "CANCEL", "AGAIN", "OFF_LIST"}) | NUMBER_ANSWERS
"""Answers that need a page: moving asks for a time, calling off and leaving the waitlist ask once more, a number is looked at."""
OFFER_HERE = {"zh-hant": "要或不要請按：", "zh-hans": "要或不要请点：", "en": "Take it or leave it:"}
VISIT_HERE = {"zh-hant": "確認、改期或取消：", "zh-hans": "确认、改期或取消：", "en": "Confirm, move or cancel:"}
NUMBER_HERE = {"zh-hant": "看診進度：", "zh-hans": "就诊进度：", "en": "Your number, live: "}
AGAIN_HERE = {"zh-hant": "重新選擇時間：", "zh-hans": "重新选择时间：", "en": "Choose another time:"}
CONFIRM_FOR = {"zh-hant": "{name}會到", "zh-hans": "{name}会到", "en": "{name} is coming"}
NUMBER = {"zh-hant": "{number}號", "zh-hans": "{number}号", "en": "no. {number}"}


def visit_line(name: str, said: Mapping[str, Any], *, language: str) -> str:
    """Return one visit of a family's day, as a line of the message that tells all of them.

    >>> visit_line("王○明", {"visit_time": "09:30", "practitioner": "林怡君", "visit_number": "12"}, language="zh-hant")
    '・王○明　09:30　林怡君　12號'
    """
    number = str(said.get("visit_number") or "")
    parts = [name, said.get("visit_time", ""), said.get("practitioner", "")]
    if number:
        parts.append(NUMBER[language].format(number=number))
    return ("- " if language == "en" else "・") + (", " if language == "en" else "　").join(
        part for part in parts if part
    )


ANSWER_HERE = {"zh-hant": "請點這裡回覆", "zh-hans": "请点这里回复", "en": "Answer here"}
CHOICES = {"zh-hant": "選擇想收到的訊息", "zh-hans": "选择想收到的消息", "en": "Choose what you receive"}


@dataclass(frozen=True)
class Dressed:
    """Words with their taps and links, for one channel."""

    text: str
    subject: str
    quick_replies: tuple[QuickReply, ...]
    buttons: tuple[Button, ...]
    links: tuple[Link, ...]
    unsubscribe_url: str
    html: str = ""


@dataclass(frozen=True)
class Doors:
    """The addresses of one message's pages, and the data its taps carry back."""

    answer: str
    unsubscribe: str
    preferences: str
    tap: str
    visit: str = ""
    number: str = ""

    def page_of(self, code: str) -> str:
        """Return the address of the page where this answer is given."""
        if code in NUMBER_ANSWERS:
            return self.number
        return f"{self.visit if code in VISIT_ANSWERS else self.answer}?a={code}"

    def tap_data(self, code: str) -> str:
        return f"{self.tap}&a={code}"


def dress(
    words: Words,
    *,
    channel: str,
    language: str,
    message_class: str,
    doors: Doors,
    clinic: str = "",
    color: str = "#0f766e",
) -> Dressed:
    """Put taps and links on the words, as the channel can carry them.

    E-mail and SMS cannot be answered by a tap: e-mail shows each answer as a link to the answer page, SMS one link to it.
    """
    text, links = words.text, []
    quick_replies: list[QuickReply] = []
    buttons: list[Button] = []
    for item in words.quick_replies:
        code = item["answer"]
        url = doors.page_of(code) if channel == "email" else ""
        quick_replies.append(QuickReply(item["label"], item["label"], doors.tap_data(code), url))
    for item in words.buttons:
        if item.get("url"):
            links.append(Link(item["label"], item["url"]))
        else:
            url = doors.page_of(item["answer"]) if channel == "email" or item["answer"] in ON_PAGE else ""
            buttons.append(Button(item["label"], "" if url else doors.tap_data(item["answer"]), url))
    marketing = message_class == "MARKETING"
    if channel == "sms":
        codes = {item.get("answer") for item in (*words.quick_replies, *words.buttons)}
        if codes & VISIT_ANSWERS:
            here = VISIT_HERE if "CONFIRM" in codes else OFFER_HERE if "TAKE" in codes else AGAIN_HERE
            text += f"\n{here[language]}{doors.visit}"
        elif codes & NUMBER_ANSWERS:
            text += f"\n{NUMBER_HERE[language]}{doors.number}"
        elif quick_replies or buttons:
            text += f"\n{ANSWER_HERE[language]} {doors.answer}"
        if marketing:
            text += f"\n{REFUSE[language]['line']}"
        return Dressed(text, "", (), (), (), "")
    if channel == "line":
        if marketing:
            text += f"\n\n{REFUSE[language]['line']}"
        return Dressed(text, "", tuple(quick_replies), tuple(buttons), tuple(links), "")
    refusable = message_class not in ("OPERATIONAL", "CARE")
    if refusable:
        links.append(Link(REFUSE[language]["email"], doors.unsubscribe))
    else:
        links.append(Link(CHOICES[language], doors.preferences))
    body = email_html(words.text, quick_replies, buttons, links, language=language, clinic=clinic, color=color)
    return Dressed(
        text, words.subject, tuple(quick_replies), tuple(buttons), tuple(links),
        doors.unsubscribe if refusable else "", body,
    )  # fmt: skip


_TEXT_HERE, _TOKEN_HERE, _TAP_HERE = "\x00text\x00", "\x00token\x00", "\x00tap\x00"
Pieces = tuple[str, ...]  # what stands around a mark; `value.join(pieces)` fills it


class Layout:
    """What hangs on one template's words on one channel, dressed once and filled for each message of a batch.

    Made by `dress` with marks where a message's own text, token and tap go, and cut there: messages of one template differ in
    nothing else.
    """

    def __init__(self, dressed: Dressed) -> None:
        before, self._after_text = _cut_text(dressed.text)
        assert not before
        self._page, self._after_page = _cut_text(dressed.html) if dressed.html else ("", ())
        self._quick_replies = [
            (item.label, item.text, _pieces(item.data, _TAP_HERE), _pieces(item.url, _TOKEN_HERE))
            for item in dressed.quick_replies
        ]
        self._buttons = [
            (item.label, _pieces(item.data, _TAP_HERE), _pieces(item.url, _TOKEN_HERE)) for item in dressed.buttons
        ]
        self._links = [(item.label, _pieces(item.url, _TOKEN_HERE)) for item in dressed.links]
        self._unsubscribe = _pieces(dressed.unsubscribe_url, _TOKEN_HERE)

    def fill(self, words: Words, *, token: str, tap: str) -> Dressed:
        """Return one message's words with what hangs on them, as `dress` does."""
        page = ""
        if self._page:
            page = self._page + html.escape(words.text).replace("\n", "<br>") + token.join(self._after_page)
        return Dressed(
            words.text + token.join(self._after_text), words.subject,
            tuple([QuickReply(label, said, tap.join(data), token.join(url)) for label, said, data, url in self._quick_replies]),
            tuple([Button(label, tap.join(data), token.join(url)) for label, data, url in self._buttons]),
            tuple([Link(label, token.join(url)) for label, url in self._links]),
            token.join(self._unsubscribe), page,
        )  # fmt: skip


def layout(
    words: Words, *, channel: str, language: str, message_class: str, doors_at: Callable[[str, str], Doors], clinic: str, color: str
) -> Layout:  # fmt: skip
    """Return the layout of all messages with these taps. `doors_at` makes doors from a token and a tap.

    >>> words = Words("", quick_replies=({"label": "Yes", "answer": "YES"},))
    >>> doors = lambda token, tap: Doors(f"/m/{token}/", f"/u/{token}/", f"/c/{token}/", tap)
    >>> made = layout(words, channel="email", language="en", message_class="CARE", doors_at=doors, clinic="A & B", color="#000")
    >>> mine = Words("5 < 6", "Hello", words.quick_replies)
    >>> made.fill(mine, token="T", tap="m=1") == dress(
    ...     mine, channel="email", language="en", message_class="CARE", doors=doors("T", "m=1"), clinic="A & B", color="#000")
    True
    """
    marked = Words(_TEXT_HERE, "", words.quick_replies, words.buttons)
    dressed = dress(
        marked, channel=channel, language=language, message_class=message_class,
        doors=doors_at(_TOKEN_HERE, _TAP_HERE), clinic=clinic, color=color,
    )  # fmt: skip
    return Layout(dressed)


def _pieces(text: str, mark: str) -> Pieces:
    return tuple(text.split(mark))


def _cut_text(text: str) -> tuple[str, Pieces]:
    before, _mark, after = text.partition(_TEXT_HERE)
    return before, _pieces(after, _TOKEN_HERE)


_HTML_HEAD = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
    'content="width=device-width"></head><body style="margin:0;background:#f4f6f5;font-family:sans-serif;color:#1f2937">'
    '<div style="max-width:560px;margin:0 auto;padding:24px 16px"><p style="margin:0 0 12px;font-weight:bold;color:{color}">'
    '{clinic}</p><div style="background:#fff;border-radius:12px;padding:24px;font-size:16px;line-height:1.7">'
)


@lru_cache(maxsize=256)
def _head(language: str, clinic: str, color: str) -> str:
    spoken_as = {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}.get(language, language)
    return _HTML_HEAD.format(language=spoken_as, clinic=html.escape(clinic), color=color)


def email_html(
    text: str, quick_replies: list[QuickReply], buttons: list[Button], links: list[Link], *, language: str, clinic: str,
    color: str,
) -> str:  # fmt: skip
    """Return the same words as a small page that mail programs show well; answers are buttons, refusing is small print."""
    parts = [_head(language, clinic, color), html.escape(text).replace("\n", "<br>")]
    taps: list[QuickReply | Button] = [*quick_replies, *buttons]
    for item in taps:
        parts.append(
            f'<p style="margin:16px 0 0"><a href="{html.escape(item.url)}" style="display:block;text-align:center;padding:12px;'
            f'border-radius:8px;background:{color};color:#fff;text-decoration:none">{html.escape(item.label)}</a></p>'
        )
    parts.append('</div><p style="font-size:13px;color:#6b7280">')
    parts.append(
        " · ".join(
            f'<a href="{html.escape(link.url)}" style="color:#6b7280">{html.escape(link.label)}</a>' for link in links
        )
    )
    parts.append("</p></div></body></html>")
    return "".join(parts)


WHY_TEXT: dict[str, str | Promise] = {
    "syntax": _("A placeholder in the text is not written correctly."),
    "render": _("The text does more than a message text may."),
    "missing_variable": _("A placeholder has no value."),
}

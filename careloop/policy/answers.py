"""The words in which the rules are asked and answer."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Self

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Audience = Literal["one", "public"]
Profile = Literal["TW", "CN", "INTL"]


class MessageClass(StrEnum):
    """What a message is for; it decides which consent is needed and which rules apply."""

    OPERATIONAL = "OPERATIONAL"
    CARE = "CARE"
    EDUCATION = "EDUCATION"
    SURVEY = "SURVEY"
    MARKETING = "MARKETING"

    @property
    def label(self) -> str | Promise:
        return CLASS_LABELS[self]

    @property
    def description(self) -> str | Promise:
        return CLASS_DESCRIPTIONS[self]


CLASS_LABELS: dict[MessageClass, str | Promise] = {
    MessageClass.OPERATIONAL: _("Operational"),
    MessageClass.CARE: _("Care"),
    MessageClass.EDUCATION: _("Education"),
    MessageClass.SURVEY: _("Survey"),
    MessageClass.MARKETING: _("Marketing"),
}
CLASS_DESCRIPTIONS: dict[MessageClass, str | Promise] = {
    MessageClass.OPERATIONAL: _("About an appointment, a bill or a request the patient made."),
    MessageClass.CARE: _("Brings a patient back when care is due, or looks after them in between."),
    MessageClass.EDUCATION: _("Health knowledge without any offer."),
    MessageClass.SURVEY: _("Asks for an answer or an opinion."),
    MessageClass.MARKETING: _("Makes the clinic or its services known; needs consent."),
}


class Answer(StrEnum):
    """What a rule says, from nothing to say to no. `REQUIRE` means something is missing and can be added."""

    ALLOW = "ALLOW"
    WARN = "WARN"
    REQUIRE = "REQUIRE"
    SIGN_OFF = "SIGN_OFF"
    BLOCK = "BLOCK"

    @property
    def strength(self) -> int:
        return STRENGTH[self]

    @property
    def label(self) -> str | Promise:
        return ANSWER_LABELS[self]


STRENGTH = {answer: strength for strength, answer in enumerate(Answer)}
ANSWER_LABELS: dict[Answer, str | Promise] = {
    Answer.ALLOW: _("Allowed"),
    Answer.WARN: _("Warning"),
    Answer.REQUIRE: _("Something is missing"),
    Answer.SIGN_OFF: _("Needs sign-off"),
    Answer.BLOCK: _("Not allowed"),
}


class LazySentence:
    """A translated sentence with its words, put together when it is shown."""

    __slots__ = ("fields", "template", "text")

    def __init__(self, template: str | Promise, *, text: object, fields: str) -> None:
        self.template = template
        self.text = text
        self.fields = fields

    def __str__(self) -> str:
        return str(self.template) % {"text": self.text, "fields": self.fields}


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that had something to say, and the words it was about.

    `start` and `end` count characters of the text as given; both are 0 when the whole is meant. `message` is
    translated when it is shown.
    """

    rule_id: str
    answer: Answer
    message: str | Promise | LazySentence
    legal_base: str
    start: int = 0
    end: int = 0
    text: str = ""
    overridden: bool = False
    signed_off: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all rules together say. The strongest answer wins; every match is kept.

    `message_class` is the class the message has after the rules looked at it: an offer makes it MARKETING.
    """

    answer: Answer
    matches: tuple[Match, ...] = ()
    message_class: MessageClass | None = None
    declared_class: MessageClass | None = None

    @property
    def may_be_sent(self) -> bool:
        """Whether nothing stands in the way (a warning does not)."""
        return self.answer in (Answer.ALLOW, Answer.WARN)

    @property
    def reclassified(self) -> bool:
        return self.message_class != self.declared_class

    @property
    def rule_ids(self) -> list[str]:
        return list(dict.fromkeys(match.rule_id for match in self.matches))

    @property
    def reasons(self) -> list[str]:
        """The rules that decided, for a message's list of reasons."""
        return list(dict.fromkeys(match.rule_id for match in self.matches if match.answer == self.answer))

    @classmethod
    def of(cls, matches: tuple[Match, ...], message_class: MessageClass | None, declared: MessageClass | None) -> Self:
        answer = max((match.answer for match in matches), key=lambda one: one.strength, default=Answer.ALLOW)
        return cls(answer, matches, message_class, declared)

    def with_sign_offs(self, rule_ids: frozenset[str]) -> "Verdict":
        """Return the verdict after a named approver has signed off these rules: they only warn then."""
        matches = tuple(
            replace(match, answer=Answer.WARN, signed_off=True)
            if match.answer == Answer.SIGN_OFF and match.rule_id in rule_ids
            else match
            for match in self.matches
        )
        return Verdict.of(matches, self.message_class, self.declared_class)

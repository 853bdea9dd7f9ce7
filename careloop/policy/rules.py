"""The rule engine: pure functions from rules and facts to a verdict. No clock, no database.

Every rule answers for itself; the strongest answer wins and all matches are kept, so that a screen can show
each word with its legal base. What the rules are is data (`data/*.toml`, read by `ruleset`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.functional import Promise

from careloop.policy.answers import Answer, Audience, LazySentence, Match, MessageClass, Verdict
from careloop.policy.contacts import contacts_in, is_registered
from careloop.policy.ruleset import Rule
from careloop.policy.sentences import SENTENCES
from careloop.policy.wording import Folded, compile_words, fold

__all__ = [
    "CHECKS",
    "Message",
    "Recipient",
    "Segment",
    "answer_of",
    "judge_consent",
    "judge_message",
    "judge_recipient",
    "judge_segment",
]

# How a text itself offers a way out.
WAYS_OUT = compile_words(
    [
        "退訂",
        "拒收",
        "取消訂閱",
        "停止接收",
        "不想再收到",
        "不再接收",
        "退订",
        "取消订阅",
        "不再接收",
        "unsubscribe",
        "opt out",
        "opt-out",
    ],
    [r"(?:回覆|回复|回传|回傳|回)[「『\"']?(?:n|t|r|td|stop)(?![a-z])", r"(?:reply|text|send) stop"],
    [],
    [],
)


@dataclass(frozen=True)
class Message:
    """A text, and everything about its sending that a rule may ask.

    Args:
        text: what the reader will see (a template's source, or one rendered message).
        message_class: the declared class; None when nobody has said.
        channel: kind of channel: line, sms, email, wechat, push, portal, phone.
        audience: "one" existing patient, or "public" (broadcast, page).
        own_names: the organization's and its locations' names, which no rule reads.
        opt_out: the channel or template adds a way to refuse.
        one_click: the e-mail carries RFC 8058 headers.
        registered: comparison forms of web addresses and numbers registered for text messages.
    """

    text: str
    message_class: MessageClass | None
    channel: str
    audience: Audience = "one"
    own_names: tuple[str, ...] = ()
    opt_out: bool = False
    one_click: bool = False
    registered: frozenset[str] = frozenset()

    @cached_property
    def folded(self) -> Folded:
        return fold(self.text, hide=self.own_names)


@dataclass(frozen=True)
class Segment:
    """A choice of patients: what for, which clinical fields it reads, and who agreed to that."""

    purpose: str
    clinical_fields: tuple[str, ...] = ()
    every_member_consented: bool = False


@dataclass(frozen=True)
class Recipient:
    """One person, and the classes of messages they have refused on this channel or at all."""

    message_class: MessageClass
    refused: frozenset[MessageClass] = frozenset()


Overrides = Mapping[str, Answer]
Span = tuple[int, int]


# -- messages --------------------------------------------------------------------------------------------


def judge_message(message: Message, rules: Iterable[Rule], overrides: Overrides | None = None) -> Verdict:
    """Return what the rules say about a message.

    Rules that change the class are asked first: an offer inside a care message makes it marketing, and the
    marketing rules (opt-out, superlatives) then apply to it. Source: law.md A6, Medical Care Act art. 87.
    """
    overrides = overrides or {}
    asked = [rule for rule in rules if rule.about == "message" or (rule.about == "offer" and rule.words)]
    matches: list[Match] = []
    effective = message.message_class
    for rule in asked:
        if rule.reclassify_to and _covers(rule, message, message.message_class):
            found = _matches(rule, message, overrides)
            # An organization that overrides the rule to ALLOW has said that such wording is not marketing.
            if found and found[0].answer != Answer.ALLOW:
                effective = rule.reclassify_to
            matches += found
    for rule in asked:
        if not rule.reclassify_to and _covers(rule, message, effective):
            matches += _matches(rule, message, overrides)
    kept = tuple(match for match in matches if match.answer != Answer.ALLOW or match.overridden)
    return Verdict.of(kept, effective, message.message_class)


def _covers(rule: Rule, message: Message, message_class: MessageClass | None) -> bool:
    return rule.covers(message_class=message_class, channel=message.channel, audience=message.audience)


def _matches(rule: Rule, message: Message, overrides: Overrides) -> list[Match]:
    answer, overridden = answer_of(rule, message.audience, overrides)
    if answer == Answer.ALLOW and not overridden:
        return []
    spans = CHECKS[rule.check](message) if rule.check else _word_spans(rule, message.folded)
    return [
        Match(
            rule_id=rule.id,
            answer=answer,
            message=_sentence(rule, text=message.text[start:end]),
            legal_base=rule.legal_base,
            start=start,
            end=end,
            text=message.text[start:end],
            overridden=overridden,
        )
        for start, end in spans
    ]


def _word_spans(rule: Rule, folded: Folded) -> list[Span]:
    return [folded.span(start, end) for words in rule.words for start, end in words.find(folded)]


def answer_of(rule: Rule, audience: str, overrides: Overrides) -> tuple[Answer, bool]:
    """Return a rule's answer, and whether it is the organization's own."""
    if rule.id in overrides and not rule.fixed:
        return overrides[rule.id], True
    return rule.answers[audience], False


def _sentence(rule: Rule, *, text: str = "", fields: str = "") -> str | Promise | LazySentence:
    """Return the rule's sentence, translated when it is shown and with the matched words filled in."""
    template = SENTENCES[rule.sentence]
    if not (text or fields):
        return template
    return LazySentence(template, text=text, fields=fields)


# -- conditions that are not words -----------------------------------------------------------------------

WHOLE: list[Span] = [(0, 0)]
NOTHING: list[Span] = []


def class_is_missing(message: Message) -> list[Span]:
    """A5: nobody has said what the message is for."""
    return WHOLE if message.message_class is None else NOTHING


def no_opt_out_offered(message: Message) -> list[Span]:
    """P4: neither the channel, nor the template, nor the text offers a way to refuse."""
    if message.opt_out or message.one_click or WAYS_OUT.find(message.folded):
        return NOTHING
    return WHOLE


def no_refusal_words_in_text(message: Message) -> list[Span]:
    """M3: mainland China wants the words in the text message itself."""
    return NOTHING if WAYS_OUT.find(message.folded) else WHOLE


def email_without_one_click(message: Message) -> list[Span]:
    """M4: an e-mail without List-Unsubscribe-Post."""
    return NOTHING if message.one_click else WHOLE


def sms_contact_is_not_registered(message: Message) -> list[Span]:
    """M1: every web address and number that the organization has not registered."""
    return [
        (contact.start, contact.end)
        for contact in contacts_in(message.text)
        if not is_registered(contact, message.registered)
    ]


CHECKS: Mapping[str, Callable[[Message], list[Span]]] = {
    "class_is_missing": class_is_missing,
    "no_opt_out_offered": no_opt_out_offered,
    "no_refusal_words_in_text": no_refusal_words_in_text,
    "email_without_one_click": email_without_one_click,
    "sms_contact_is_not_registered": sms_contact_is_not_registered,
}


# -- segments, consent questions, recipients -------------------------------------------------------------


def _about(subject: str, rules: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.about == subject]


def _verdict(
    rules: Sequence[Rule], overrides: Overrides, message_class: MessageClass | None, fields: str = ""
) -> Verdict:
    matches = []
    for rule in rules:
        answer, overridden = answer_of(rule, "one", overrides)
        matches.append(
            Match(
                rule.id,
                answer,
                _sentence(rule, fields=fields),
                rule.legal_base,
                text=fields,
                overridden=overridden,
            )
        )
    return Verdict.of(tuple(matches), message_class, message_class)


def judge_segment(segment: Segment, rules: Iterable[Rule], overrides: Overrides | None = None) -> Verdict:
    """P1: a marketing segment reads clinical data only when every member agreed in writing."""
    hit = segment.purpose == MessageClass.MARKETING and segment.clinical_fields and not segment.every_member_consented
    rules = _about("segment", rules) if hit else []
    return _verdict(rules, overrides or {}, None, ", ".join(segment.clinical_fields))


def judge_consent(purposes: Collection[str], rules: Iterable[Rule], overrides: Overrides | None = None) -> Verdict:
    """P3: one tick, button or signature may not ask for marketing together with anything else."""
    hit = len(purposes) > 1 and any("marketing" in purpose.lower() for purpose in purposes)
    return _verdict(_about("consent", rules) if hit else [], overrides or {}, None)


def judge_recipient(recipient: Recipient, rules: Iterable[Rule], overrides: Overrides | None = None) -> Verdict:
    """P5: a refusal counts at once; refusing marketing leaves operational and care messages."""
    hit = recipient.message_class in recipient.refused
    return _verdict(_about("recipient", rules) if hit else [], overrides or {}, recipient.message_class)

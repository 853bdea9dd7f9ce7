"""How well the rules read: the engine against labelled texts (`data/labelled.toml`). Pure."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files

from careloop.policy.answers import Answer, Audience, MessageClass, Verdict
from careloop.policy.rules import Message, judge_message
from careloop.policy.ruleset import rules_on

FORMS: tuple[Audience, ...] = ("public", "one")


@dataclass(frozen=True)
class Labelled:
    """A text, and what a person wants of the engine: which rules must speak, which may, and the answer of each form.

    `held_out`: empty for the texts that the rules were mended with; `first` for those kept from the first mending, `later` for those
    written before the second, which was made with the kinds of mistakes that the first ones had shown.
    """

    text: str
    why: str
    rules: frozenset[str]
    also: frozenset[str]
    answers: dict[Audience, Answer]
    message_class: MessageClass
    held_out: str = ""


@dataclass
class Count:
    """Right and wrong decisions."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    def add(self, *, wanted: bool, found: bool) -> None:
        self.hits += wanted and found
        self.false_alarms += found and not wanted
        self.misses += wanted and not found

    @property
    def precision(self) -> float:
        """The share of what was stopped that had to be; 1 when nothing was."""
        return self.hits / (self.hits + self.false_alarms) if self.hits + self.false_alarms else 1.0

    @property
    def recall(self) -> float:
        """The share of what had to be stopped that was; 1 when nothing had to be."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 1.0


@dataclass(frozen=True)
class Mistake:
    """A form of a text that the engine answers otherwise than a person."""

    text: str
    form: Audience
    wanted: Answer
    found: Answer
    rules: tuple[str, ...]
    why: str


@dataclass
class Result:
    """What came of all texts. `stops` counts whether a form is stopped, `by_rule` whether a rule speaks (in the public form)."""

    texts: int = 0
    stops: Count = field(default_factory=Count)
    by_rule: dict[str, Count] = field(default_factory=dict)
    exact: int = 0
    mistakes: list[Mistake] = field(default_factory=list)


def labelled_texts() -> Iterator[Labelled]:
    """Give the labelled texts in the order of the file."""
    read = tomllib.loads(files("careloop.policy").joinpath("data", "labelled.toml").read_text(encoding="utf-8"))
    for group in read["group"]:
        for text in group["texts"]:
            yield Labelled(
                text, group["why"], frozenset(group.get("rules", ())), frozenset(group.get("also", ())),
                {form: Answer(group[form]) for form in FORMS}, MessageClass(group.get("class", "MARKETING")),
                group.get("held_out", ""),
            )  # fmt: skip


def judge(one: Labelled, form: Audience, on: date) -> Verdict:
    """Return what the rules of Taiwan say about a labelled text in one form."""
    message = Message(one.text, one.message_class, "portal", form, opt_out=True)
    return judge_message(message, rules_on("TW", on), {})


def measure(texts: Sequence[Labelled], *, on: date) -> Result:
    """Compare the engine's answers with the labels."""
    result = Result(texts=len(texts))
    for one in texts:
        for form in FORMS:
            verdict, wanted = judge(one, form, on), one.answers[form]
            result.stops.add(wanted=_stops(wanted), found=not verdict.may_be_sent)
            result.exact += verdict.answer == wanted
            if form == "public":
                _count_rules(result, one, set(verdict.rule_ids))
            if verdict.answer != wanted:
                result.mistakes.append(
                    Mistake(one.text, form, wanted, verdict.answer, tuple(verdict.rule_ids), one.why)
                )
    return result


def _stops(answer: Answer) -> bool:
    return answer not in (Answer.ALLOW, Answer.WARN)


def _count_rules(result: Result, one: Labelled, found: set[str]) -> None:
    for rule in one.rules | found:
        # A rule that may speak as well counts neither way.
        if rule in one.rules or rule not in one.also:
            result.by_rule.setdefault(rule, Count()).add(wanted=rule in one.rules, found=rule in found)

"""Reading the rules: dated data files in `data/`, one table per rule.

A file is read once per process. A rule with the same id may stand in the files several times with different
dates; at most one of them is in force on any day (checked when reading).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Self

from careloop.policy.answers import Answer, MessageClass
from careloop.policy.sentences import SENTENCES, SUBJECTS
from careloop.policy.wording import Words, compile_words

FILES = ("advertising.toml", "consent.toml", "health_words.toml", "membership.toml", "sending.toml")
PROFILES = ("TW", "CN", "INTL")


class RuleFileError(ValueError):
    """A rule file is wrong; the program must not start with half of its rules."""


@dataclass(frozen=True, slots=True)
class OfferWhen:
    """Which offers of membership a rule is about: all of what is named must fit; an empty set fits everything.

    `from_value_minor` and `currency` limit it to offers worth that much; see `offers` for the codes.
    """

    kinds: frozenset[str] = frozenset()
    earns_by: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    except_kinds: frozenset[str] = frozenset()
    except_earns_by: frozenset[str] = frozenset()
    from_value_minor: int = 0
    currency: str = ""

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """Read one `[[rule.offers]]` table of a rule file; TypeError when it holds something unknown."""
        read: dict[str, Any] = {
            key: frozenset(value) if isinstance(value, list) else value for key, value in table.items()
        }
        return cls(**read)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as the data file states it.

    `answers` gives the answer for one member's message and for what is said in public. `words` find spans of
    text, `check` names a condition in `rules.CHECKS`, `offers` says which offers of membership it stops, with a
    sentence of their own. `fixed` rules cannot be changed by an organization.
    """

    id: str
    profiles: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    legal_base: str
    source: str
    sentence: str
    answers: Mapping[str, Answer]
    about: str
    classes: frozenset[MessageClass]
    public_any_class: bool
    channels: frozenset[str]
    channels_except: frozenset[str]
    words: tuple[Words, ...]
    check: str
    reclassify_to: MessageClass | None
    fixed: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    offers: tuple[OfferWhen, ...] = ()
    offer_sentence: str = ""

    @property
    def message(self) -> str:
        """The rule's sentence with its placeholders named, for lists of rules."""
        return str(SENTENCES[self.sentence]) % {"text": "…", "fields": "…"}

    @property
    def subject(self) -> str:
        return str(SUBJECTS[self.about])

    @property
    def strongest(self) -> Answer:
        return max(self.answers.values(), key=lambda answer: answer.strength)

    def is_in_force(self, *, profile: str, on: date) -> bool:
        """Whether the rule binds this legal profile on a day (both dates included)."""
        return profile in self.profiles and self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def covers(self, *, message_class: MessageClass | None, channel: str, audience: str) -> bool:
        """Whether the rule looks at this kind of message at all."""
        if self.channels and channel not in self.channels:
            return False
        if channel in self.channels_except:
            return False
        if not self.classes or message_class in self.classes:
            return True
        return self.public_any_class and audience == "public"


def _rule(table: dict[str, Any], groups: dict[str, list[Words]]) -> Rule:
    for sentence in (table["sentence"], table.get("offer_sentence", table["sentence"])):
        if sentence not in SENTENCES:
            raise RuleFileError(f"{table['id']}: no sentence {sentence!r}")
    if not set(table["profiles"]) <= set(PROFILES):
        raise RuleFileError(f"{table['id']}: unknown profile")
    if not (table.get("source") and table.get("legal_base")):
        raise RuleFileError(f"{table['id']}: a rule names its legal base and its source")
    borrowed = [group for other in table.get("words_of", []) for group in groups[other]]
    return Rule(
        id=table["id"],
        profiles=tuple(table["profiles"]),
        valid_from=table["valid_from"],
        valid_to=table.get("valid_to"),
        legal_base=table["legal_base"],
        source=table["source"],
        sentence=table["sentence"],
        answers={audience: Answer(answer) for audience, answer in table["answers"].items()},
        about=table.get("about", "message"),
        classes=frozenset(map(MessageClass, table.get("classes", []))),
        public_any_class=table.get("public_any_class", False),
        channels=frozenset(table.get("channels", [])),
        channels_except=frozenset(table.get("channels_except", [])),
        words=(*borrowed, *groups[table["id"]]),
        check=table.get("check", ""),
        reclassify_to=MessageClass(table["reclassify_to"]) if "reclassify_to" in table else None,
        fixed=table.get("fixed", False),
        parameters=table.get("parameters", {}),
        examples=table.get("examples", {}),
        offers=tuple(map(OfferWhen.of, table.get("offers", []))),
        offer_sentence=table.get("offer_sentence", table["sentence"]),
    )


def _words(group: dict[str, Any], fragments: dict[str, str]) -> Words:
    def filled(patterns: list[str]) -> list[str]:
        return [re.sub("<([a-z]+)>", lambda found: fragments[found[1]], pattern) for pattern in patterns]

    return compile_words(
        group.get("any", []),
        filled(group.get("patterns", [])),
        filled(group.get("unless", [])),
        filled(group.get("unless_near", [])),
    )


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule of every date.

    Raises:
        RuleFileError: a file is wrong, or two versions of one rule are in force on the same day.
    """
    fragments: dict[str, str] = {}
    tables: list[dict[str, Any]] = []
    for name in FILES:
        read = tomllib.loads(files("careloop.policy").joinpath("data", name).read_text(encoding="utf-8"))
        fragments |= read.get("fragments", {})
        tables += read["rule"]
    # Compiled once and shared, so that a text is searched once for what several rules read.
    groups = {table["id"]: [_words(group, fragments) for group in table.get("words", [])] for table in tables}
    rules = tuple(_rule(table, groups) for table in tables)
    _refuse_overlaps(rules)
    return rules


def _refuse_overlaps(rules: tuple[Rule, ...]) -> None:
    for place, one in enumerate(rules):
        for other in rules[place + 1 :]:
            if one.id != other.id or not set(one.profiles) & set(other.profiles):
                continue
            first, second = sorted((one, other), key=lambda rule: rule.valid_from)
            if first.valid_to is None or first.valid_to >= second.valid_from:
                raise RuleFileError(f"{one.id}: two versions in force on {second.valid_from}")


@lru_cache(maxsize=64)
def rules_on(profile: str, on: date) -> tuple[Rule, ...]:
    """Return the rules that bind a legal profile on a day, in the order of the files."""
    if profile not in PROFILES:
        raise ValueError(f"unknown legal profile {profile!r}")
    return tuple(rule for rule in all_rules() if rule.is_in_force(profile=profile, on=on))

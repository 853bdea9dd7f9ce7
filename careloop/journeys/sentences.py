"""Journeys in plain sentences: what starts them, what each step does, and why somebody left."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from careloop.journeys.definition import (
    CONDITIONS,
    DATES,
    END,
    GOAL_EVENTS,
    NEXT,
    STEP_KINDS,
    TRIGGER_EVENTS,
    WHERE_LABELS,
)
from careloop.kernel import sql
from careloop.messaging.reasons import REASONS
from careloop.messaging.words import answer_label
from careloop.segments import language
from careloop.segments.errors import RuleRefused
from careloop.segments.selectors import in_words

EXITS: dict[str, str | Promise] = {
    "finished": gettext_lazy("came to the end of the path"),
    "goal": gettext_lazy("reached the goal"),
    "measured": gettext_lazy("comparison group: the time of measuring is over"),
    "opt_out": gettext_lazy("does not want these messages"),
    "left_segment": gettext_lazy("is not in the segment any more"),
    "deceased": gettext_lazy("has died"),
    "merged": gettext_lazy("the record was merged into another"),
    "inactive": gettext_lazy("the record was closed"),
    "journey_ended": gettext_lazy("the journey was ended"),
    "staff": gettext_lazy("was taken out by staff"),
    "broken": gettext_lazy("the step does not exist any more"),
}
LEFT_OUT: dict[str, str | Promise] = {
    "already": gettext_lazy("on this journey already"),
    "again": gettext_lazy("went through it not long ago"),
    "not_in_segment": gettext_lazy("not in the segment that narrows it"),
    "deceased": gettext_lazy("has died"),
    "merged": gettext_lazy("the record was merged into another"),
    "inactive": gettext_lazy("the record was closed"),
}
ENTERED: dict[str, str | Promise] = {
    "segment": gettext_lazy("entered the segment"),
    "start": gettext_lazy("was in the segment when the journey started"),
    "date": gettext_lazy("the day had come"),
}
WHAT: dict[str, str | Promise] = {
    "sent": gettext_lazy("Message planned"),
    "not_sent": gettext_lazy("Message not sent"),
    "waited": gettext_lazy("Waited"),
    "answered": gettext_lazy("Answered"),
    "silent": gettext_lazy("Did not answer in time"),
    "yes": gettext_lazy("Decided: yes"),
    "no": gettext_lazy("Decided: no"),
    "tasked": gettext_lazy("Follow-up given to staff"),
    "tagged": gettext_lazy("Tag given"),
    "untagged": gettext_lazy("Tag taken off"),
    "left": gettext_lazy("Left the journey"),
    "skipped": gettext_lazy("Step left out"),
}
ICONS = {
    "message": "send", "wait": "hourglass", "wait_reply": "message-circle", "branch": "git-branch", "follow_up": "checklist",
    "tag": "tag", "untag": "tags", "exit": "door-exit",
}  # fmt: skip
OTHER_WORDS = gettext_lazy("words of their own")


def entered_because(code: str) -> str:
    """Return why a patient entered."""
    if code in TRIGGER_EVENTS:
        return str(TRIGGER_EVENTS[code].label)
    return str(ENTERED.get(code, code))


def reason_of(what: str, reason: str) -> str:
    """Return the reason of a history row in words."""
    if not reason:
        return ""
    if what == "left":
        return str(EXITS.get(reason, reason))
    if what == "answered":
        return str(OTHER_WORDS if reason == "TEXT" else answer_label(reason))
    return str(REASONS.get(reason, reason))


@dataclass(frozen=True)
class Names:
    """The names of what definitions name by id or key, fetched at once."""

    segments: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)


def names() -> Names:
    """Return all names that a definition here can use: one statement."""
    found = sql.rows(
        """select 'segments' as kind, id::text as key, name from segments_segment
           union all select 'tags', id::text, name from patients_tag
           union all select 'templates', key, name from messaging_template"""
    )
    kinds: dict[str, dict[str, str]] = {"segments": {}, "tags": {}, "templates": {}}
    for row in found:
        kinds[row["kind"]][row["key"]] = row["name"]
    return Names(**kinds)


def trigger_sentence(trigger: Mapping[str, Any], names: Names) -> str:
    """Return what starts the journey."""
    kind = trigger.get("kind")
    if kind == "segment":
        values = {"segment": names.segments.get(str(trigger.get("segment")), "?")}
        if trigger.get("existing", True):
            return _("Starts for everybody in the segment “%(segment)s”, and for whoever enters it later.") % values
        return _("Starts when a patient enters the segment “%(segment)s”.") % values
    if kind == "event":
        event = TRIGGER_EVENTS.get(str(trigger.get("event")))
        words = _("Starts when a patient %(happens)s.") % {"happens": event.label if event else "?"}
        for name, wanted in (trigger.get("where") or {}).items():
            shown = [names.tags.get(one, one) for one in wanted]
            words += " " + _("Only if %(field)s is %(values)s.") % {
                "field": WHERE_LABELS.get(name, name), "values": joined(shown),
            }  # fmt: skip
        return words
    if kind == "date":
        days = int(trigger.get("days") or 0)
        about = {"date": DATES.get(str(trigger.get("date")), "?"), "days": abs(days)}
        if days == 0:
            return _("Starts on the day itself: %(date)s.") % about
        if days < 0:
            return (
                ngettext("Starts %(days)d day before: %(date)s.", "Starts %(days)d days before: %(date)s.", abs(days))
                % about
            )
        return ngettext("Starts %(days)d day after: %(date)s.", "Starts %(days)d days after: %(date)s.", days) % about
    return _("Nothing starts it yet.")


def joined(words: Iterable[Any]) -> str:
    return str(_(", ")).join(str(word) for word in words)


def length(values: Mapping[str, Any]) -> str:
    """Return how long a wait is."""
    days, hours = int(values.get("days") or 0), int(values.get("hours") or 0)
    parts = []
    if days:
        parts.append(ngettext("%(n)d day", "%(n)d days", days) % {"n": days})
    if hours:
        parts.append(ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours})
    return " ".join(parts)


def condition_sentence(condition: Mapping[str, Any], names: Names) -> str:
    """Return what a branch asks."""
    kind = condition.get("kind")
    if kind == "segment":
        return _("Is the patient in the segment “%(segment)s”?") % {
            "segment": names.segments.get(str(condition.get("segment")), "?")
        }
    if kind == "answer":
        return _("Was the last answer %(answers)s?") % {
            "answers": joined(
                _("“%(answer)s”") % {"answer": answer_label(code)} for code in condition.get("answers") or ()
            )
        }
    if kind == "visited":
        return _("Has the patient visited since entering?")
    if kind == "rule":
        try:
            return _("Is this so: %(rule)s?") % {"rule": in_words(language.read(condition.get("rule")))}
        except RuleRefused:
            return _("Is this so: %(rule)s?") % {"rule": "?"}
    return str(CONDITIONS.get(str(kind), "?"))


def step_sentence(step: Mapping[str, Any], names: Names) -> str:
    """Return what a step does, as one sentence."""
    kind = step.get("kind")
    if kind == "message":
        return _("Send the message “%(template)s”.") % {"template": names.templates.get(str(step.get("template")), "?")}
    if kind == "wait":
        if step.get("until"):
            values = {"length": length(step), "time": step["until"]}
            return (
                _("Wait %(length)s, until %(time)s.") % values if length(step) else _("Wait until %(time)s.") % values
            )
        return _("Wait %(length)s.") % {"length": length(step) or "?"}
    if kind == "wait_reply":
        return _("Wait up to %(length)s for an answer.") % {"length": length(step) or "?"}
    if kind == "branch":
        return condition_sentence(step.get("if") or {}, names)
    if kind == "follow_up":
        return _("Give staff a follow-up: “%(title)s”.") % {"title": step.get("title") or "?"}
    if kind == "tag":
        return _("Give the tag “%(tag)s”.") % {"tag": names.tags.get(str(step.get("tag")), "?")}
    if kind == "untag":
        return _("Take the tag “%(tag)s” off.") % {"tag": names.tags.get(str(step.get("tag")), "?")}
    if kind == "exit":
        return _("The path ends here.")
    return str(STEP_KINDS.get(str(kind), "?"))


@dataclass(frozen=True)
class Way:
    """Where a step leads under a condition: “Yes → step 3”."""

    when: str
    to: str


def ways_of(step: Mapping[str, Any], numbers: Mapping[str, int]) -> list[Way]:
    """Return where a step leads when it does not simply go on to the next one."""
    kind = step.get("kind")
    found: list[Way] = []
    if kind == "message" and step.get("if_not_sent", NEXT) != NEXT:
        found.append(Way(_("Cannot be sent"), place(step["if_not_sent"], numbers)))
    if kind == "branch":
        found += [
            Way(pgettext("answer", "Yes"), place(step.get("yes") or NEXT, numbers)),
            Way(pgettext("answer", "No"), place(step.get("no") or NEXT, numbers)),
        ]
    if kind == "wait_reply":
        by_place: dict[str, list[str]] = {}
        for code, wanted in (step.get("answers") or {}).items():
            by_place.setdefault(wanted, []).append(str(answer_label(code)))
        found += [Way(joined(labels), place(wanted, numbers)) for wanted, labels in by_place.items()]
        found.append(Way(_("Any other answer"), place(step.get("other") or NEXT, numbers)))
        found.append(Way(_("Silence"), place(step.get("silence") or NEXT, numbers)))
    return found


def place(wanted: str, numbers: Mapping[str, int]) -> str:
    """Return the words for `next`, `end` or a step's id."""
    if wanted == NEXT:
        return _("next step")
    if wanted == END:
        return _("end of the path")
    return _("step %(number)d") % {"number": numbers.get(wanted, 0)}


def goal_sentence(definition: Mapping[str, Any]) -> str:
    """Return what the journey is for, and by when."""
    goal = definition.get("goal") or {}
    days = int(goal.get("days") or 30)
    return ngettext(
        "Goal: within %(days)d day the patient %(happens)s.",
        "Goal: within %(days)d days the patient %(happens)s.",
        days,
    ) % {"days": days, "happens": GOAL_EVENTS.get(str(goal.get("event") or "encounter.recorded"), "?")}


def rules_in_words(definition: Mapping[str, Any], names: Names) -> list[str]:
    """Return the rules around the path: who is compared, who comes again, who leaves early."""
    words = []
    if definition.get("only_in"):
        words.append(
            _("Only patients who are in the segment “%(segment)s” at that moment.")
            % {"segment": names.segments.get(str(definition["only_in"]), "?")}
        )
    percent = int(definition.get("hold_out_percent", 10))
    if percent:
        words.append(
            _("%(percent)d%% are held out for comparison: they get nothing and are measured.") % {"percent": percent}
        )
    else:
        words.append(_("Nobody is held out, so the effect cannot be compared."))
    again = definition.get("again_after_days")
    if again:
        words.append(_("A patient can go through again after %(days)d days.") % {"days": int(again)})
    else:
        words.append(_("A patient goes through once."))
    exits = definition.get("exits") or {}
    if exits.get("goal", True):
        words.append(_("The path ends as soon as the goal is reached."))
    if exits.get("left_segment"):
        words.append(_("The path ends when the patient leaves the segment."))
    if exits.get("opt_out", True):
        words.append(_("The path ends when the patient does not want these messages."))
    return words

"""What a journey may be: read strictly from JSON, so that what runs is always understood.

    {
      "trigger": {"kind": "segment", "segment": "…", "existing": true}
               | {"kind": "event", "event": "procedure.recorded", "where": {"code": ["92014C"]}}
               | {"kind": "date", "date": "birthday", "days": 0},
      "only_in": "<segment>",                     only those who are in it at that moment too
      "hold_out_percent": 10,                     0 to 50
      "again_after_days": 90,                     missing: a patient goes through once
      "goal": {"event": "encounter.recorded", "days": 30},
      "exits": {"goal": true, "left_segment": false, "opt_out": true},
      "steps": [ … ]
    }

Steps stand in one path and are carried out in order. Those that decide (`branch`, `wait_reply`, a message that could not be
sent) name where to go on: `next`, `end`, or the id of a step further down. Nothing leads back up, so every path ends.

    {"id": "s1", "kind": "message", "template": "recall", "if_not_sent": "s5"}
    {"id": "s2", "kind": "wait", "days": 1, "hours": 0, "until": "10:00"}
    {"id": "s3", "kind": "wait_reply", "days": 3, "hours": 0, "answers": {"DONE": "end"}, "other": "end", "silence": "next"}
    {"id": "s4", "kind": "branch", "if": {"kind": "segment", "segment": "…"}, "yes": "next", "no": "end"}
    {"id": "s5", "kind": "follow_up", "title": "…", "script": "…", "priority": 2, "due_days": 1, "task": "CALL"}
    {"id": "s6", "kind": "tag", "tag": "<tag>"} and {"kind": "untag", …}
    {"id": "s7", "kind": "exit", "reason": "finished"}
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.followups.models import FollowUp
from careloop.journeys.errors import DefinitionRefused, Problem
from careloop.messaging.words import ANSWERS
from careloop.segments import language
from careloop.segments.errors import RuleRefused

Text = str | Promise

NEXT, END = "next", "end"
MOST_STEPS = 40
MOST_DAYS = 400
STEP_ID = re.compile(r"s[0-9]{1,6}")
NOT_SENT = "NOT_SENT"  # stands in `new_answer` when the message a patient should answer did not go
OTHER_ANSWER = "TEXT"  # free words that mean no code


@dataclass(frozen=True)
class TriggerEvent:
    """A kind of event that can start a journey, and the payload fields that can narrow it.

    `clinical`: that it happened tells about the patient's health (PDPA art. 6).
    """

    label: Text
    where: tuple[str, ...] = ()
    clinical: bool = False


TRIGGER_EVENTS: dict[str, TriggerEvent] = {
    "patient.registered": TriggerEvent(_("is registered as a new patient")),
    "encounter.recorded": TriggerEvent(_("has visited"), ("department", "class_code", "code")),
    "procedure.recorded": TriggerEvent(_("has had a procedure"), ("code",), clinical=True),
    "medication.recorded": TriggerEvent(_("was given a prescription"), ("code", "refillable"), clinical=True),
    "immunization.recorded": TriggerEvent(_("was vaccinated"), ("code",), clinical=True),
    "report.recorded": TriggerEvent(_("has a new report"), ("code",), clinical=True),
    "condition.recorded": TriggerEvent(_("has a new diagnosis"), ("code",), clinical=True),
    "invoice.recorded": TriggerEvent(_("has a new invoice")),
    "patient.tagged": TriggerEvent(_("is given a tag"), ("tag_id",)),
    "consent.given": TriggerEvent(_("has given consent"), ("purpose",)),
    "follow_up.done": TriggerEvent(_("was followed up by staff"), ("outcome",)),
}
WHERE_LABELS: dict[str, Text] = {
    "department": _("department"), "class_code": _("class of visit"), "code": _("codes"), "refillable": _("refillable"),
    "tag_id": _("tag"), "purpose": _("purpose"), "outcome": _("outcome"),
}  # fmt: skip

DATES: dict[str, Text] = {
    "birthday": _("birthday"),
    "supply_end": _("the day the chronic prescription’s supply ends"),
    "last_visit": _("last visit"),
    "registered": _("registration"),
}

GOAL_EVENTS: dict[str, Text] = {
    "encounter.recorded": _("has visited"),
    "message.received": _("has answered"),
    "medication.recorded": _("was given a prescription"),
    "immunization.recorded": _("was vaccinated"),
    "procedure.recorded": _("has had a procedure"),
    "report.recorded": _("has a new report"),
}

STEP_KINDS: dict[str, Text] = {
    "message": pgettext_lazy("step", "Send a message"),
    "wait": pgettext_lazy("step", "Wait"),
    "wait_reply": pgettext_lazy("step", "Wait for an answer"),
    "branch": pgettext_lazy("step", "Decide"),
    "follow_up": pgettext_lazy("step", "Give staff a follow-up"),
    "tag": pgettext_lazy("step", "Give a tag"),
    "untag": pgettext_lazy("step", "Take a tag off"),
    "exit": pgettext_lazy("step", "End here"),
}
CONDITIONS: dict[str, Text] = {
    "segment": _("is in a segment"),
    "answer": _("has answered"),
    "visited": _("has visited since entering"),
    "rule": _("fits a rule"),
}


@dataclass(frozen=True)
class Step:
    """One step: what it does (`values`), and the id of the step below it ("" for the last)."""

    id: str
    kind: str
    values: Mapping[str, Any]
    below: str = ""

    def target(self, name: str, default: str = NEXT) -> str:
        """Return the id of the step to which `name` leads; "" is the end."""
        return self.resolve(self.values.get(name) or default)

    def resolve(self, wanted: str) -> str:
        """Return the id of the step meant by `next`, `end` or a name."""
        return self.below if wanted == NEXT else "" if wanted == END else wanted


@dataclass(frozen=True)
class Definition:
    """A definition that can run."""

    trigger: Mapping[str, Any]
    steps: tuple[Step, ...]
    only_in: UUID | None = None
    hold_out_percent: int = 10
    again_after_days: int | None = None
    goal_event: str = "encounter.recorded"
    goal_days: int = 30
    exit_on_goal: bool = True
    exit_on_leaving: bool = False
    exit_on_opt_out: bool = True
    by_id: Mapping[str, Step] = field(default_factory=dict)

    @property
    def first(self) -> Step:
        return self.steps[0]

    def step(self, step_id: str) -> Step | None:
        """Return a step, or None for the end."""
        return self.by_id.get(step_id)

    def listens_to(self, waiting: Step) -> Step | None:
        """Return the message above a `wait_reply`: the one whose answer it waits for."""
        found = None
        for one in self.steps:
            if one.id == waiting.id:
                return found
            if one.kind == "message":
                found = one
        return found

    @property
    def templates(self) -> list[str]:
        """The message templates it sends, in order, each once."""
        return list(dict.fromkeys(step.values["template"] for step in self.steps if step.kind == "message"))

    @property
    def segments(self) -> list[UUID]:
        """The segments it names, each once."""
        named = [self.trigger.get("segment"), self.only_in]
        named += [step.values["if"].get("segment") for step in self.steps if step.kind == "branch"]
        return list(dict.fromkeys(UUID(str(one)) for one in named if one))


@dataclass(frozen=True)
class Known:
    """What a definition may name here: ids of segments and tags, keys of published templates. None: not looked at."""

    segments: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    templates: frozenset[str] | None = None


def read(definition: Any, *, known: Known | None = None) -> Definition:
    """Read a definition; every part of it must be known and complete.

    Args:
        known: with it, segments, tags and templates must exist.

    Raises:
        DefinitionRefused: with every place that is wrong.
    """
    reader = _Reader(known or Known())
    found = reader.definition(definition)
    if reader.problems or found is None:
        raise DefinitionRefused(reader.problems)
    return found


def problems_of(definition: Any, *, known: Known | None = None) -> list[Problem]:
    """Return what keeps a definition from running; nothing when it can run."""
    try:
        read(definition, known=known)
    except DefinitionRefused as refusal:
        return refusal.problems
    return []


class _Reader:
    """Collects problems while it reads, so that all of them are shown at once."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.problems: list[Problem] = []

    def wrong(self, place: str, message: Text) -> None:
        self.problems.append(Problem(place, message))

    def definition(self, given: Any) -> Definition | None:
        if not isinstance(given, Mapping):
            self.wrong("", _("This is not a journey."))
            return None
        self.only(
            given,
            {"trigger", "only_in", "hold_out_percent", "again_after_days", "goal", "exits", "steps"},
            "",
        )
        trigger = self.trigger(given.get("trigger"))
        only_in = self.segment(given["only_in"], "/only_in") if given.get("only_in") else None
        hold_out = self.number(given, "hold_out_percent", "/hold_out_percent", 0, 50, default=10)
        again = None
        if given.get("again_after_days") is not None:
            again = self.number(given, "again_after_days", "/again_after_days", 1, 3650)
        goal = given.get("goal") or {}
        goal = goal if isinstance(goal, Mapping) else {}
        self.only(goal, {"event", "days"}, "/goal")
        goal_event = goal.get("event", "encounter.recorded")
        if goal_event not in GOAL_EVENTS:
            self.wrong("/goal/event", _("Choose what the journey is for."))
        goal_days = self.number(goal, "days", "/goal/days", 1, MOST_DAYS, default=30)
        exits = given.get("exits") or {}
        exits = exits if isinstance(exits, Mapping) else {}
        self.only(exits, {"goal", "left_segment", "opt_out"}, "/exits")
        steps = self.steps(given.get("steps"))
        if exits.get("left_segment") and (trigger or {}).get("kind") != "segment":
            self.wrong(
                "/exits/left_segment",
                _("Only a journey that begins with a segment can end when the patient leaves it."),
            )
        if self.problems or trigger is None:
            return None
        return Definition(
            trigger=trigger, steps=steps, only_in=only_in, hold_out_percent=hold_out, again_after_days=again,
            goal_event=goal_event, goal_days=goal_days, exit_on_goal=bool(exits.get("goal", True)),
            exit_on_leaving=bool(exits.get("left_segment", False)), exit_on_opt_out=bool(exits.get("opt_out", True)),
            by_id={step.id: step for step in steps},
        )  # fmt: skip

    # -- parts --------------------------------------------------------------------------------------------------

    def trigger(self, given: Any) -> Mapping[str, Any] | None:
        kind = given.get("kind") if isinstance(given, Mapping) else None
        if kind == "segment":
            self.only(given, {"kind", "segment", "existing"}, "/trigger")
            self.segment(given.get("segment"), "/trigger/segment")
            return given
        if kind == "event":
            self.only(given, {"kind", "event", "where"}, "/trigger")
            event = TRIGGER_EVENTS.get(str(given.get("event")))
            if event is None:
                self.wrong("/trigger/event", _("Choose what starts the journey."))
                return None
            where = given.get("where") or {}
            if not isinstance(where, Mapping) or not all(
                name in event.where
                and isinstance(values, list)
                and values
                and all(isinstance(one, str) and one for one in values)
                for name, values in where.items()
            ):
                self.wrong("/trigger/where", _("This filter cannot be used with what starts the journey."))
            return given
        if kind == "date":
            self.only(given, {"kind", "date", "days"}, "/trigger")
            if given.get("date") not in DATES:
                self.wrong("/trigger/date", _("Choose the date that starts the journey."))
            self.number(given, "days", "/trigger/days", -60, 3650, default=0)
            return given
        self.wrong("/trigger", _("Choose what starts the journey."))
        return None

    def steps(self, given: Any) -> tuple[Step, ...]:
        if not isinstance(given, list) or not given:
            self.wrong("/steps", _("The journey has no steps yet; add the first one."))
            return ()
        if len(given) > MOST_STEPS:
            self.wrong("/steps", _("A journey may have at most %(most)d steps.") % {"most": MOST_STEPS})
            return ()
        ids = [str(one.get("id")) if isinstance(one, Mapping) else "" for one in given]
        found = []
        for number, one in enumerate(given):
            place = f"/steps/{number}"
            if not isinstance(one, Mapping) or one.get("kind") not in STEP_KINDS:
                self.wrong(place, _("Choose what the step does."))
                continue
            if not STEP_ID.fullmatch(ids[number]) or ids.count(ids[number]) > 1:
                self.wrong(place, _("Every step needs a name of its own."))
            self.step(one, place, below=set(ids[number + 1 :]))
            found.append(Step(ids[number], one["kind"], one, ids[number + 1] if number + 1 < len(ids) else ""))
        return tuple(found)

    def step(self, given: Mapping[str, Any], place: str, *, below: set[str]) -> None:
        check: Callable[[Mapping[str, Any], str, set[str]], None] = getattr(self, f"step_{given['kind']}")
        check(given, place, below)

    def step_message(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "template", "if_not_sent"}, place)
        template = given.get("template")
        if not template or (self.known.templates is not None and template not in self.known.templates):
            self.wrong(f"{place}/template", _("Choose a published message template."))
        self.targets(given, ("if_not_sent",), place, below)

    def step_wait(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "days", "hours", "until"}, place)
        length = self.length(given, place)
        if given.get("until"):
            try:
                time.fromisoformat(str(given["until"]))
            except ValueError:
                self.wrong(f"{place}/until", _("Enter a time of day such as 10:00."))
        elif length == 0:
            self.wrong(f"{place}/days", _("Say how long to wait, or until what time of day."))

    def step_wait_reply(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "days", "hours", "answers", "other", "silence"}, place)
        if self.length(given, place) == 0:
            self.wrong(f"{place}/days", _("Say how long to wait for the answer."))
        answers = given.get("answers") or {}
        if not isinstance(answers, Mapping) or any(code not in ANSWERS for code in answers):
            self.wrong(f"{place}/answers", _("One of the answers is not known."))
        else:
            self.targets(answers, tuple(answers), f"{place}/answers", below)
        self.targets(given, ("other", "silence"), place, below)

    def step_branch(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "if", "yes", "no"}, place)
        condition = given.get("if")
        kind = condition.get("kind") if isinstance(condition, Mapping) else None
        if not isinstance(condition, Mapping) or kind not in CONDITIONS:
            self.wrong(f"{place}/if", _("Choose what to decide by."))
        elif kind == "segment":
            self.only(condition, {"kind", "segment"}, f"{place}/if")
            self.segment(condition.get("segment"), f"{place}/if/segment")
        elif kind == "answer":
            self.only(condition, {"kind", "answers"}, f"{place}/if")
            codes = condition.get("answers")
            if not isinstance(codes, list) or not codes or any(code not in ANSWERS for code in codes):
                self.wrong(f"{place}/if/answers", _("Choose at least one answer."))
        elif kind == "rule":
            self.only(condition, {"kind", "rule"}, f"{place}/if")
            try:
                language.read(condition.get("rule"))
            except RuleRefused as refusal:
                self.problems += [Problem(f"{place}/if/rule{one.place}", one.message) for one in refusal.problems]
        else:
            self.only(condition, {"kind"}, f"{place}/if")
        self.targets(given, ("yes", "no"), place, below)

    def step_follow_up(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "task", "title", "script", "priority", "due_days"}, place)
        if not str(given.get("title") or "").strip() or len(str(given.get("title"))) > 160:
            self.wrong(f"{place}/title", _("Say in a few words what is to be done."))
        if len(str(given.get("script") or "")) > 2000:
            self.wrong(f"{place}/script", _("The script is too long."))
        if given.get("task", "CALL") not in FollowUp.Kind.values:
            self.wrong(f"{place}/task", _("Choose what kind of follow-up it is."))
        self.number(given, "priority", f"{place}/priority", 1, 3, default=2)
        self.number(given, "due_days", f"{place}/due_days", 0, 90, default=0)

    def step_tag(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "tag"}, place)
        tag = str(given.get("tag") or "")
        if not _is_uuid(tag) or (self.known.tags is not None and tag not in self.known.tags):
            self.wrong(f"{place}/tag", _("Choose a tag."))

    step_untag = step_tag

    def step_exit(self, given: Mapping[str, Any], place: str, below: set[str]) -> None:
        self.only(given, {"id", "kind", "reason"}, place)

    # -- values -------------------------------------------------------------------------------------------------

    def targets(self, given: Mapping[str, Any], names: Iterable[str], place: str, below: set[str]) -> None:
        for name in names:
            wanted = given.get(name) or NEXT
            if wanted not in (NEXT, END) and wanted not in below:
                self.wrong(f"{place}/{name}", _("A step can only lead to a step further down."))

    def length(self, given: Mapping[str, Any], place: str) -> int:
        days = self.number(given, "days", f"{place}/days", 0, MOST_DAYS, default=0)
        hours = self.number(given, "hours", f"{place}/hours", 0, 72, default=0)
        return days * 24 + hours

    def number(
        self,
        given: Mapping[str, Any],
        name: str,
        place: str,
        least: int,
        most: int,
        *,
        default: int | None = None,
    ) -> int:
        value = given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.wrong(place, _("Enter a whole number from %(least)d to %(most)d.") % {"least": least, "most": most})
            return least
        return value

    def segment(self, value: Any, place: str) -> UUID | None:
        text = str(value or "")
        if not _is_uuid(text) or (self.known.segments is not None and text not in self.known.segments):
            self.wrong(place, _("Choose a segment."))
            return None
        return UUID(text)

    def only(self, given: Mapping[str, Any], names: set[str], place: str) -> None:
        for key in given:
            if key not in names:
                self.wrong(f"{place}/{key}", _("“%(key)s” means nothing here.") % {"key": str(key)[:40]})


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def new_step_id(steps: Iterable[Mapping[str, Any]]) -> str:
    """Return a name for a new step that no step of the path has."""
    used = [int(str(step.get("id", "s0"))[1:]) for step in steps if STEP_ID.fullmatch(str(step.get("id", "")))]
    return f"s{max(used, default=0) + 1}"

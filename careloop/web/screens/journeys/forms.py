"""Forms of a journey's design: what is around the path, and one for each kind of step."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.followups.models import FollowUp
from careloop.journeys.definition import CONDITIONS, DATES, END, GOAL_EVENTS, NEXT, TRIGGER_EVENTS
from careloop.kernel import sql
from careloop.messaging.words import ANSWERS

Choices = list[tuple[str, Any]]
ANSWERS_OFFERED = ("YES", "NO", "BOOK", "CALL_ME", "LATER", "DONE", "FINE", "UNWELL", "STOP")


def segment_choices() -> Choices:
    found = sql.rows("select id, name from segments_segment where archived_at is null order by name")
    return [("", _("Choose a segment")), *((str(row["id"]), row["name"]) for row in found)]


def tag_choices() -> Choices:
    found = sql.rows("select id, name from patients_tag where not is_archived order by name")
    return [("", _("Choose a tag")), *((str(row["id"]), row["name"]) for row in found)]


def template_choices() -> Choices:
    found = sql.rows(
        """select t.key, t.name from messaging_template t where not t.is_archived and t.key <> 'staff-note'
            and exists (select 1 from messaging_template_version v where v.template_id = t.id and v.published_at is not null)
            order by t.name"""
    )
    return [("", _("Choose a message")), *((row["key"], row["name"]) for row in found)]


def _texts(text: str) -> list[str]:
    """Split what was typed with commas or on lines."""
    for mark in ("，", "、", "\n", ";", "；"):
        text = text.replace(mark, ",")
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


class JourneyForm(forms.Form):
    """Name, what starts it, who is compared, what it is for, when it ends early."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name of the journey"), max_length=80)
    description = forms.CharField(
        label=_("What it is for"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    trigger = forms.ChoiceField(
        label=_("What starts it"), widget=forms.RadioSelect,
        choices=[
            ("segment", _("Entering a segment")), ("event", _("Something that happens")), ("date", _("A date of the patient")),
        ],
    )  # fmt: skip
    segment = forms.ChoiceField(label=_("Segment"), required=False)
    existing = forms.BooleanField(label=_("Also those who are in it when the journey starts"), required=False)
    event = forms.ChoiceField(
        label=_("Starts when a patient …"),
        required=False,
        choices=[(name, one.label) for name, one in TRIGGER_EVENTS.items()],
    )
    codes = forms.CharField(
        label=_("Only these codes"), required=False, max_length=500,
        help_text=_("Separated by commas; 92* means: begins with 92. Empty: all."),
    )  # fmt: skip
    departments = forms.CharField(
        label=_("Only these departments"), required=False, max_length=200, help_text=_("For visits. Empty: all.")
    )
    date = forms.ChoiceField(label=_("Date"), required=False, choices=list(DATES.items()))
    days = forms.IntegerField(
        label=_("Days after it"),
        required=False,
        min_value=-60,
        max_value=3650,
        help_text=_("Negative: days before it."),
    )
    only_in = forms.ChoiceField(
        label=_("Only patients who are also in"),
        required=False,
        help_text=_("Looked at in the moment they would enter."),
    )
    hold_out_percent = forms.IntegerField(
        label=_("Held out for comparison, percent"), min_value=0, max_value=50,
        help_text=_("They get nothing and are measured: only so can you see what the journey really does. 10 is usual; 0 for safety."),
    )  # fmt: skip
    again_after_days = forms.IntegerField(
        label=_("May go through again after, days"),
        required=False,
        min_value=1,
        max_value=3650,
        help_text=_("Empty: once only."),
    )
    goal_event = forms.ChoiceField(label=_("The goal is that the patient …"), choices=list(GOAL_EVENTS.items()))
    goal_days = forms.IntegerField(label=_("within, days"), min_value=1, max_value=400)
    exit_on_goal = forms.BooleanField(label=_("End the path when the goal is reached"), required=False)
    exit_on_leaving = forms.BooleanField(label=_("End the path when the patient leaves the segment"), required=False)
    exit_on_opt_out = forms.BooleanField(
        label=_("End the path when the patient does not want these messages"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        segments = segment_choices()
        self.fields["segment"].choices = segments  # type: ignore[attr-defined]
        self.fields["only_in"].choices = [("", _("everybody")), *segments[1:]]  # type: ignore[attr-defined]
        for name in ("days", "hold_out_percent", "again_after_days", "goal_days"):
            self.fields[name].widget.attrs["class"] = "form-control is-short"

    @staticmethod
    def initial_of(definition: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the form shows for a definition."""
        trigger = definition.get("trigger") or {}
        goal, exits, where = definition.get("goal") or {}, definition.get("exits") or {}, trigger.get("where") or {}
        return {
            "trigger": trigger.get("kind", "segment"), "segment": trigger.get("segment", ""), "existing": trigger.get("existing", True),
            "event": trigger.get("event", ""), "codes": ", ".join(where.get("code", ())),
            "departments": ", ".join(where.get("department", ())), "date": trigger.get("date", ""), "days": trigger.get("days", 0),
            "only_in": definition.get("only_in") or "", "hold_out_percent": definition.get("hold_out_percent", 10),
            "again_after_days": definition.get("again_after_days"), "goal_event": goal.get("event", "encounter.recorded"),
            "goal_days": goal.get("days", 30), "exit_on_goal": exits.get("goal", True),
            "exit_on_leaving": exits.get("left_segment", False), "exit_on_opt_out": exits.get("opt_out", True),
        }  # fmt: skip

    def definition(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the definition with what the form says; the steps stay."""
        given = self.cleaned_data
        made: dict[str, Any] = {
            "trigger": self._trigger(before), "hold_out_percent": given["hold_out_percent"],
            "goal": {"event": given["goal_event"], "days": given["goal_days"]},
            "exits": {
                "goal": given["exit_on_goal"], "opt_out": given["exit_on_opt_out"],
                "left_segment": given["exit_on_leaving"] and given["trigger"] == "segment",
            },
            "steps": before.get("steps") or [],
        }  # fmt: skip
        if given["only_in"]:
            made["only_in"] = given["only_in"]
        if given["again_after_days"]:
            made["again_after_days"] = given["again_after_days"]
        return made

    def _trigger(self, before: Mapping[str, Any]) -> dict[str, Any]:
        given = self.cleaned_data
        if given["trigger"] == "segment":
            return {"kind": "segment", "segment": given["segment"], "existing": given["existing"]}
        if given["trigger"] == "date":
            return {"kind": "date", "date": given["date"], "days": given["days"] or 0}
        event = given["event"]
        allowed = TRIGGER_EVENTS[event].where if event in TRIGGER_EVENTS else ()
        earlier = before.get("trigger") or {}
        kept = earlier.get("where") or {} if earlier.get("event") == event else {}
        where = {name: values for name, values in kept.items() if name not in ("code", "department")}
        typed = {"code": _texts(given["codes"]), "department": _texts(given["departments"])}
        where |= {name: values for name, values in typed.items() if values and name in allowed}
        return {"kind": "event", "event": event, **({"where": where} if where else {})}


class StepForm(forms.Form):
    """The base of a step's form: `targets` are the steps further down that it may lead to."""

    kind = ""

    def __init__(self, *args: Any, targets: Choices, step: Mapping[str, Any], **kwargs: Any) -> None:
        self.step = step
        self.targets: Choices = [(NEXT, _("go on with the next step")), (END, _("end the path")), *targets]
        kwargs.setdefault("initial", self.initial_of(step))
        super().__init__(*args, **kwargs)
        self.build()

    def build(self) -> None:
        """Fill in choices that are known only now."""

    def initial_of(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return dict(step)

    def values(self) -> dict[str, Any]:
        """Return the step's values."""
        return dict(self.cleaned_data)

    def target_field(self, name: str, label: Any, *, initial: str = NEXT) -> None:
        self.fields[name] = forms.ChoiceField(
            label=label, choices=self.targets, initial=self.initial.get(name) or initial
        )


class MessageForm(StepForm):
    template = forms.ChoiceField(
        label=_("Message"), help_text=_("Texts are written under Messages, in three languages.")
    )

    def build(self) -> None:
        self.fields["template"].choices = template_choices()  # type: ignore[attr-defined]
        self.target_field("if_not_sent", _("If it cannot be sent (no consent, no address …)"))


class WaitForm(StepForm):
    days = forms.IntegerField(label=_("Days"), min_value=0, max_value=400, required=False)
    hours = forms.IntegerField(label=_("Hours"), min_value=0, max_value=72, required=False)
    until = forms.TimeField(
        label=_("Until this time of day"), required=False, help_text=_("Such as 10:00; empty: exactly as long as above."),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )  # fmt: skip

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        made: dict[str, Any] = {"days": given["days"] or 0, "hours": given["hours"] or 0}
        if given["until"]:
            made["until"] = given["until"].strftime("%H:%M")
        return made


class WaitReplyForm(StepForm):
    days = forms.IntegerField(label=_("Days"), min_value=0, max_value=400, required=False)
    hours = forms.IntegerField(label=_("Hours"), min_value=0, max_value=72, required=False)

    def build(self) -> None:
        answers = self.step.get("answers") or {}
        for code in ANSWERS_OFFERED:
            self.fields[f"answer_{code}"] = forms.ChoiceField(
                label=_("Answer “%(answer)s”") % {"answer": ANSWERS[code]}, required=False, initial=answers.get(code, ""),
                choices=[("", _("like any other answer")), *self.targets],
            )  # fmt: skip
        self.target_field("other", _("Any other answer"), initial=END)
        self.target_field("silence", _("No answer in time"))

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        answers = {code: given[f"answer_{code}"] for code in ANSWERS_OFFERED if given.get(f"answer_{code}")}
        kept = {
            code: wanted for code, wanted in (self.step.get("answers") or {}).items() if code not in ANSWERS_OFFERED
        }
        return {
            "days": given["days"] or 0, "hours": given["hours"] or 0, "answers": {**kept, **answers}, "other": given["other"],
            "silence": given["silence"],
        }  # fmt: skip


class BranchForm(StepForm):
    by = forms.ChoiceField(label=_("Decide by"), widget=forms.RadioSelect)
    segment = forms.ChoiceField(label=_("Segment"), required=False)
    answers = forms.MultipleChoiceField(
        label=_("Answers"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[(code, ANSWERS[code]) for code in ANSWERS_OFFERED],
    )

    def initial_of(self, step: Mapping[str, Any]) -> dict[str, Any]:
        condition = step.get("if") or {}
        return {**step, "by": condition.get("kind", "segment"), "segment": condition.get("segment", ""),
                "answers": condition.get("answers", [])}  # fmt: skip

    def build(self) -> None:
        offered = [kind for kind in CONDITIONS if kind != "rule" or (self.step.get("if") or {}).get("kind") == "rule"]
        self.fields["by"].choices = [(kind, CONDITIONS[kind]) for kind in offered]  # type: ignore[attr-defined]
        self.fields["segment"].choices = segment_choices()  # type: ignore[attr-defined]
        self.target_field("yes", _("If so"))
        self.target_field("no", _("If not"))

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        condition: dict[str, Any] = {"kind": given["by"]}
        if given["by"] == "segment":
            condition["segment"] = given["segment"]
        elif given["by"] == "answer":
            condition["answers"] = given["answers"]
        elif given["by"] == "rule":
            condition = dict(self.step.get("if") or {})
        return {"if": condition, "yes": given["yes"], "no": given["no"]}


class FollowUpForm(StepForm):
    title = forms.CharField(label=_("What is to be done"), max_length=160)
    task = forms.ChoiceField(label=_("Kind"), choices=FollowUp.Kind.choices)
    script = forms.CharField(
        label=_("What to say or check"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 5})
    )
    priority = forms.TypedChoiceField(
        label=_("Priority"),
        coerce=int,
        choices=[(1, _("urgent")), (2, pgettext_lazy("priority", "normal")), (3, _("low"))],
        initial=2,
    )
    due_days = forms.IntegerField(label=_("Due after, days"), min_value=0, max_value=90, initial=0)

    def initial_of(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return {"task": "CALL", "priority": 2, "due_days": 0, **step}


class TagForm(StepForm):
    tag = forms.ChoiceField(label=_("Tag"))

    def build(self) -> None:
        self.fields["tag"].choices = tag_choices()  # type: ignore[attr-defined]


class ExitForm(StepForm):
    """The end of a path has nothing to choose."""

    def values(self) -> dict[str, Any]:
        return {"reason": "finished"}


STEP_FORMS: dict[str, type[StepForm]] = {
    "message": MessageForm, "wait": WaitForm, "wait_reply": WaitReplyForm, "branch": BranchForm, "follow_up": FollowUpForm,
    "tag": TagForm, "untag": TagForm, "exit": ExitForm,
}  # fmt: skip

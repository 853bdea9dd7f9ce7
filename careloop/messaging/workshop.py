"""Making the messages of a batch: addresses opened, words rendered, links issued."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from careloop.kernel import sql
from careloop.kernel.ids import token_hash
from careloop.kernel.masking import mask_name
from careloop.kernel.vault import VaultError
from careloop.messaging import links, rendering, sealing, texts
from careloop.messaging.ports import (
    Outgoing,
    QuickReply,
    refusal,
)  # fmt: skip
from careloop.messaging.preview import given_by_clinic, given_by_person
from careloop.messaging.ready import Account, Ready
from careloop.patients.sealing import CONTACT_TABLE, RELATED_TABLE, open_key, unseal
from careloop.policy.answers import MessageClass, Verdict
from careloop.policy.selectors import quiet_window
from careloop.policy.services import Checker, checker_for
from careloop.policy.timing import next_allowed_at, waits_in_quiet_hours
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

FAMILY = "visit-family"
"""The template that says the visits of a family's day in one message."""


class Workshop:
    """Makes the messages of one batch: opens addresses, renders words, issues links."""

    def __init__(self, account: Account, *, now: datetime) -> None:
        self.account = account
        self.now = now
        self.organization = Organization.objects.get(pk=current_organization_id())
        self.zone = ZoneInfo(self.organization.time_zone)
        self.today = now.astimezone(self.zone).date()
        self.window = quiet_window(self.organization)
        self._quiet_until = next_allowed_at(now, zone=self.zone, window=self.window)
        self._checker: Checker | None = None
        self._verdicts: dict[tuple[UUID, str, str], Verdict] = {}
        self._links: list[tuple[bytes, UUID]] = []
        self._keeper = links.Doorkeeper(self.organization.pk)
        self._base = links.base_url()
        self._clinic: dict[str, dict[str, Any]] = {}
        self._layouts: dict[tuple[UUID, str, str], rendering.Layout] = {}
        self._families: list[UUID | None] = []

    def not_before(self, row: Mapping[str, Any]) -> datetime:
        """Return when this message may leave: now, or after the quiet hours."""
        if not waits_in_quiet_hours(MessageClass(row["message_class"]), urgent=row["at_once"]):
            return self.now
        return self._quiet_until

    def make(self, row: Mapping[str, Any]) -> Ready:
        """Return one message ready to leave.

        Raises:
            RenderProblem: it cannot be made; the reason is a reason code.
        """
        patient_id, message_id, channel = row["patient_id"], row["id"], self.account.channel
        if row["wrapped"] is None or row["template_version_id"] is None:
            raise rendering.RenderProblem("no_contact" if row["wrapped"] is None else "render")
        key = open_key(patient_id, row["wrapped"])
        try:
            to = self._address(row, key)
        except VaultError:
            raise rendering.RenderProblem("no_contact") from None
        params, subject = {} if row["params"] == "{}" else orjson.loads(row["params"]), ""
        if row["content_sealed"] is not None:
            written = sealing.open_under(key, f"{sealing.CONTENT_PLACE}.{message_id}", row["content_sealed"])
            params |= written.get("params", {})
            subject = written.get("subject", "")
        compiled = rendering.compiled(row["template_version_id"])
        language = compiled.language(row["language"], self.organization.language)
        self._judge_template(row["template_version_id"], language, row["message_class"])
        # LINE has taps of its own: a message there needs a token only when its text shows an address
        needs_token = channel != "line" or compiled.opens_page
        token, tap = self._keeper.token(message_id) if needs_token else "", self._keeper.tap(message_id)
        values = given_by_person(
            row, language=language, today=self.today, doors=links.doors_at(self._base, token=token, tap=tap),
            to_family=row["related_person_id"] is not None,
        )  # fmt: skip
        context = {
            **self._of_clinic(language),
            **rendering.context_of(values, params, language=language, zone=self.zone),
        }
        words = compiled.words(channel=channel, language=language, context=context)
        if "text" in params:
            self._judge(words.text, row["message_class"])
        layout = self._layout(row, words, language=language)
        dressed = layout.fill(words, token=token, tap=tap)
        if channel == "email" or (
            token and (token in dressed.text or any(token in one.url for one in dressed.buttons))
        ):
            self._links.append((token_hash(token), message_id))
        outgoing = Outgoing(
            id=message_id, key=message_id, to=to, text=dressed.text, subject=subject or dressed.subject, html=dressed.html,
            quick_replies=dressed.quick_replies, buttons=dressed.buttons, links=dressed.links, language=_tag(language),
            message_class=row["message_class"], unsubscribe_url=dressed.unsubscribe_url, patient_id=patient_id,
        )  # fmt: skip
        if (refused := refusal(self.account.capabilities, outgoing)) is not None:
            raise rendering.RenderProblem(str(refused.reason))
        return Ready(
            outgoing, compiled.template_key, row["message_class"], row["origin"], row["origin_id"], patient_id,
            row["contact_point_id"], key, row["attempts"] + 1, row["fixed_channel"], row["appointment_id"],
        )  # fmt: skip

    def join(self, family: Sequence[tuple[Mapping[str, Any], Ready]]) -> bool:
        """Let the first of these messages, all to one address about one day, say it for the others too.

        Names are masked as in a waiting room, because whoever holds the phone reads all of them. Every visit keeps its own
        answers: on LINE a tap, elsewhere a page that shows each. Returns False where one message cannot hold it; they leave
        one by one then.
        """
        row, carrier = family[0]
        channel = self.account.channel
        version = self._family_version()
        if version is None:
            return False
        compiled = rendering.compiled(version)
        language = compiled.language(row["language"], self.organization.language)
        tokens = {one.outgoing.key: self._keeper.token(one.outgoing.key) for _row, one in family}
        lines, taps, params = [], [], orjson.loads(row["params"])
        for its, one in family:
            said = rendering.context_of({}, orjson.loads(its["params"]), language=language, zone=self.zone)
            name = mask_name(its["name"])
            lines.append(rendering.visit_line(name, said, language=language))
            door = links.doors_at(self._base, token=tokens[one.outgoing.key], tap=self._keeper.tap(one.outgoing.key))
            if channel != "sms":
                lines.append(door.visit)
            if channel != "email":
                label = rendering.CONFIRM_FOR[language].format(name=name)[:20]
                taps.append(QuickReply(label, label, door.tap_data("CONFIRM")))
        context = {
            **self._of_clinic(language), "link": {"visit": f"{self._base}/p/a/{tokens[carrier.outgoing.key]}/"},
            **rendering.context_of({}, params, language=language, zone=self.zone), "visits": "\n".join(lines),
        }  # fmt: skip
        try:
            self._judge_template(version, language, row["message_class"])
            words = compiled.words(channel=channel, language=language, context=context)
        except rendering.RenderProblem:
            return False
        page = rendering.email_html(
            words.text,
            [],
            [],
            [],
            language=language,
            clinic=self.organization.name,
            color=self.organization.accent_color,
        )
        together = replace(
            carrier.outgoing, text=words.text, subject=words.subject, html=page if carrier.outgoing.html else "",
            quick_replies=tuple(taps) if channel == "line" else (), buttons=(), links=(), language=_tag(language),
        )  # fmt: skip
        if refusal(self.account.capabilities, together) is not None:
            return False
        carrier.outgoing = together
        for _row, member in family[1:]:
            member.outgoing = replace(
                together, id=member.outgoing.id, key=member.outgoing.key, patient_id=member.patient_id
            )
            carrier.members.append(member)
        self._links += [(token_hash(token), found) for found, token in tokens.items()]
        return True

    def _family_version(self) -> UUID | None:
        if not self._families:
            self._families = [
                sql.value(
                    """select v.id from messaging_template_version v join messaging_template t on t.id = v.template_id
                        where t.key = %s and not t.is_archived and v.published_at is not null order by v.number desc limit 1""",
                    [FAMILY],
                )
            ]
        found: UUID | None = self._families[0]
        return found

    def _of_clinic(self, language: str) -> dict[str, Any]:
        if language not in self._clinic:
            values = given_by_clinic(self.organization, language=language, today=self.today)
            self._clinic[language] = rendering.context_of(values, {}, language=language, zone=self.zone)
        return self._clinic[language]

    def _layout(self, row: Mapping[str, Any], words: rendering.Words, *, language: str) -> rendering.Layout:
        what = row["template_version_id"], language, row["message_class"]
        if what not in self._layouts:
            self._layouts[what] = rendering.layout(
                words, channel=self.account.channel, language=language, message_class=row["message_class"],
                doors_at=lambda token, tap: links.doors_at(self._base, token=token, tap=tap),
                clinic=self.organization.name, color=self.organization.accent_color,
            )  # fmt: skip
        return self._layouts[what]

    def _address(self, row: Mapping[str, Any], key: bytes) -> str:
        if row["value_sealed"] is not None:
            if row["contact_wrapped"] is not None:
                key = open_key(row["contact_patient_id"], row["contact_wrapped"])
            text = unseal(
                key, row["value_sealed"], table=CONTACT_TABLE, column="value_sealed", row_id=row["contact_point_id"]
            )
            return text.partition(";ext=")[0]
        column = "email_sealed" if self.account.channel == "email" else "phone_sealed"
        return unseal(key, row["related_sealed"], table=RELATED_TABLE, column=column, row_id=row["related_person_id"])

    def _judge_template(self, version_id: UUID, language: str, message_class: str) -> None:
        """Ask policy again about a template's words: rules, profile and sign-offs change after it was published. Once a batch."""
        what = version_id, language, message_class
        if what not in self._verdicts:
            channel = self.account.channel
            whole = texts.whole_text(rendering.compiled(version_id).texts[language], channel)
            self._verdicts[what] = texts.ask(whole, message_class, channel, self.organization, self._rules())
        self._stop_unless_allowed(self._verdicts[what])

    def _judge(self, text: str, message_class: str) -> None:
        """Ask policy about words that somebody wrote by hand."""
        marketing = message_class == "MARKETING"
        self._stop_unless_allowed(
            self._rules().check(
                text, message_class=message_class, channel=self.account.channel, opt_out=marketing,
                one_click=self.account.channel == "email",
            )
        )  # fmt: skip

    def _rules(self) -> Checker:
        if self._checker is None:
            self._checker = checker_for(self.organization, on=self.today)
        return self._checker

    def _stop_unless_allowed(self, verdict: Verdict) -> None:
        if not verdict.may_be_sent:
            raise rendering.RenderProblem("policy", rules=verdict.reasons)

    def keep_links(self) -> None:
        """Keep the hashes of the links in these messages, before the first of them leaves."""
        if self._links:
            sql.batch(
                """insert into messaging_answer_link (token_hash, message_id, expires_at)
                   select h, m, %(until)s from unnest(%(hashes)s::bytea[], %(ids)s::uuid[]) as l(h, m) on conflict do nothing""",
                {
                    "until": self.now + links.VALID_FOR, "hashes": sql.bytes_array(one for one, _m in self._links),
                    "ids": sql.uuid_array(one for _h, one in self._links),
                },
            )  # fmt: skip


def _tag(language: str) -> str:
    return {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}.get(language, language)

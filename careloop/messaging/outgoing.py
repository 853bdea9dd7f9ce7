"""Claiming and recording: the database's half of sending, each step one statement over a batch.

`due` locks and judges what is due; `take` turns the good ones into messages ready to leave; `record` writes down what the
channel said. A claimed message carries a lease: when its process dies, `recover` decides what may be sent again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from careloop.audit.services import current_actor
from careloop.consent.selectors import NEEDS_PERMIT, PURPOSE_OF
from careloop.kernel import sql
from careloop.kernel.ids import token_hash, uuid7
from careloop.kernel.masking import mask_name
from careloop.kernel.vault import VaultError
from careloop.messaging import attachments, links, planning, rendering, sealing
from careloop.messaging.ports import (
    Ambiguous,
    Capabilities,
    ChannelError,
    Outgoing,
    QuickReply,
    Reason,
    Result,
    Sent,
    refusal,
)  # fmt: skip
from careloop.messaging.preview import given_by_clinic, given_by_person
from careloop.messaging.rules import MARKETING_CAP_DAYS, UNKNOWN_IS_LEFT, UNKNOWN_SETTLED_AFTER, next_try
from careloop.patients import services as patients
from careloop.patients.sealing import CONTACT_TABLE, RELATED_TABLE, open_key, unseal
from careloop.policy.answers import MessageClass
from careloop.policy.selectors import quiet_window
from careloop.policy.services import Checker, checker_for
from careloop.policy.timing import next_allowed_at, waits_in_quiet_hours
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

LEASE = timedelta(minutes=5)
FAMILY = "visit-family"
"""The template that says the visits of a family's day in one message."""
BATCH = 500
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
OTHER_WAY_HELPS = {"unreachable", "no_contact", "consent_refused", "consent_missing"}

_PURPOSES = " ".join(f"when '{name}' then '{purpose.value}'" for name, purpose in PURPOSE_OF.items())

_DUE = f"""
with first as materialized (
    select m.* from messaging_message m
     where m.account_id = %(account)s and m.state = 'planned' and m.due_at <= %(now)s
       and (m.together = '' or not exists (
            select from messaging_message e
             where e.together = m.together and e.state = 'planned' and e.account_id = m.account_id and e.due_at <= %(now)s
               and (e.due_at, e.id) < (m.due_at, m.id)))
     order by m.due_at, m.id limit %(limit)s for update skip locked
),
family as materialized (
    select m.* from first k
      join messaging_message m on m.together = k.together and m.state = 'planned' and m.account_id = k.account_id
       and m.due_at <= %(now)s and m.id <> k.id
     where k.together <> '' for update of m skip locked
),
picked as materialized (select * from first union all select * from family),
used as (
    select count(*) as n from messaging_message m, tenancy_organization o
     where m.account_id = %(account)s and o.id = m.organization_id and %(budget)s::int is not null
       and (m.accepted_at >= date_trunc('month', %(now)s at time zone o.time_zone) at time zone o.time_zone
            or m.state in ('claimed', 'unknown'))
)
select k.id, k.patient_id, k.related_person_id, k.contact_point_id, k.template_version_id, k.message_class, k.language,
       k.params::text as params, k.content_sealed, k.at_once, k.fixed_channel, k.origin, k.origin_id, k.attempts,
       k.appointment_id, k.together,
       p.name, p.sex, p.birth_date, key.wrapped,
       c.value_sealed, c.patient_id as contact_patient_id, case when c.patient_id = k.patient_id then null else ck.wrapped end as contact_wrapped,
       case when %(channel)s = 'email' then r.email_sealed else r.phone_sealed end as related_sealed,
       case when p.merged_into_id is not null then 'merged' when p.deceased then 'deceased' when not p.active then 'inactive'
            when k.appointment_id is not null and {planning.STALE.format(message="k")} then 'version'
            when /*otherwise*/ then 'version'
            when k.expires_at < %(now)s then 'too_late'
            when c.id is null and (case when %(channel)s = 'email' then r.email_sealed else r.phone_sealed end) is null then 'no_contact'
            when c.reach in ('blocked', 'bounced') then 'unreachable'
            when k.origin = 'code' then ''
            when %(channel)s = any(d.denied) or 'any' = any(d.denied) then 'consent_refused'
            when u.purpose = any(%(needing_permit)s)
                 and not (%(channel)s = any(d.permitted) or 'any' = any(d.permitted))
            then 'consent_missing'
            when k.message_class = 'MARKETING' and k.attempts = 0 and coalesce(n.had, 0)
                 + row_number() over (partition by k.patient_id, k.message_class order by k.due_at, k.id) > o.marketing_cap then 'cap'
            when %(budget)s::int is not null
                 and row_number() over (order by k.due_at, k.id) > greatest(0, %(budget)s::int - used.n) then 'budget'
            else '' end as reason
  from picked k
  join patients_patient p on p.id = k.patient_id
  join tenancy_organization o on o.id = k.organization_id
  cross join used
  cross join lateral (select case k.message_class {_PURPOSES} end as purpose) as u
  left join patients_key key on key.patient_id = k.patient_id
  left join patients_contact_point c on c.id = k.contact_point_id
  left join patients_key ck on ck.patient_id = c.patient_id
  left join patients_related_person r on r.id = k.related_person_id
  left join scheduling_appointment v on v.id = k.appointment_id
  cross join lateral (
    select coalesce(array_agg(c.channel) filter (where c.decision = 'deny'), '{{}}') as denied,
           coalesce(array_agg(c.channel) filter (where c.decision = 'permit'), '{{}}') as permitted
      from consent_consent c where c.patient_id = k.patient_id and c.ended_at is null and c.purpose = u.purpose
  ) as d
  left join lateral (
    select count(*) as had from messaging_message m
     where m.patient_id = k.patient_id and m.message_class = 'MARKETING' and m.due_at > %(cap_from)s
       and m.state in ('accepted', 'unknown', 'claimed')
  ) as n on k.message_class = 'MARKETING'
 order by k.due_at, k.id
"""

_TAKE = """
update messaging_message m
   set state = 'claimed', carried_by = case when g.in_group then g.carrier end, reason = '', details = '{}', lease_id = %(lease)s, lease_until = %(until)s, handed_at = null,
       attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, %(now)s), closed_at = null
  from unnest(%(ids)s::uuid[], %(carriers)s::uuid[], %(in_groups)s::boolean[]) as g(id, carrier, in_group) where m.id = g.id
"""

_CHANGED = f"""
with stale as (
    select m.id from messaging_message m left join scheduling_appointment v on v.id = m.appointment_id
     where m.id = any(%(ids)s::uuid[]) and m.lease_id = %(lease)s and m.state = 'claimed'
       and ((m.appointment_id is not null and {planning.STALE.format(message="m")}) or /*otherwise*/)
)
update messaging_message m
   set state = 'cancelled', reason = 'version', closed_at = %(now)s, lease_id = null, lease_until = null, carried_by = null
  from stale s where m.id = s.id returning m.id
"""


def _with_bounds(statement: str, message: str) -> str:
    """Return a statement that also asks what slices above have bound their messages to."""
    return statement.replace("/*otherwise*/", planning.stale_otherwise(message))


_LEAVE = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(dues)s::timestamptz[], %(details)s::jsonb[])
           as g(id, state, reason, due_at, details)
),
moved as (
    update messaging_message m
       set state = g.state, reason = g.reason, due_at = coalesce(g.due_at, m.due_at),
           details = case when g.due_at is null then g.details else g.details || jsonb_build_object('asked_for', m.due_at) end,
           lease_id = null, lease_until = null, handed_at = null,
           closed_at = case when g.state in ('blocked', 'cancelled') then %(now)s::timestamptz end
      from given g where m.id = g.id
    returning m.id, m.patient_id, m.state, m.reason, m.channel, m.message_class, m.origin, m.origin_id, m.template_version_id
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'message.blocked', m.patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, m.origin,
           jsonb_build_object('message_id', m.id, 'channel', m.channel, 'message_class', m.message_class,
                              'template', coalesce(t.key, ''), 'origin', m.origin, 'origin_id', m.origin_id, 'reason', m.reason)
      from moved m left join messaging_template_version v on v.id = m.template_version_id
      left join messaging_template t on t.id = v.template_id
     where m.state = 'blocked'
),
noted as (
    insert into messaging_note (message_id, at, what, reason)
    select m.id, %(now)s, 'delayed', 'quiet_hours' from moved m join given g on g.id = m.id
     where m.state = 'planned' and jsonb_exists(g.details, 'delay')
)
select count(*) from moved
"""

_BY_INDEX = """
select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true)
"""


def _by_index() -> None:
    """Let this transaction find rows by index only.

    An outbox changes faster than its statistics: where they were old, the planner read the whole table for each batch, at
    four times the price. A batch knows the ids of its rows; there is nothing to weigh.
    """
    sql.execute(_BY_INDEX)


@dataclass(slots=True)
class Ready:
    """One claimed message: what leaves, and what is needed to write down how it went."""

    outgoing: Outgoing
    template: str
    message_class: str
    origin: str
    origin_id: str
    patient_id: UUID
    contact_point_id: UUID | None
    key: bytes
    attempts: int
    fixed_channel: bool
    appointment_id: UUID | None = None
    members: list["Ready"] = field(default_factory=list)

    @property
    def is_bound(self) -> bool:
        """Whether it is right only as long as something else stays as it is."""
        return self.appointment_id is not None or self.origin in planning.BOUND

    @property
    def ids(self) -> list[UUID]:
        """This message's id and those of the ones it carries."""
        return [self.outgoing.key, *(one.outgoing.key for one in self.members)]


def ids_of(ready: Iterable[Ready]) -> list[UUID]:
    """Return the ids of messages and of all that they carry."""
    return [found for one in ready for found in one.ids]


@dataclass(frozen=True)
class Account:
    """What sending needs to know of an account."""

    id: UUID
    channel: str
    capabilities: Capabilities
    monthly_budget: int | None


def claim(account: Account, *, lease: UUID, now: datetime, limit: int = BATCH) -> list[Ready]:
    """Claim what is due on this account: every rule is asked again, what may not go says why, the rest is rendered.

    One transaction; nothing has left when it commits. A message whose way is closed meanwhile takes another one.
    """
    _by_index()
    rows = sql.batch(
        _with_bounds(_DUE, "k"),
        {
            "account": account.id, "channel": account.channel, "now": now, "limit": limit, "budget": account.monthly_budget,
            "cap_from": now - timedelta(days=MARKETING_CAP_DAYS), "needing_permit": [str(one) for one in NEEDS_PERMIT],
        },
    )  # fmt: skip
    if not rows:
        return []
    rerouted = _reroute(rows, now=now)
    workshop = Workshop(account, now=now)
    ready: list[Ready] = []
    families: dict[str, list[tuple[Mapping[str, Any], Ready]]] = {}
    staying: list[tuple[UUID, str, str, datetime | None, Mapping[str, Any]]] = []
    for row in rows:
        if row["id"] in rerouted:
            continue
        if row["reason"]:
            state = "cancelled" if row["reason"] in ("too_late", "version") else "blocked"
            staying.append((row["id"], state, row["reason"], None, {}))
        elif (later := workshop.not_before(row)) > now:
            staying.append((row["id"], "planned", "", later, {"delay": "quiet_hours"}))
        else:
            try:
                made = workshop.make(row)
            except rendering.RenderProblem as problem:
                staying.append((row["id"], "blocked", problem.reason, None, problem.details))
            else:
                ready.append(made)
                if row["together"]:
                    families.setdefault(row["together"], []).append((row, made))
    for family in families.values():
        if len(family) > 1 and workshop.join(family):
            joined = {member.outgoing.key for _row, member in family[1:]}
            ready = [one for one in ready if one.outgoing.key not in joined]
    attachments.attach(ready, account.capabilities)
    if ready:
        carriers = [one for one in ready for _id in one.ids]
        sql.batch(
            _TAKE,
            {
                "ids": sql.uuid_array(ids_of(ready)), "carriers": sql.uuid_array(one.outgoing.key for one in carriers),
                "in_groups": [bool(one.members) for one in carriers], "lease": lease, "until": now + LEASE, "now": now,
            },
        )  # fmt: skip
    if staying:
        actor = current_actor()
        sql.execute(
            _LEAVE,
            {
                "ids": [one[0] for one in staying], "states": [one[1] for one in staying], "reasons": [one[2] for one in staying],
                "dues": [one[3] for one in staying], "details": [orjson.dumps(one[4]).decode() for one in staying],
                "now": now, "actor_kind": actor.kind, "actor_id": actor.id,
            },
        )  # fmt: skip
    workshop.keep_links()
    return ready


def without_changed(ready: Sequence[Ready], *, lease: UUID, now: datetime) -> list[Ready]:
    """Return what may still leave, asked at the last moment: a visit may have been changed since its message was claimed.

    What speaks of an old time is cancelled. Where one message speaks for a family and one of their visits changed, the others
    are given back, to be said again without it.
    """
    bound = [one for one in ready if one.is_bound]
    if not bound:
        return list(ready)
    _by_index()
    stale = {
        row["id"]
        for row in sql.batch(
            _with_bounds(_CHANGED, "m"), {"ids": sql.uuid_array(ids_of(bound)), "lease": lease, "now": now}
        )
    }
    if not stale:
        return list(ready)
    hit = [one for one in bound if not stale.isdisjoint(one.ids)]
    release([found for found in ids_of(hit) if found not in stale], lease=lease)
    gone = {one.outgoing.key for one in hit}
    return [one for one in ready if one.outgoing.key not in gone]


def _reroute(rows: Sequence[Mapping[str, Any]], *, now: datetime) -> set[UUID]:
    """Give messages whose way has closed another one; they are due on that account at once."""
    stuck = [row["id"] for row in rows if row["reason"] in OTHER_WAY_HELPS and not row["fixed_channel"]]
    if not stuck:
        return set()
    found = planning.choose_ways(stuck, now=now)
    if found:
        sql.execute(
            "insert into messaging_note (message_id, at, what, reason) select unnest(%s::uuid[]), %s, 'rerouted', 'rerouted'",
            [list(found), now],
        )
    return found


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

    def _judge(self, text: str, message_class: str) -> None:
        """Ask policy about words that somebody wrote by hand: the template was asked when it was published."""
        if self._checker is None:
            self._checker = checker_for(self.organization, on=self.today)
        marketing = message_class == "MARKETING"
        verdict = self._checker.check(
            text, message_class=message_class, channel=self.account.channel, opt_out=marketing,
            one_click=self.account.channel == "email",
        )  # fmt: skip
        if not verdict.may_be_sent:
            raise rendering.RenderProblem("policy", rules=verdict.reasons)

    def keep_links(self) -> None:
        """Keep the hashes of the links in these messages, before the first of them leaves."""
        if self._links:
            sql.batch(
                """insert into messaging_answer_link (token_hash, message_id, expires_at)
                   select h, m, %(until)s from unnest(%(hashes)b::bytea[], %(ids)s::uuid[]) as l(h, m) on conflict do nothing""",
                {
                    "until": self.now + links.VALID_FOR, "hashes": [one for one, _m in self._links],
                    "ids": sql.uuid_array(one for _h, one in self._links),
                },
            )  # fmt: skip


def _tag(language: str) -> str:
    return {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}.get(language, language)


def hand_over(ids: Sequence[UUID], *, lease: UUID, now: datetime) -> None:
    """Note that these are about to leave on a channel that cannot tell copies apart: from now on they are not resent."""
    _by_index()
    sql.batch(
        "update messaging_message set handed_at = %(now)s, lease_until = %(until)s "
        "where id = any(%(ids)s::uuid[]) and lease_id = %(lease)s and state = 'claimed'",
        {"now": now, "until": now + LEASE, "ids": sql.uuid_array(ids), "lease": lease},
    )


def release(ids: Sequence[UUID], *, lease: UUID) -> None:
    """Put claimed messages back that were not handed over: the process is stopping."""
    sql.execute(
        """update messaging_message set state = 'planned', lease_id = null, lease_until = null, attempts = greatest(0, attempts - 1)
            where id = any(%s) and lease_id = %s and state = 'claimed' and handed_at is null""",
        [list(ids), lease],
    )


_ACCEPTED = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(providers)s::text[], %(contents)b::bytea[], %(accepted)s::timestamptz[],
                         %(templates)s::text[])
           as g(id, provider_id, content, accepted_at, template)
),
changed as (
    update messaging_message m
       set state = 'accepted', reason = '', provider_id = g.provider_id, content_sealed = g.content, details = '{}',
           accepted_at = g.accepted_at, lease_until = null, closed_at = null
      from given g
     where m.id = g.id and m.lease_id = %(lease)s and m.state in ('claimed', 'unknown')
    returning m.id, m.patient_id, m.channel, m.message_class, m.origin, m.origin_id, g.template
)
insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
select 'message.sent', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, channel,
       jsonb_build_object('message_id', id, 'channel', channel, 'message_class', message_class, 'template', template,
                          'origin', origin, 'origin_id', origin_id)
  from changed
"""

_NOT_ACCEPTED = """
with given as (
    select * from unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(dues)s::timestamptz[], %(details)s::jsonb[],
                         %(templates)s::text[], %(uncounted)s::boolean[])
           as g(id, state, reason, due_at, details, template, uncounted)
),
changed as (
    update messaging_message m
       set state = g.state, reason = g.reason, due_at = coalesce(g.due_at, m.due_at), provider_id = '', details = g.details,
           accepted_at = null, lease_until = null, handed_at = case when g.state = 'planned' then null else m.handed_at end,
           attempts = m.attempts - case when g.uncounted then 1 else 0 end,
           closed_at = case when g.state in ('failed', 'unknown') then %(now)s::timestamptz end
      from given g
     where m.id = g.id and m.lease_id = %(lease)s and m.state in ('claimed', 'unknown')
    returning m.id, m.patient_id, m.state, m.reason, m.channel, m.message_class, m.origin, m.origin_id, g.template, g.details
),
told as (
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
    select 'message.failed', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor_id)s, channel,
           jsonb_build_object('message_id', id, 'channel', channel, 'message_class', message_class, 'template', template,
                              'origin', origin, 'origin_id', origin_id, 'reason', reason)
      from changed where state = 'failed'
)
insert into messaging_note (message_id, at, what, reason, details)
select id, %(now)s, case state when 'planned' then 'retry' else state end, reason, details from changed
"""


def record(ready: Sequence[Ready], results: Sequence[Result], *, lease: UUID, now: datetime) -> dict[str, int]:
    """Write down what the channel said, its events in the same transaction; return counts by outcome.

    A result that comes after the lease was taken away still counts when nobody sent the message since.
    """
    said = [(each, result) for one, result in zip(ready, results, strict=True) for each in (one, *one.members)]
    accepted = [(one, result) for one, result in said if isinstance(result, Sent)]
    refused = [(one, result) for one, result in said if isinstance(result, ChannelError)]
    _by_index()
    if accepted:
        _record_accepted(accepted, lease=lease, now=now)
    counts = {"accepted": len(accepted)} if accepted else {}
    return counts | _record_refused(refused, lease=lease, now=now) if refused else counts


def _record_accepted(sent: Sequence[tuple[Ready, Sent]], *, lease: UUID, now: datetime) -> None:
    """Write down what was accepted and what it said, sealed."""
    actor = current_actor()
    sql.batch(
        _ACCEPTED,
        {
            "ids": sql.uuid_array(one.outgoing.key for one, _result in sent),
            "providers": sql.text_array([result.provider_id[:200] for _one, result in sent]),
            "contents": [_said(one) for one, _result in sent],
            "accepted": [min(result.accepted_at, now) for _one, result in sent],
            "templates": sql.text_array([one.template for one, _result in sent]),
            "lease": lease, "now": now, "actor_kind": actor.kind, "actor_id": actor.id,
        },
    )  # fmt: skip


def _said(one: Ready) -> bytes:
    """Return what the patient sees of a message, sealed under the patient's key."""
    said = {
        "text": _without_code(one, one.outgoing.text), "subject": _without_code(one, one.outgoing.subject),
        "quick_replies": [item.label for item in one.outgoing.quick_replies],
        "buttons": [item.label for item in one.outgoing.buttons],
    }  # fmt: skip
    return sealing.seal_under(one.key, f"{sealing.CONTENT_PLACE}.{one.outgoing.id}", said)


def _without_code(one: Ready, text: str) -> str:
    """Return what is kept of a text: a one-time code is the patient's alone, and no colleague can read it up here."""
    return CODE.sub("······", text) if one.origin == "code" else text


def _record_refused(refused: Sequence[tuple[Ready, ChannelError]], *, lease: UUID, now: datetime) -> dict[str, int]:
    """Write down what was not accepted: tried again later, by another way, unknown, or failed."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("ids", "states", "reasons", "dues", "details", "templates", "uncounted")
    }
    counts: dict[str, int] = {}
    dead: dict[str, list[UUID]] = {"blocked": [], "bounced": []}
    rerouting: list[UUID] = []
    for one, error in refused:
        state, reason, due_at, uncounted = _outcome(one, error, now=now)
        if error.reason in (Reason.BLOCKED, Reason.BAD_ADDRESS) and one.contact_point_id:
            dead["blocked" if error.reason is Reason.BLOCKED else "bounced"].append(one.contact_point_id)
            if not one.fixed_channel:
                rerouting.append(one.outgoing.key)
        counts[state] = counts.get(state, 0) + 1
        detail = orjson.dumps({"said": error.message[:200]}).decode()
        values = (one.outgoing.key, state, reason, due_at, detail, one.template, uncounted)
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    actor = current_actor()
    sql.execute(_NOT_ACCEPTED, {**columns, "lease": lease, "now": now, "actor_kind": actor.kind, "actor_id": actor.id})
    for reach, contacts in dead.items():
        if contacts:
            patients.set_reach(contact_point_ids=contacts, reach=reach, now=now)
    if rerouting:
        _try_another_way(rerouting, now=now)
    return counts


def _outcome(one: Ready, error: ChannelError, *, now: datetime) -> tuple[str, str, datetime | None, bool]:
    """Return state, reason, new due time, and whether the try does not count."""
    if isinstance(error, Ambiguous):
        return "unknown", "ambiguous", None, False
    if error.reason in (Reason.QUOTA, Reason.AUTH):
        return "planned", str(error.reason), now, True
    if error.retry:
        again = next_try(one.attempts, now=now, retry_after_seconds=error.retry_after)
        if again is not None:
            return "planned", str(error.reason), again, False
    return "failed", str(error.reason), None, False


def _try_another_way(message_ids: Sequence[UUID], *, now: datetime) -> None:
    """Send by another channel what an address refused for good: the patient should still get it."""
    found = planning.choose_ways(message_ids, now=now)
    if found:
        sql.execute(
            """with again as (
                   update messaging_message set state = 'planned', reason = '', due_at = %(now)s, closed_at = null, attempts = 0,
                          lease_id = null, first_tried_at = null, handed_at = null
                    where id = any(%(ids)s) and state = 'failed' returning id
               )
               insert into messaging_note (message_id, at, what, reason) select id, %(now)s, 'rerouted', 'rerouted' from again""",
            {"ids": list(found), "now": now},
        )


def recover(account: Account, *, now: datetime) -> dict[str, int]:
    """Decide about claimed messages whose process is gone: their lease has run out.

    Not handed over, or the channel knows copies by their key (for as long as it remembers): planned again. Otherwise it may
    have arrived: `unknown`, and never sent again by itself.
    """
    capabilities = account.capabilities
    remembered = now - timedelta(hours=capabilities.deduplicates_for_hours or 0)
    found = sql.rows(
        """
        with gone as (
            select id, (%(deduplicates)s and first_tried_at > %(remembered)s)
                       or (not %(deduplicates)s and handed_at is null) as again
              from messaging_message where account_id = %(account)s and state = 'claimed' and lease_until <= %(now)s
             order by id for update skip locked
        ), moved as (
            update messaging_message m
               set state = case when g.again then 'planned' else 'unknown' end,
                   reason = case when g.again then '' else 'crashed' end,
                   closed_at = case when g.again then null else %(now)s::timestamptz end,
                   lease_until = null, lease_id = case when g.again then null else m.lease_id end
              from gone g where m.id = g.id
            returning m.id, m.state
        ), noted as (
            insert into messaging_note (message_id, at, what, reason)
            select id, %(now)s, case state when 'planned' then 'retry' else state end, 'crashed' from moved
        )
        select state, count(*) as n from moved group by state
        """,
        {
            "account": account.id, "now": now, "deduplicates": capabilities.deduplicates, "remembered": remembered,
        },
    )  # fmt: skip
    return {row["state"]: int(row["n"]) for row in found}


def settle_unknown(*, now: datetime) -> int:
    """Close messages that stayed unknown for a day and whose class says that a second copy would do more harm."""
    left = [name for name, is_left in UNKNOWN_IS_LEFT.items() if is_left]
    return sql.execute(
        """with settled as (
               update messaging_message set state = 'cancelled', reason = 'left', closed_at = %(now)s
                where state = 'unknown' and closed_at <= %(before)s and message_class = any(%(left)s) returning id
           )
           insert into messaging_note (message_id, at, what, reason) select id, %(now)s, 'settled', 'left' from settled""",
        {"now": now, "before": now - UNKNOWN_SETTLED_AFTER, "left": left},
    )


def new_lease() -> UUID:
    return uuid7()

"""Everything a patient's page needs at once, in one statement."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from careloop.facts.models import Stage
from careloop.facts.rules import Reach
from careloop.kernel import sql
from careloop.kernel.masking import mask_address, mask_id
from careloop.patients import sealing
from careloop.patients.models import Patient
from careloop.patients.panels import Panel, PatientHead
from careloop.patients.selectors import Secret, mask

Row = dict[str, Any]

# One round trip: what the header shows, what the overview shows, and what is due. Sealed values travel as base64.
HEAD = """
select {columns}, k.wrapped,
       (select name from tenancy_location l where l.id = p.home_location_id) as location_name,
       (select json_agg(json_build_object('id', t.id, 'name', t.name, 'color', t.color) order by t.name)
          from patients_patient_tag pt join patients_tag t on t.id = pt.tag_id where pt.patient_id = p.id) as tags,
       (select json_agg(json_build_object('id', c.id, 'system', c.system, 'use', c.use, 'sealed', encode(c.value_sealed, 'base64'),
                'is_mobile', c.is_mobile, 'rank', c.rank, 'reach', c.reach, 'is_verified', c.verified_at is not null,
                'warning', c.warning) order by c.system, c.reach in ('blocked', 'bounced'), c.rank, c.id)
          from patients_contact_point c where c.patient_id = p.id) as contacts,
       (select json_agg(json_build_object('purpose', c.purpose, 'channel', c.channel, 'decision', c.decision))
          from consent_consent c where c.patient_id = p.id and c.ended_at is null) as consents,
       exists (select 1 from consent_notice_shown s where s.patient_id = p.id) as has_seen_notice,
       (select row_to_json(f) from (
           select stage, reach, last_visit_on, first_visit_on, visits, visits_12m, self_pay_12m, self_pay_total,
                  visit_interval_days, supply_ends_on, refills_left, last_sent_at, last_answered_at
             from facts_patient where patient_id = p.id) f) as facts,
       case when %(clinical)s then (
           select json_agg(json_build_object('display', a.display, 'criticality', a.criticality)
                           order by a.criticality = 'high' desc, a.display)
             from records_allergy a where a.patient_id = p.id and not a.entered_in_error
              and a.status not in ('inactive', 'resolved')
              and a.verification_status not in ('refuted', 'entered-in-error')) end as allergies
       {overview}
  from patients_patient p left join patients_key k on k.patient_id = p.id
 where p.id = %(patient)s
"""
OVERVIEW = """,
       (select json_agg(json_build_object('id', i.id, 'kind', i.kind, 'system', i.system, 'warning', i.warning,
                'sealed', encode(i.value_sealed, 'base64')) order by i.kind, i.id)
          from patients_identifier i where i.patient_id = p.id) as identifiers,
       (select json_agg(json_build_object('kind', h.kind, 'code', h.code, 'text', h.text, 'since', h.since, 'id', h.id)
                order by h.kind, h.id)
          from patients_health_note h where h.patient_id = p.id and h.ended_on is null) as health_notes,
       (select json_agg(v) from (
           select e.id, e.started_at, e.class_code, e.display, e.department, e.practitioner_name, e.reason_display,
                  e.location_name
             from records_encounter e where e.patient_id = p.id and not e.entered_in_error
            order by e.started_at desc limit 4) v) as latest_visits,
       case when %(clinical)s then (select json_agg(m) from (
           select m.id, m.display, m.supply_ends_on, m.fills_allowed, m.fills_taken
             from records_medication m where m.patient_id = p.id and not m.entered_in_error and m.is_refillable
              and m.status = 'active' and m.supply_ends_on is not null order by m.supply_ends_on limit 10) m) end as refills
"""

COLUMNS = ", ".join(f"p.{one.column}" for one in Patient._meta.concrete_fields if one.column != "name_grams")
PART = HEAD.replace("{columns}", COLUMNS).replace("{overview}", "")
WHOLE = HEAD.replace("{columns}", COLUMNS).replace("{overview}", OVERVIEW + "{panels}")


@dataclass
class PageData:
    """One patient as the page knows them. `row` holds the plain columns."""

    row: Row
    key: bytes | None
    today: date
    tags: list[Row] = field(default_factory=list)
    contacts: list[Secret] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    facts: Row = field(default_factory=dict)
    allergies: list[Row] = field(default_factory=list)
    empty_panels: frozenset[Panel] = frozenset()

    @property
    def head(self) -> PatientHead:
        names = (
            "id",
            "name",
            "sex",
            "birth_date",
            "chart_number",
            "version",
            "deceased",
            "active",
            "language",
            "restriction",
        )
        return PatientHead(**{name: self.row[name] for name in names})

    @property
    def stage(self) -> Stage | None:
        return Stage(self.facts["stage"]) if self.facts else None

    def secrets(self) -> list[Secret]:
        """Identifiers, contact points and address, masked."""
        found = []
        for one in self.row.get("identifiers") or []:
            value = self._open(one, sealing.IDENTIFIER_TABLE)
            found.append(Secret(one["kind"], UUID(one["id"]), mask_id(value), one["system"], warning=one["warning"]))
        found += self.contacts
        if self.row["address_sealed"] and self.key:
            address = sealing.unseal(
                self.key,
                self.row["address_sealed"],
                table=sealing.PATIENT_TABLE,
                column="address_sealed",
                row_id=self.row["id"],
            )
            found.append(Secret("address", self.row["id"], mask_address(address)))
        return found

    def read_contacts(self) -> None:
        """Open and mask the contact points that came with the row."""
        for one in self.row.pop("contacts") or []:
            value, _mark, _extension = self._open(one, sealing.CONTACT_TABLE).partition(";ext=")
            self.contacts.append(
                Secret(
                    one["system"], UUID(one["id"]), mask(one["system"], value), use=one["use"], warning=one["warning"],
                    reach=one["reach"], is_mobile=one["is_mobile"], is_verified=one["is_verified"],
                )
            )  # fmt: skip

    def _open(self, one: Row, table: str) -> str:
        if self.key is None:
            return ""
        return sealing.unseal(
            self.key, b64decode(one["sealed"]), table=table, column="value_sealed", row_id=UUID(one["id"])
        )

    def may(self, purpose: str, channel: str) -> str:
        """Return permit, deny or nothing: the decision in force for a purpose on a channel; a refusal wins."""
        decisions = {
            one["decision"] for one in self.consents if one["purpose"] == purpose and one["channel"] in ("any", channel)
        }
        return "deny" if "deny" in decisions else "permit" if decisions else ""

    def reaches(self, bit: Reach) -> bool:
        return bool((self.facts.get("reach") or 0) & bit)


def load(
    patient_id: UUID, *, today: date, clinical: bool, overview: bool, panels: Sequence[Panel] = ()
) -> PageData | None:
    """Return one patient for their page: one statement. None when there is no such patient here.

    Args:
        panels: what slices above put on the overview; the statement finds out which of them have nothing to show.
    """
    asked = [one for one in panels if one.shows_when]
    shown = "".join(f", {one.shows_when} as panel_{number}" for number, one in enumerate(asked))
    row = sql.row(
        WHOLE.replace("{panels}", shown) if overview else PART,
        {"patient": patient_id, "clinical": clinical},
        planned=True,
    )
    if row is None:
        return None
    wrapped = row.pop("wrapped")
    empty = frozenset(one for number, one in enumerate(asked) if overview and not row.pop(f"panel_{number}"))
    data = PageData(
        row, sealing.open_key(patient_id, wrapped) if wrapped else None, today,
        tags=row.pop("tags") or [], consents=row.pop("consents") or [], facts=row.pop("facts") or {},
        allergies=row.pop("allergies") or [], empty_panels=empty,
    )  # fmt: skip
    data.read_contacts()
    return data

"""The people cared for: who they are, how they are reached, who belongs to them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.kernel.ids import uuid7
from careloop.tenancy.models import Location, NewId, TenantModel


class Patient(TenantModel):
    """A person cared for, or who may be [FHIR Patient].

    Sensitive identifiers (national id, phone, e-mail, LINE id, address) are sealed under the patient's own key
    (`PatientKey`); names are searchable through `name_grams`. A merged record points to its survivor.
    """

    class Sex(models.TextChoices):
        MALE = "male", _("male")
        FEMALE = "female", _("female")
        OTHER = "other", _("other")
        UNKNOWN = "unknown", _("unknown")

    class Restriction(models.TextChoices):
        """What a request of the person left: kept but not used, or emptied. Either way the record is closed and stays so."""

        RESTRICTED = "RESTRICTED", _("restricted")
        ERASED = "ERASED", _("erased")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    chart_number = models.CharField(max_length=60, blank=True, db_default="", db_collation="C")
    name = models.CharField(max_length=160)
    family_name = models.CharField(max_length=80, blank=True, db_default="")
    given_name = models.CharField(max_length=80, blank=True, db_default="")
    name_grams = ArrayField(models.TextField(), default=list, editable=False)
    sex = models.CharField(max_length=10, choices=Sex, default=Sex.UNKNOWN)
    birth_date = models.DateField(null=True, blank=True)
    birth_precision = models.CharField(max_length=5, db_default="day", default="day", help_text="day, month or year")
    deceased = models.BooleanField(default=False, db_default=False)
    deceased_at = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True, db_default=True)
    restriction = models.CharField(max_length=12, choices=Restriction, blank=True, db_default="")
    language = models.CharField(max_length=10, blank=True, db_default="", help_text=_("empty: the organization's"))
    preferred_channel = models.CharField(max_length=10, blank=True, db_default="")
    preferred_hour = models.PositiveSmallIntegerField(null=True, blank=True)
    preferred_practitioner = models.CharField(max_length=80, blank=True, db_default="")
    # nearly always empty, see `belonging.PointsTo`
    home_location = models.ForeignKey(
        Location, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False, db_constraint=False
    )
    address_sealed = models.BinaryField(null=True)
    postal_code = models.CharField(max_length=12, blank=True, db_default="")
    city = models.CharField(max_length=60, blank=True, db_default="")
    district = models.CharField(max_length=60, blank=True, db_default="")
    country = models.CharField(max_length=3, blank=True, db_default="")
    marital_status = models.CharField(max_length=10, blank=True, db_default="")
    blood_group = models.CharField(max_length=6, blank=True, db_default="")
    occupation = models.CharField(max_length=80, blank=True, db_default="")
    referral_source = models.CharField(max_length=80, blank=True, db_default="")
    note = models.TextField(blank=True, db_default="")
    registered_on = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=60, blank=True, db_default="")
    external_id = models.CharField(max_length=160, blank=True, db_default="", db_collation="C")
    batch_id = models.UUIDField(null=True, editable=False)
    warnings = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged_from", db_index=False, db_constraint=False
    )
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "patients_patient"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "chart_number"],
                name="patient_chart_number_once",
                condition=~models.Q(chart_number=""),
            ),
            models.UniqueConstraint(
                fields=["organization", "source", "external_id"],
                name="patient_once_per_source",
                condition=~models.Q(external_id=""),
            ),
            models.CheckConstraint(
                condition=models.Q(sex__in=["male", "female", "other", "unknown"]), name="patient_sex_known"
            ),
        ]
        indexes = [
            GinIndex(fields=["name_grams"], name="patient_name_grams"),
            models.Index(fields=["organization", "birth_date"], name="patient_by_birth_date"),
            # read backwards, latest first; written at its end, where new rows of a rising id belong
            models.Index(fields=["organization", "updated_at", "id"], name="patient_by_change"),
            # few share a name: these need not stand in the order of their ids
            models.Index(fields=["organization", "name"], name="patient_by_name"),
            # few patients have either: the index holds those only
            models.Index(fields=["merged_into"], name="patient_by_survivor", condition=models.Q(merged_into__isnull=False)),
            models.Index(fields=["home_location"], name="patient_by_location", condition=models.Q(home_location__isnull=False)),
        ]  # fmt: skip


class PatientKey(TenantModel):
    """The patient's own data key, wrapped by a master key. Destroying the row erases everything sealed with it."""

    # checked as a set, see `belonging`
    patient = models.OneToOneField(Patient, models.CASCADE, primary_key=True, related_name="key", db_constraint=False)
    wrapped = models.BinaryField()

    class Meta:
        db_table = "patients_key"


class Identifier(TenantModel):
    """A number a patient is known by [FHIR Identifier]; sealed, found again by its blind index.

    The chart number is not here but on the patient: it is shown on every list and is no secret inside the clinic.
    `warning` keeps what was odd about it (a wrong check digit), because records are kept as they came.
    """

    class Kind(models.TextChoices):
        NATIONAL_ID = "national_id", _("national ID")
        RESIDENT_CERTIFICATE = "resident_certificate", _("resident certificate no.")
        PASSPORT = "passport", _("passport")
        INSURANCE_CARD = "insurance_card", _("NHI card")
        OTHER = "other", _("other number")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    # checked as a set, see `belonging`; the unique constraint is the index
    patient = models.ForeignKey(
        Patient, models.CASCADE, related_name="identifiers", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=24, choices=Kind)
    system = models.CharField(max_length=160, blank=True, db_default="")
    value_sealed = models.BinaryField()
    value_index = models.BinaryField()
    warning = models.CharField(max_length=60, blank=True, db_default="")
    batch_id = models.UUIDField(null=True, editable=False)

    class Meta:
        db_table = "patients_identifier"
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "kind", "system", "value_index", "organization"], name="identifier_once"
            ),
        ]
        # the hash is made with a key of the organization: it needs no organization before it
        indexes = [models.Index(fields=["value_index"], name="identifier_by_value")]


class ContactPoint(TenantModel):
    """A phone, e-mail address or channel id with its use, whether it is verified, and whether it reaches [FHIR ContactPoint].

    `value_index` finds it, and a phone also by its last three digits (`sealing.contact_index`). One number may belong to several patients (a family): consent and
    opt-out stay with the person, not with the number.
    """

    class System(models.TextChoices):
        PHONE = "phone", _("phone")
        EMAIL = "email", _("e-mail")
        LINE = "line", "LINE"
        WECHAT = "wechat", "WeChat"

    class Reach(models.TextChoices):
        UNKNOWN = "unknown", _("not tried yet")
        REACHED = "reached", _("reaches the patient")
        BLOCKED = "blocked", _("blocked by the patient")
        BOUNCED = "bounced", _("does not arrive")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    # checked as a set, see `belonging`; the unique constraint is the index
    patient = models.ForeignKey(
        Patient, models.CASCADE, related_name="contact_points", db_index=False, db_constraint=False
    )
    system = models.CharField(max_length=10, choices=System)
    use = models.CharField(max_length=10, blank=True, db_default="", help_text="mobile, home, work")
    value_sealed = models.BinaryField()
    value_index = models.BinaryField()
    is_mobile = models.BooleanField(default=False, db_default=False)
    rank = models.PositiveSmallIntegerField(default=1, db_default=1, help_text=_("1 is tried first"))
    verified_at = models.DateTimeField(null=True, blank=True)
    reach = models.CharField(max_length=10, choices=Reach, default=Reach.UNKNOWN, db_default="unknown")
    reach_changed_at = models.DateTimeField(null=True, blank=True)
    warning = models.CharField(max_length=60, blank=True, db_default="")
    batch_id = models.UUIDField(null=True, editable=False)

    class Meta:
        db_table = "patients_contact_point"
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "system", "value_index", "organization"], name="contact_point_once"
            ),
        ]
        # the hash is made with a key of the organization: it needs no organization before it
        indexes = [models.Index(fields=["value_index"], name="contact_point_by_value")]


class RelatedPerson(TenantModel):
    """Someone who belongs to a patient: family, guardian, carer [FHIR RelatedPerson].

    `relative` is set when that person is a patient here too. A guardian or someone with `may_act` receives messages for
    the patient. `phone_sealed` and `email_sealed` are sealed under the patient's key.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="related_persons")
    relative = models.ForeignKey(Patient, models.SET_NULL, null=True, blank=True, related_name="related_to")
    name = models.CharField(max_length=160)
    relationship = models.CharField(
        max_length=20, blank=True, db_default="", help_text="v3-RoleCode: MTH, FTH, SPS, CHILD, …"
    )
    sex = models.CharField(max_length=10, blank=True, db_default="")
    birth_date = models.DateField(null=True, blank=True)
    is_guardian = models.BooleanField(default=False, db_default=False)
    may_act = models.BooleanField(default=False, db_default=False)
    phone_sealed = models.BinaryField(null=True)
    email_sealed = models.BinaryField(null=True)
    note = models.CharField(max_length=200, blank=True, db_default="")
    source = models.CharField(max_length=60, blank=True, db_default="")
    external_id = models.CharField(max_length=160, blank=True, db_default="", db_collation="C")
    batch_id = models.UUIDField(null=True, editable=False)

    class Meta:
        db_table = "patients_related_person"
        indexes = [
            models.Index(fields=["organization", "patient"], name="related_person_by_patient"),
            models.Index(fields=["organization", "relative"], name="related_person_by_relative"),
        ]


class Tag(TenantModel):
    """A word staff put on patients, by hand or by rule."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=40)
    color = models.CharField(max_length=12, default="teal")
    number = models.PositiveIntegerField(editable=False, help_text="small number, used in roll-ups")
    is_archived = models.BooleanField(default=False)

    class Meta:
        db_table = "patients_tag"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="tag_name_once"),
            models.UniqueConstraint(fields=["organization", "number"], name="tag_number_once"),
        ]


class PatientTag(TenantModel):
    """A tag on a patient: who or what put it there, and when."""

    id = models.BigAutoField(primary_key=True)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="patient_links")
    given_at = models.DateTimeField()
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    given_by_rule = models.CharField(max_length=80, blank=True, db_default="")
    batch_id = models.UUIDField(null=True, editable=False)

    class Meta:
        db_table = "patients_patient_tag"
        constraints = [models.UniqueConstraint(fields=["organization", "patient", "tag"], name="patient_tag_once")]
        indexes = [models.Index(fields=["organization", "tag", "patient"], name="patient_tag_by_tag")]


class HealthNote(TenantModel):
    """Health background that is no record of a visit: habits, family history, past history, insurance.

    `code` is one of ours where rules need it: SMOKING, BETEL, ALCOHOL, PREGNANT, INDIGENOUS, FAMILY_COLORECTAL,
    FAMILY_LUNG, FAMILY_BREAST, DIABETES, HYPERTENSION …; empty for free text.
    """

    class Kind(models.TextChoices):
        HABIT = "HABIT", _("habit")
        FAMILY_HISTORY = "FAMILY_HISTORY", _("family history")
        HISTORY = "HISTORY", _("past history")
        INSURANCE = "INSURANCE", _("insurance")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="health_notes")
    kind = models.CharField(max_length=16, choices=Kind)
    code = models.CharField(max_length=40, blank=True, db_default="")
    text = models.CharField(max_length=300, blank=True, db_default="")
    since = models.DateField(null=True, blank=True)
    ended_on = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "patients_health_note"
        indexes = [models.Index(fields=["organization", "patient"], name="health_note_by_patient")]

"""The books of points: entries, the lots that earned points lie in, and which entry used which lot.

Rows come into being through the functions of migration 0002 only; the program may read them and nothing else. Keys to accounts
are looked up by those functions under the account's lock, so the database keeps no foreign keys for them: every posting of a
programme would lock the same row of its own account.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.programme import Account
from careloop.patients.models import Patient
from careloop.tenancy.models import NewId, TenantModel


class Entry(TenantModel):
    """A positive number of points that went from one account to another: it balances by being one row. Never changed.

    One side is a patient's or a family's account, the other the programme's own, except in transfers. `from_member` and
    `to_member` are the patients' accounts on whose statements it stands, also when a family's account gave or took.
    `waived` is what a reversal should have taken and did not find: expired, or spent where the programme takes only what is
    there. `from_balance` and `to_balance` are what a patient's or family's account held afterwards.
    """

    read_only = True

    class Kind(models.TextChoices):
        EARN = "EARN", pgettext_lazy("ledger entry", "earned")
        SPEND = "SPEND", pgettext_lazy("ledger entry", "spent")
        ADJUST = "ADJUST", pgettext_lazy("ledger entry", "changed by hand")
        EXPIRE = "EXPIRE", pgettext_lazy("ledger entry", "expired")
        TRANSFER = "TRANSFER", pgettext_lazy("ledger entry", "handed over")
        REVERSE = "REVERSE", pgettext_lazy("ledger entry", "reversed")

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind)
    from_account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    to_account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    from_member = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    to_member = models.ForeignKey(
        Account, models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    points = models.PositiveIntegerField()
    waived = models.PositiveIntegerField(default=0, db_default=0)
    from_balance = models.BigIntegerField(null=True)
    to_balance = models.BigIntegerField(null=True)
    key = models.CharField(max_length=120, db_collation="C")
    because = models.CharField(max_length=20, help_text="a code: EARN_RULE, REWARD, REFUND, MANUAL …")
    because_ref = models.CharField(max_length=80, default="", db_default="", help_text="the id of what it was for")
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
    reverses = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="reversals", db_index=False, db_constraint=False
    )

    class Meta:
        db_table = "loyalty_entry"
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="loyalty_entry_once_per_key"),
            models.CheckConstraint(
                condition=models.Q(points__gt=0) | models.Q(kind="REVERSE", waived__gt=0), name="loyalty_entry_moves_points"
            ),
            models.CheckConstraint(condition=~models.Q(from_account=models.F("to_account")), name="loyalty_entry_two_accounts"),
            models.CheckConstraint(
                condition=models.Q(from_member__isnull=False) | models.Q(to_member__isnull=False), name="loyalty_entry_of_a_member"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="REVERSE", reverses__isnull=False)
                | (~models.Q(kind="REVERSE") & models.Q(reverses__isnull=True, waived=0)),
                name="loyalty_entry_reverses_another",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["EARN", "SPEND", "ADJUST", "EXPIRE", "TRANSFER", "REVERSE"]),
                name="loyalty_entry_kind_known",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "from_member", "-id"], name="loyalty_entry_gave", condition=models.Q(from_member__isnull=False)),
            models.Index(fields=["organization", "to_member", "-id"], name="loyalty_entry_got", condition=models.Q(to_member__isnull=False)),
            models.Index(fields=["organization", "reverses"], name="loyalty_entry_reversals", condition=models.Q(reverses__isnull=False)),
        ]  # fmt: skip


class EntryNote(TenantModel):
    """What was said about an entry in words. Kept beside it, so that words can be erased and the books stay."""

    entry = models.OneToOneField(Entry, models.PROTECT, primary_key=True, related_name="note", db_constraint=False)
    words = models.CharField(max_length=300)

    class Meta:
        db_table = "loyalty_entry_note"


class Lot(TenantModel):
    """Points that came to an account together and end together.

    `left` is what nobody used yet; an account's lots together hold its balance, or nothing while it is below zero.
    `expires_on` is the last day on which they can be spent, empty: never. `entry` put them here; `earning` is the entry by which
    they came into being, and stays with them when they are handed on, as does `expires_on`. `brought_by` is the patient's account
    that brought them into a family's.
    """

    read_only = True

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="lots", db_index=False, db_constraint=False)
    brought_by = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    earning = models.ForeignKey(Entry, models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    earned_at = models.DateTimeField()
    expires_on = models.DateField(null=True)
    points = models.PositiveIntegerField()
    left = models.PositiveIntegerField()
    # beside `left`, so that taking from a lot that stays open leaves the indexes alone
    is_open = models.BooleanField()

    class Meta:
        db_table = "loyalty_lot"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(points__gt=0, left__lte=models.F("points")), name="loyalty_lot_not_overspent"
            ),
            models.CheckConstraint(
                condition=models.Q(is_open=True, left__gt=0) | models.Q(is_open=False, left=0),
                name="loyalty_lot_open_while_left",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "account", "expires_on", "earned_at", "id"], name="loyalty_lot_to_spend",
                condition=models.Q(is_open=True),
            ),
            models.Index(
                fields=["organization", "expires_on"], name="loyalty_lot_to_expire",
                condition=models.Q(is_open=True, expires_on__isnull=False),
            ),
            models.Index(fields=["organization", "earning"], name="loyalty_lot_of_earning"),
        ]  # fmt: skip


class LotUse(TenantModel):
    """What an entry took from a lot (below zero) or gave back to it (above). `lot.left` is its points and these. Never changed."""

    read_only = True

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="uses", db_index=False, db_constraint=False)
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="uses", db_index=False, db_constraint=False)
    points = models.IntegerField()

    class Meta:
        db_table = "loyalty_lot_use"
        constraints = [models.CheckConstraint(condition=~models.Q(points=0), name="loyalty_lot_use_not_zero")]
        indexes = [
            models.Index(fields=["organization", "entry"], name="loyalty_uses_of_entry"),
            models.Index(fields=["organization", "lot"], name="loyalty_uses_of_lot"),
        ]


class PoolMember(TenantModel):
    """Somebody who was asked to share a family's points, and what became of it.

    Adults agree themselves; for a child a guardian does. `consent_patient` is who agreed, `consent_how` by which way. The last row of
    an account that is IN says in which family's account its points are (`account.pool` says the same to whoever posts).
    """

    class State(models.TextChoices):
        INVITED = "INVITED", pgettext_lazy("family points", "asked")
        IN = "IN", pgettext_lazy("family points", "shares")
        REFUSED = "REFUSED", pgettext_lazy("family points", "said no")
        LEFT = "LEFT", pgettext_lazy("family points", "left")

    class How(models.TextChoices):
        PORTAL = "PORTAL", pgettext_lazy("family points", "on the patient pages")
        PAPER = "PAPER", pgettext_lazy("family points", "on paper at the desk")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    pool = models.ForeignKey(Account, models.PROTECT, related_name="pool_members", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="pool_memberships", db_index=False)
    state = models.CharField(max_length=8, choices=State)
    is_founder = models.BooleanField(default=False)
    invited_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    left_at = models.DateTimeField(null=True)
    consent_patient = models.ForeignKey(Patient, models.PROTECT, null=True, related_name="+", db_index=False)
    consent_how = models.CharField(max_length=6, choices=How, default="", db_default="")
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )

    class Meta:
        db_table = "loyalty_pool_member"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "account"], name="loyalty_in_one_family", condition=models.Q(state="IN")
            ),
            models.UniqueConstraint(
                fields=["organization", "pool", "account"], name="loyalty_once_in_a_family",
                condition=models.Q(state__in=["INVITED", "IN"]),
            ),
            models.CheckConstraint(
                condition=~models.Q(state="IN") | models.Q(consent_patient__isnull=False, answered_at__isnull=False),
                name="loyalty_shares_by_consent",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["INVITED", "IN", "REFUSED", "LEFT"]), name="loyalty_pool_member_state_known"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "account"], name="loyalty_pools_of_account"),
            models.Index(fields=["consent_patient"], name="loyalty_pools_agreed_by", condition=models.Q(consent_patient__isnull=False)),
        ]  # fmt: skip

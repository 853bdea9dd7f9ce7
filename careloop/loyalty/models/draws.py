"""Lucky draws: what can be won, who takes part, what was promised beforehand, and who won."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.models.coupons import Coupon
from careloop.loyalty.models.programme import Account, Programme
from careloop.loyalty.models.tiers import Tier
from careloop.policy.offers import GIVES, Offer
from careloop.tenancy.models import NewId, TenantModel

# From what an inspector looks at first to what weighs least: a draw is judged by the heaviest of its prizes.
WEIGHT = ("COPAY", "CARE", "CARE_DISCOUNT", "MONEY", "GOODS", "POINTS", "SERVICE", "PRIORITY", "CONTENT", "THANKS")


class Draw(TenantModel):
    """One lucky draw. It goes DRAFT → OPEN → CLOSED → DRAWN and never back; the database refuses everything else.

    OPEN: everything about it stands, and `seed_hash` is published: the seed exists and cannot be changed any more. CLOSED: the
    tickets are fixed and `list_hash` is published. DRAWN: `seed` is published, and anyone can compute the winners (`draw_rules`).
    `outside_source` names a number that nobody at the clinic can know beforehand (a state lottery's next result); it then enters
    the computation as `outside_value`, so that not even whoever runs the server could have chosen the seed to suit.
    """

    class State(models.TextChoices):
        DRAFT = "DRAFT", pgettext_lazy("draw", "being prepared")
        OPEN = "OPEN", pgettext_lazy("draw", "open")
        CLOSED = "CLOSED", pgettext_lazy("draw", "closed, tickets fixed")
        DRAWN = "DRAWN", pgettext_lazy("draw", "drawn")

    class Entry(models.TextChoices):
        """Who takes part, judged when the draw closes."""

        MEMBERS = "MEMBERS", _("every member, one ticket")
        TIER = "TIER", _("every member of a tier or a higher one, one ticket")
        POINTS = "POINTS", _("every member who earned so many points in the period, one ticket")
        KEPT = "KEPT", _("every kept appointment in the period, one ticket each")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    programme = models.ForeignKey(Programme, models.PROTECT, related_name="draws", db_index=False)
    name = models.CharField(max_length=60)
    description = models.TextField(blank=True, default="", db_default="")
    state = models.CharField(max_length=6, choices=State, default=State.DRAFT, db_default="DRAFT")
    entry = models.CharField(max_length=8, choices=Entry, default=Entry.MEMBERS, db_default="MEMBERS")
    tier = models.ForeignKey(Tier, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    least_points = models.PositiveIntegerField(default=0, db_default=0)
    from_on = models.DateField(null=True, blank=True)
    to_on = models.DateField(null=True, blank=True)
    outside_source = models.CharField(max_length=120, blank=True, default="", db_default="")
    outside_value = models.CharField(max_length=120, blank=True, default="", db_default="")
    seed_hash = models.CharField(max_length=64, default="", db_default="", db_collation="C")
    list_hash = models.CharField(max_length=64, default="", db_default="", db_collation="C")
    seed = models.CharField(max_length=64, default="", db_default="", db_collation="C")
    seed_sealed = models.BinaryField(null=True)
    tickets_count = models.PositiveIntegerField(default=0, db_default=0)
    opened_at = models.DateTimeField(null=True)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    drawn_at = models.DateTimeField(null=True)
    drawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "loyalty_draw"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["DRAFT", "OPEN", "CLOSED", "DRAWN"]), name="loyalty_draw_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state="DRAFT", seed_hash="") | (~models.Q(state="DRAFT") & ~models.Q(seed_hash="")),
                name="loyalty_draw_promises_its_seed",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["DRAFT", "OPEN"], list_hash="")
                | (models.Q(state__in=["CLOSED", "DRAWN"]) & ~models.Q(list_hash="")),
                name="loyalty_draw_promises_its_list",
            ),
            models.CheckConstraint(
                condition=(models.Q(state="DRAWN") & ~models.Q(seed="")) | (~models.Q(state="DRAWN") & models.Q(seed="")),
                name="loyalty_draw_shows_its_seed_last",
            ),
            models.CheckConstraint(
                condition=~models.Q(entry__in=["POINTS", "KEPT"]) | models.Q(from_on__isnull=False, to_on__gte=models.F("from_on")),
                name="loyalty_draw_has_a_period",
            ),
            models.CheckConstraint(
                condition=~models.Q(entry="TIER") | models.Q(tier__isnull=False), name="loyalty_draw_names_its_tier"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    def offer(self) -> Offer:
        """Return what the guard judges: the draw's words, its heaviest prize, and what brings a ticket."""
        prizes = list(self.prizes.all())
        heaviest = min((prize.gives for prize in prizes), key=WEIGHT.index, default="")
        earns_by = {"MEMBERS": "", "TIER": "TIER", "POINTS": "POINTS", "KEPT": "KEPT_APPOINTMENT"}[self.entry]
        words = [self.name, self.description, *(f"{prize.name} × {prize.count}" for prize in prizes)]
        return Offer(
            kind="DRAW", earns_by=earns_by, gives=heaviest, text="\n".join(filter(None, words)),
            value_minor=max((prize.value for prize in prizes), default=0),
        )  # fmt: skip


class DrawPrize(TenantModel):
    """So many of one thing to be won. Points and coupons are given by the program, the rest is handed over at the desk.

    `value` is what one is worth, in minor units of the organization's currency.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    draw = models.ForeignKey(Draw, models.CASCADE, related_name="prizes", db_index=False)
    place = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    count = models.PositiveSmallIntegerField()
    gives = models.CharField(max_length=13, choices=[(key, GIVES[key]) for key in WEIGHT])
    value = models.PositiveIntegerField(default=0, db_default=0)
    points = models.PositiveIntegerField(default=0, db_default=0)
    coupon = models.ForeignKey(Coupon, models.PROTECT, null=True, blank=True, related_name="+", db_index=False)

    class Meta:
        db_table = "loyalty_draw_prize"
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "draw", "place"], name="loyalty_draw_prize_place"),
            models.CheckConstraint(condition=models.Q(count__range=(1, 1000)), name="loyalty_draw_prize_count"),
            models.CheckConstraint(
                condition=models.Q(gives="POINTS", points__gt=0) | (~models.Q(gives="POINTS") & models.Q(points=0)),
                name="loyalty_draw_prize_points",
            ),
            models.CheckConstraint(condition=models.Q(gives__in=list(WEIGHT)), name="loyalty_draw_prize_gives"),
        ]


class DrawTicket(TenantModel):
    """One chance. `number` is what everybody may see: a code for the holder in this draw, and which of their tickets it is.

    Whose it is (`account`) goes when the patient is erased (`loyalty_forget_tickets`); the number stays, so the draw can be computed
    again by anybody, as before.
    """

    append_only = True

    id = models.BigAutoField(primary_key=True)
    draw = models.ForeignKey(Draw, models.PROTECT, related_name="tickets", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+", db_index=False)
    number = models.CharField(max_length=24, db_collation="C")

    class Meta:
        db_table = "loyalty_draw_ticket"
        constraints = [
            models.UniqueConstraint(fields=["organization", "draw", "number"], name="loyalty_draw_ticket_once"),
        ]
        indexes = [models.Index(fields=["organization", "account", "draw"], name="loyalty_draw_tickets_of")]


class DrawWinner(TenantModel):
    """Which ticket won which prize, in the order of the computation. Only the handing over is written later."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    draw = models.ForeignKey(Draw, models.PROTECT, related_name="winners", db_index=False)
    place = models.PositiveIntegerField()
    prize = models.ForeignKey(DrawPrize, models.PROTECT, related_name="+", db_index=False)
    ticket = models.ForeignKey(DrawTicket, models.PROTECT, related_name="+", db_index=False)
    given_at = models.DateTimeField(null=True)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "loyalty_draw_winner"
        constraints = [
            models.UniqueConstraint(fields=["organization", "draw", "place"], name="loyalty_draw_winner_place"),
            models.UniqueConstraint(fields=["organization", "draw", "ticket"], name="loyalty_draw_winner_once"),
        ]

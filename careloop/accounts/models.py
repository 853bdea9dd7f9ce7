"""Staff users and their memberships of organizations."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.accounts.passwords import ALONE
from careloop.accounts.permissions import ROLE_CHOICES, ROLES
from careloop.kernel.ids import uuid7
from careloop.tenancy.models import Location, TenantModel


class UserManager(BaseUserManager["User"]):
    """Makes staff users; the e-mail address is the name they sign in with."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """Someone who signs in to the staff area, possibly in several organizations.

    There is no standing super power: what a user may do comes from memberships only.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=80, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    short_password = models.BooleanField(default=False, help_text="the password may be used with a second factor only")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        db_table = "accounts_user"

    def set_password(self, raw_password: str | None) -> None:
        """Hash the password, and remember whether it is too short to be used without a second factor."""
        super().set_password(raw_password)
        self.short_password = raw_password is not None and len(raw_password) < ALONE


class Membership(TenantModel):
    """A staff user's role in one organization. Empty `locations` means all of them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=ROLE_CHOICES)
    title = models.CharField(_("title"), max_length=60, blank=True)
    is_active = models.BooleanField(default=True)
    locations = models.ManyToManyField(Location, through="MembershipLocation", blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "accounts_membership"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once_per_user"),
            models.CheckConstraint(condition=models.Q(role__in=list(ROLES)), name="membership_role_known"),
        ]
        indexes = [models.Index(fields=["user"], name="membership_user")]

    def can(self, permission: str) -> bool:
        """Whether this member's role holds `permission`."""
        return self.is_active and permission in ROLES[self.role].permissions


class MembershipLocation(TenantModel):
    """One of the locations a member is limited to."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="location_limits")
    location = models.ForeignKey(Location, models.CASCADE, related_name="+")

    class Meta:
        db_table = "accounts_membership_location"
        constraints = [
            models.UniqueConstraint(fields=["organization", "membership", "location"], name="membership_location_once")
        ]


class Invitation(TenantModel):
    """An offer to work here, opened by a secret link. Of the link's token only a hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail address"))
    name = models.CharField(_("name"), max_length=80, blank=True)
    role = models.CharField(max_length=20, choices=ROLE_CHOICES)
    title = models.CharField(_("title"), max_length=60, blank=True)
    location_ids = ArrayField(models.UUIDField(), default=list)
    token_hash = models.BinaryField(max_length=32)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "accounts_invitation"
        constraints = [
            models.UniqueConstraint(fields=["organization", "token_hash"], name="invitation_token_once"),
            models.CheckConstraint(condition=models.Q(role__in=list(ROLES)), name="invitation_role_known"),
        ]
        indexes = [models.Index(fields=["token_hash"], name="invitation_by_token")]

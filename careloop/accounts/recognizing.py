"""Who asks, in two short statements: every page begins with its session and its user, and the ORM takes a millisecond over each."""

from typing import Any
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.sessions.backends import db
from django.utils import timezone

from careloop.accounts.models import User
from careloop.kernel import sql

USER_COLUMNS = [one.attname for one in User._meta.concrete_fields]
FIND_USER = f"select {', '.join(USER_COLUMNS)} from {User._meta.db_table} where id = %s"
FIND_SESSION = "select session_data from django_session where session_key = %s and expire_date > %s"


class SessionStore(db.SessionStore):
    """Django's sessions in the database, read without the ORM."""

    def load(self) -> dict[str, Any]:
        found = sql.row(FIND_SESSION, [self.session_key, timezone.now()], planned=True)
        if found is None:
            self._session_key = None
            return {}
        return dict(self.decode(found["session_data"]))


class Backend(AuthenticationBackend):
    """Signs in as allauth does; recognizes who is signed in without the ORM."""

    def get_user(self, user_id: UUID) -> User | None:
        row = sql.row(FIND_USER, [user_id], planned=True)
        if row is None:
            return None
        user = User.from_db("default", USER_COLUMNS, [row[name] for name in USER_COLUMNS])
        return user if self.user_can_authenticate(user) else None

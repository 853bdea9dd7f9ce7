"""Who asks, in one short statement: every page begins with its session and its user, and the ORM takes a millisecond over each."""

from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.core.signals import request_started
from django.utils import timezone

from careloop.accounts.models import User
from careloop.kernel import sql

USER_COLUMNS = [one.attname for one in User._meta.concrete_fields]
FIND_USER = f"select {', '.join(USER_COLUMNS)} from {User._meta.db_table} where id = %s"
FIND_SESSION = f"""
    select s.session_data, {", ".join(f"u.{one}" for one in USER_COLUMNS)}
      from django_session s left join {User._meta.db_table} u on u.id = %s
     where s.session_key = %s and s.expire_date > %s
"""
# The user whose row came along with the session; for the request that asked, and for one question.
_came_along: ContextVar[dict[str, Any] | None] = ContextVar("careloop_user", default=None)


def _forget(**_given: object) -> None:
    _came_along.set(None)


request_started.connect(_forget)


class _Guess:
    """Whose session it was when we last looked. Only saves a statement: what is in the database now is what counts."""

    user: UUID | None = None


@lru_cache(maxsize=2000)
def _guess(_session_key: str) -> _Guess:
    return _Guess()


class SessionStore(db.SessionStore):
    """Django's sessions in the database, read without the ORM, with the user who signed in last time we looked."""

    def load(self) -> dict[str, Any]:
        _forget()
        guess = _guess(self.session_key or "")
        found = sql.row(FIND_SESSION, [guess.user, self.session_key, timezone.now()], planned=True)
        if found is None:
            self._session_key = None
            return {}
        session = dict(self.decode(found["session_data"]))
        signed_in = session.get(SESSION_KEY)
        guess.user = UUID(signed_in) if signed_in else None
        if found["id"] is not None and found["id"] == guess.user:
            _came_along.set(found)
        return session


class Backend(AuthenticationBackend):
    """Signs in as allauth does; recognizes who is signed in without the ORM."""

    def get_user(self, user_id: UUID) -> User | None:
        row = _came_along.get()
        _forget()
        if row is None or row["id"] != user_id:
            row = sql.row(FIND_USER, [user_id], planned=True)
        if row is None:
            return None
        user = User.from_db("default", USER_COLUMNS, [row[name] for name in USER_COLUMNS])
        return user if self.user_can_authenticate(user) else None

"""What tests of several slices share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.signals import request_finished
from django.db import close_old_connections

from careloop.tenancy import context


def close(answer: Any) -> None:
    """Let go of what a download holds open, as the test client does: without ending the test's own connection."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


@contextmanager
def inside(organization: Any) -> Iterator[None]:
    """Work in another organization for a while, in the test's own transaction."""
    outer = context.current_scope()
    token = context._scope.set(None)
    try:
        with context.in_organization(organization.id):
            yield
    finally:
        context._scope.reset(token)
        if outer is not None:
            context.set_organization(outer.organization_id)

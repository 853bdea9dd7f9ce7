"""What tests of several slices share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from careloop.tenancy import context


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

"""What the tests of these screens share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from careloop.tenancy import context


@contextmanager
def inside(organization: Any) -> Iterator[None]:
    """Step over to another clinic for a moment, and back."""
    here = context.current_scope().organization_id
    outer = context._scope.set(None)
    try:
        with context.in_organization(organization.id):
            yield
    finally:
        context._scope.reset(outer)
        context.set_organization(here)

"""The fields every clinic can ask about, in the order in which they are offered."""

from careloop.segments.catalogue import person, visits, contact, records, work  # isort: skip

__all__ = ["contact", "person", "records", "visits", "work"]

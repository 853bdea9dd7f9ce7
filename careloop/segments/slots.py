"""Fills the registry with the fields every clinic can ask about."""

from careloop.segments import catalogue

__all__ = ["catalogue"]

"""Calendars: links that calendar programs follow, and leave that comes from one."""

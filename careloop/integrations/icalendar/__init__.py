"""Calendars (RFC 5545): feeds of practitioners, invitations of patients, leave that comes from a calendar program."""

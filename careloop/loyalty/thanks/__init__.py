"""Referrals, greetings and the newsletter."""

"""Tiers: who stands where and why, and what comes with it."""

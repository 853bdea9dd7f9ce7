"""Rewards, coupons and partners: what points and thanks can be turned into, once."""

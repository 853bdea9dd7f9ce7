"""Programmes, and who is a member of them."""

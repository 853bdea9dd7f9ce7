"""Screens of points: statements, changes by hand, families, and what the clinic owes in points."""

"""Earning: rules as data, what happened becomes points that wait, then final or void."""

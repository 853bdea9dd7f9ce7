"""Stand-ins for the outside, on the loopback only: for tests, for `careloop bench send`, and for trying
things.

Each runs inside a test's event loop or as a process of its own that prints its port:
`python -m careloop.integrations.channels.fakes.smtp --spool FILE`.
"""

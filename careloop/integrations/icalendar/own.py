"""How events of ours are known again, so that nobody imports the clinic's own sessions as leave."""

UID_END = "@careloop"

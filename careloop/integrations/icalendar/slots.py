"""What this slice adds to those below it: keys that are rotated."""

from careloop.integrations.icalendar.keys import rewrap
from careloop.patients import keys

keys.OTHERS.append(rewrap)

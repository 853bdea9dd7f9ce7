"""What this slice adds to those below it: keys that are rotated, the calendar file of a visit in e-mail."""

from careloop.integrations.icalendar.invitation import for_mails
from careloop.integrations.icalendar.keys import rewrap
from careloop.messaging import attachments
from careloop.patients import keys

keys.OTHERS.append(rewrap)
attachments.register("icalendar", for_mails)

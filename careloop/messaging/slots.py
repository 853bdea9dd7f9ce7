"""What messaging adds to slices below it."""

from careloop.messaging import sealing
from careloop.patients import keys

keys.OTHERS.append(sealing.rewrap)

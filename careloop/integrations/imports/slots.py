"""What this slice adds to those below it: the number of resources that are about no patient, and keys that are rotated."""

from careloop.integrations.imports.keys import rewrap
from careloop.integrations.imports.selectors import count_directory
from careloop.patients import keys
from careloop.records import counting

counting.register(count_directory)
keys.OTHERS.append(rewrap)

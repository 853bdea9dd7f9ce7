"""What this slice adds to those below it: the number of resources that are about no patient."""

from careloop.integrations.imports.selectors import count_directory
from careloop.records import counting

counting.register(count_directory)

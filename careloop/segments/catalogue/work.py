"""What staff still have to do."""

from django.utils.translation import gettext_lazy as _

from careloop.segments.catalogue.common import WORK, number_operators, simple
from careloop.segments.fields import register

register(
    simple("follow_ups", _("Open follow-ups"), WORK, number_operators("f.open_follow_ups"),
            frozenset({"follow_up.created", "follow_up.done", "follow_up.cancelled", "follow_up.reopened"}), "number",
            column="open_follow_ups"),
)  # fmt: skip

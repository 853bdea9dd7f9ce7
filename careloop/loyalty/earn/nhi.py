"""Whether points on what the NHI pays are forbidden here."""

from careloop.policy.offers import Offer
from careloop.policy.signing import check_offer
from careloop.tenancy.models import Organization


def nhi_earns_nothing(organization: Organization) -> bool:
    """Return whether the organization's rules forbid points on what the NHI pays (law S7)."""
    asked = Offer(kind="EARN_RULE", earns_by="NHI", gives="POINTS")
    return not check_offer(asked, audience="one", organization=organization).may_be_sent

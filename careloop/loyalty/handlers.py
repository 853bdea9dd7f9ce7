"""Who reacts to what happens and to the clock: each part of membership for itself."""

from careloop.loyalty.earn import handlers as earning
from careloop.loyalty.points import expiring
from careloop.loyalty.reward import handlers as rewards
from careloop.loyalty.thanks import handlers as thanks
from careloop.loyalty.tier import handlers as tiers

PARTS = (earning, expiring, rewards, thanks, tiers)

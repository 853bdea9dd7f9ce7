"""Makes the providers of this package known to payments: one line per provider."""

from careloop.payments import ports

from .ecpay.kind import KIND as ECPAY
from .sandbox.adapter import KIND as SANDBOX

ports.register(ECPAY)
ports.register(SANDBOX)

"""The WSGI application that granian serves."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from careloop.config import parenthood
from careloop.config.database import wait_briefly
from careloop.kernel import catalogues

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings")
parenthood.end_with_server()
wait_briefly(settings.DATABASES["default"])
django_application = get_wsgi_application()
catalogues.merge()

# the settings and the catalogues must be there before these
from careloop.portal.queue import fast  # noqa: E402
from careloop.web import metrics  # noqa: E402
from careloop.web.middleware import PERMISSIONS_POLICY, POLICY  # noqa: E402

application = fast.wrap(
    django_application,
    headers=[
        ("Content-Security-Policy", POLICY), ("Permissions-Policy", PERMISSIONS_POLICY), ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
    ],
    observe=metrics.observe_request,
)  # fmt: skip

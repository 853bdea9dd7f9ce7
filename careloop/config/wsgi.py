"""The WSGI application that granian serves."""

import os

from django.core.wsgi import get_wsgi_application

from careloop.config import parenthood
from careloop.kernel import catalogues

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings")
parenthood.end_with_server()
application = get_wsgi_application()
catalogues.merge()

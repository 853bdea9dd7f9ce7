"""Settings for tests: an installation of their own in a temporary folder, one for each process of a run."""

import os
import tempfile

_root = os.environ.get("CARELOOP_TEST_HOME")
if not _root:
    _root = tempfile.mkdtemp(prefix="careloop-test-")
    os.chmod(_root, 0o711)
    os.environ["CARELOOP_TEST_HOME"] = _root
# each process of a run has a server of its own: an open transaction anywhere on a server holds its event readers back
_home = os.path.join(_root, os.environ.get("PYTEST_XDIST_WORKER", "main"))
os.makedirs(_home, mode=0o711, exist_ok=True)
os.environ["CARELOOP_HOME"] = _home
os.environ["DATABASE_URL"] = os.environ.get("CARELOOP_TEST_DATABASE_URL", "")

from careloop.config.settings import *  # noqa: E402, F403

# hashing a password well takes 50 ms, which hundreds of sign-ins need not
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
# a machine that builds for others too may stand still for longer than a visitor would wait
DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 120  # type: ignore[index] # noqa: F405

"""Settings for tests: an installation of their own in a temporary folder, shared by the processes of one run."""

import os
import tempfile

_home = os.environ.get("CARELOOP_TEST_HOME")
if not _home:
    _home = tempfile.mkdtemp(prefix="careloop-test-")
    os.chmod(_home, 0o711)
    os.environ["CARELOOP_TEST_HOME"] = _home
os.environ["CARELOOP_HOME"] = _home
os.environ["DATABASE_URL"] = os.environ.get("CARELOOP_TEST_DATABASE_URL", "")

from careloop.config.settings import *  # noqa: E402, F403

# hashing a password well takes 50 ms, which hundreds of sign-ins need not
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *PASSWORD_HASHERS]  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True

"""Django's settings. What can be changed from outside is in `environment.py`."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from careloop.config import logs
from careloop.config.database import database
from careloop.config.environment import environment
from careloop.kernel.postgres.pooled.again import try_again

ENV = environment()
PACKAGE = Path(__file__).resolve().parent.parent

SECRET_KEY = ENV.django_secret
DEBUG = ENV.debug
ALLOWED_HOSTS = [name.strip() for name in ENV.allowed_hosts.split(",") if name.strip()] or [
    "localhost", "127.0.0.1", "[::1]", "testserver",
]  # fmt: skip

# each group of staff pages is an app of its own, for its templates and words
SCREENS = sorted(f"careloop.web.screens.{file.parent.name}" for file in (PACKAGE / "web" / "screens").glob("*/apps.py"))

INSTALLED_APPS = [
    "careloop.tenancy",
    "careloop.accounts",
    "careloop.audit",
    "careloop.policy",
    "careloop.events",
    "careloop.patients",
    "careloop.consent",
    "careloop.records",
    "careloop.followups",
    "careloop.scheduling",
    "careloop.waitingroom",
    "careloop.facts",
    "careloop.messaging",
    "careloop.segments",
    "careloop.journeys",
    "careloop.reminders",
    "careloop.payments",
    "careloop.loyalty",
    "careloop.insights",
    "careloop.privacy",
    "careloop.integrations",
    "careloop.integrations.channels",
    "careloop.integrations.fhir",
    "careloop.integrations.icalendar",
    "careloop.integrations.imports",
    "careloop.integrations.payments",
    "careloop.portal",
    "careloop.portal.queue",
    "careloop.api",
    "careloop.web",
    *SCREENS,
    "careloop.config",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "procrastinate.contrib.django",
]

MIDDLEWARE = [
    "careloop.web.observing.Observe",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "careloop.web.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "careloop.accounts.sessions.SessionAge",
    "careloop.accounts.middleware.OrganizationMiddleware",
    "careloop.api.middleware.TokenOrganization",
    "careloop.web.middleware.Language",
    "careloop.audit.middleware.AuditActor",
    "careloop.patients.middleware.HomeLocation",
]

ROOT_URLCONF = "careloop.config.urls"
WSGI_APPLICATION = "careloop.config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [("careloop.web.quick_templates.Loader", ["django.template.loaders.app_directories.Loader"])],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "careloop.web.context_processors.shell",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "careloop.web.templatetags.careloop",
            ],
        },
    }
]
FORM_RENDERER = "careloop.web.forms.FormRenderer"

# -- database -------------------------------------------------------------------------------------------------

_DATABASE = database()
_POOL = {
    "min_size": 0, "max_size": ENV.database_pool, "timeout": 20, "max_idle": 300,
    # the pause between tries doubles: after an outage of minutes the next would come minutes later
    "reconnect_timeout": 5, "reconnect_failed": try_again,
}  # fmt: skip
# a statement that asks for its plan to be kept (kernel.sql) gets that when a connection has seen it so often
PLANNED_AFTER = 5
DATABASES = {
    # what the program runs as: owns nothing, bound by row-level security
    "default": _DATABASE.app.django(
        # the pool opens one connection at a time: one that hangs must not keep everybody waiting
        OPTIONS={
            "pool": _POOL,
            "prepare_threshold": PLANNED_AFTER,
            "connect_timeout": 10,
            **dict(_DATABASE.app.options),
        },
        CONN_HEALTH_CHECKS=False,
    ),
    # migrations only
    "owner": _DATABASE.owner.django(OPTIONS=dict(_DATABASE.owner.options)),
}
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CARELOOP_KEY_FILE = ENV.keys / "master.json"
CARELOOP_FILES = ENV.files
CARELOOP_METRICS_TOKEN = ENV.metrics_token
CARELOOP_LINE_API = ENV.line_api
CARELOOP_PUBLIC_URL = ENV.patients_address

CACHES = {
    # rate limits are counted over all processes and machines
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "careloop_cache",
        # 300 is Django's own limit: an attacker who tries 300 addresses would push the counts of the first ones out
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

PROCRASTINATE_IMPORT_PATHS: list[str] = []
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"

# -- people ---------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["careloop.accounts.recognizing.Backend"]
SESSION_ENGINE = "careloop.accounts.recognizing"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "careloop.accounts.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "careloop.accounts.adapter.StaffAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ALLAUTH_TRUSTED_PROXY_COUNT = ENV.trusted_proxies
MFA_ADAPTER = "careloop.accounts.adapter.StaffMFAAdapter"
MFA_FORMS = {
    "add_webauthn": "careloop.accounts.forms.AddKeyForm",
    "edit_webauthn": "careloop.accounts.forms.EditKeyForm",
}
# addresses come from invitations, not from strangers who sign up
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "CareLoop"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG or not ENV.https
USERSESSIONS_TRACK_ACTIVITY = False

SESSION_COOKIE_NAME = "careloop_session"
SESSION_COOKIE_AGE = CARELOOP_SESSION_SECONDS = ENV.session_hours * 60 * 60
CARELOOP_SESSION_IDLE_SECONDS = ENV.session_idle_minutes * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = ENV.https
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
CSRF_COOKIE_SECURE = ENV.https
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "careloop.web.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [ENV.public_url] if ENV.public_url.startswith("http") else []
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31_536_000 if ENV.https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.https else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# uploads are streamed to disk and checked by the importer, never held in memory
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
FILE_UPLOAD_PERMISSIONS = 0o600

# -- language and time ----------------------------------------------------------------------------------------

LANGUAGE_CODE = "zh-hant"
LANGUAGES = [("zh-hant", _("Traditional Chinese")), ("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LANGUAGE_COOKIE_NAME = "careloop_language"
# the kernel is no Django app, but has words of its own
LOCALE_PATHS = [PACKAGE / "kernel" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = ENV.time_zone

# -- files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = PACKAGE / "web" / "static" / "collected"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 0 if DEBUG else 3600

# -- messages to staff ----------------------------------------------------------------------------------------

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = ENV.files / "mail"
if ENV.mail_url:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    _mail = urlsplit(ENV.mail_url)
    EMAIL_HOST, EMAIL_PORT = _mail.hostname or "localhost", _mail.port or (465 if _mail.scheme == "smtps" else 587)
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = not EMAIL_USE_SSL and EMAIL_PORT != 25
    EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENV.mail_from

# -- logs -----------------------------------------------------------------------------------------------------

LOGGING = logs.configure(level=ENV.log_level, style=ENV.log_format)

"""One form sent to ECPay's server and its answer. Only ECPay's own hosts, and no redirects."""

import http.client
import ssl
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from careloop.payments.ports import ProviderError

TIMEOUT_SECONDS = 15.0
MOST_BYTES = 64_000


def post(host: str, path: str, fields: Mapping[str, str]) -> str:
    """Send `fields` and return the answer's text.

    Args:
        host: one of `adapter.HOSTS`, with its scheme.

    Raises:
        ProviderError: not reached; or, `unclear`, the request left and no whole answer came.
    """
    parts = urlsplit(host)
    netloc, body = parts.netloc, urlencode(fields)
    link: http.client.HTTPConnection
    if parts.scheme == "https":
        link = http.client.HTTPSConnection(netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
    else:
        link = http.client.HTTPConnection(netloc, timeout=TIMEOUT_SECONDS)
    try:
        try:
            link.connect()
        except OSError:
            raise ProviderError("ECPay could not be reached.") from None
        try:
            link.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = link.getresponse()
            text = answer.read(MOST_BYTES).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            raise ProviderError("ECPay did not answer.", unclear=True) from None
    finally:
        link.close()
    if answer.status == 403:
        raise ProviderError("ECPay is asked too often; it wants half an hour of peace.")
    if answer.status != 200:
        raise ProviderError(f"ECPay answered with HTTP {answer.status}.", unclear=answer.status >= 500)
    return text


def fields_in(text: str | bytes) -> dict[str, str]:
    """Return the fields of a form, decoded once.

    >>> fields_in(b"RtnCode=1&RtnMsg=%E4%BA%A4%E6%98%93+ok")
    {'RtnCode': '1', 'RtnMsg': '交易 ok'}
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))

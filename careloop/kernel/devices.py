"""What a browser says of itself, as its owner would call it."""

SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip
BROWSERS = (("Line/", "LINE"), ("Edg", "Edge"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("SamsungBrowser", "Samsung Internet"),
            ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip


def device_name(user_agent: str) -> str:
    """Return a device's name as its owner knows it; empty when the browser does not say.

    >>> device_name("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1 Line/15.0.0")
    'iPhone · LINE'
    >>> device_name("curl/8")
    ''
    """
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    return " · ".join(part for part in (system, browser) if part)

"""Device class of a browser."""

from __future__ import annotations


def device_class(agent: str) -> str:
    """Return "phone", "tablet" or "computer" from the User-Agent header ``agent``."""
    name = agent.lower()
    if "ipad" in name or "tablet" in name or ("android" in name and "mobile" not in name):
        return "tablet"
    return "phone" if "mobi" in name or "iphone" in name else "computer"

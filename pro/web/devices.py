"""What a browser tells of the device that it runs on."""

from __future__ import annotations


def device_class(agent: str) -> str:
    """phone, tablet or computer, as far as a browser tells."""
    name = agent.lower()
    if "ipad" in name or "tablet" in name or ("android" in name and "mobile" not in name):
        return "tablet"
    return "phone" if "mobi" in name or "iphone" in name else "computer"

"""Local times as staff type them, in the zone of the page."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pro.web import request_context


def local_now() -> datetime:
    """Return the current time in the page's zone, without zone and seconds, as fields hold it."""
    local = request_context.work().now.astimezone(ZoneInfo(request_context.state().zone))
    return local.replace(tzinfo=None, second=0, microsecond=0)


def moment_typed(local: datetime) -> datetime:
    """Return a typed local time with the page's zone."""
    return local.replace(tzinfo=ZoneInfo(request_context.state().zone))

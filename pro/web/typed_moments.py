"""Moments as they are typed and shown, in the zone of the page."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from pro.web import request_context


def local_now() -> datetime:
    """Now as it is typed, in the page's zone."""
    local = request_context.work().now.astimezone(ZoneInfo(request_context.state().zone))
    return local.replace(tzinfo=None, second=0, microsecond=0)


def moment_typed(local: datetime) -> datetime:
    """A time as it was typed, in the page's zone."""
    return local.replace(tzinfo=ZoneInfo(request_context.state().zone))

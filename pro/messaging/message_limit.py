"""Limit the text messages to one number: how many a day, and how often the same text.

The limits are applied when a message is queued. A message over a limit is stored as dropped, with its reason, so that
staff see it. Two transactions that do not see each other's rows may each queue one message too many: that does no harm,
and a lock on the number would block whole worker rounds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.models import Participant
from pro.models.message import Message

# These are sent regardless of the limits: alerts, safety advice, and confirmations of STOP and START.
EXEMPT = ("alert_sms", "test_alert_sms", "safety", "advice", "stopped", "started")
# The longest local day has 25 hours.
LOOKBACK = timedelta(hours=26)
IDENTICAL_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _EarlierText:
    """A text that was sent, or will be sent, to a number."""

    at: datetime
    text_fingerprint: str


def limit_fingerprints(work: UnitOfWork, channel: str, address: str, body: str) -> dict[str, str | None]:
    """Return the keyed fingerprints that count messages to a number; both None for email."""
    if channel != "sms":
        return {"address_fingerprint": None, "text_fingerprint": None}
    fingerprint = work.vault.fingerprint
    return {"address_fingerprint": fingerprint(f"phone:{address}"), "text_fingerprint": fingerprint(f"text:{body}")}


def apply_limits(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Mark those of the new ``rows`` as dropped that are over a limit of their number.

    Sets ``dropped_at`` and ``failure`` ("over_budget" or "identical") in the row.
    """
    limited = [row for row in rows if row["channel"] == "sms" and row["template"] not in EXEMPT]
    if not limited:
        return
    gateway = work.catalogue.gateway
    earlier = _earlier_texts(work, {row["address_fingerprint"] for row in limited})
    zones = _zones(work, {row["participant_id"] for row in limited if row["participant_id"]})
    for row in limited:
        zone = zones.get(row["participant_id"] or 0) or _site_zone(work)
        texts = earlier[row["address_fingerprint"]]
        today = sum(_local_day(one.at, zone) == _local_day(work.now, zone) for one in texts)
        same = sum(
            one.text_fingerprint == row["text_fingerprint"] and one.at > work.now - IDENTICAL_WINDOW for one in texts
        )
        if today >= gateway.per_day:
            row.update(dropped_at=work.now, failure="over_budget")
        elif gateway.identical_per_day is not None and same >= gateway.identical_per_day:
            row.update(dropped_at=work.now, failure="identical")
        else:
            texts.append(_EarlierText(work.now, row["text_fingerprint"]))


def _earlier_texts(work: UnitOfWork, numbers: set[str]) -> Mapping[str, list[_EarlierText]]:
    """Return the recent texts to each of ``numbers`` that were sent or may still be sent."""
    query = select(Message.address_fingerprint, Message.queued_at, Message.text_fingerprint).where(
        Message.address_fingerprint.in_(numbers),
        Message.queued_at > work.now - LOOKBACK,
        Message.dropped_at.is_(None),
        # A message that the provider refused at once was not received.
        or_(Message.failed_at.is_(None), Message.sent_at.is_not(None)),
    )
    found: dict[str, list[_EarlierText]] = defaultdict(list)
    for number, at, text_fingerprint in work.session.execute(query):
        found[number or ""].append(_EarlierText(at, text_fingerprint or ""))
    return found


def _zones(work: UnitOfWork, participants: set[int]) -> Mapping[int, ZoneInfo]:
    query = select(Participant.id, Participant.time_zone).where(Participant.id.in_(participants))
    return {row[0]: ZoneInfo(row[1]) for row in work.session.execute(query)} if participants else {}


def _site_zone(work: UnitOfWork) -> ZoneInfo:
    """Return the time zone of the site: that of its first study."""
    return ZoneInfo(next(iter(work.catalogue.plans.values())).settings.time_zone)


def _local_day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()

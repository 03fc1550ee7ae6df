"""How many text messages a number gets in a day, and how often the same words: judged when a message is queued.

What is over is kept as a dropped message with its reason, so that staff see it. Two transactions that do not see each
other's rows may each queue one more; a text too many is no harm, and a lock on a number would stop whole rounds.
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

# These go out whatever was sent before: who is told of an alert, of danger, or of what STOP did.
EXEMPT = ("alert_sms", "drill_sms", "safety", "advice", "stopped", "started")
# The longest local day has 25 hours.
LOOKBACK = timedelta(hours=26)
IDENTICAL_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _EarlierText:
    """A text that went or will go to a number."""

    at: datetime
    words: str


def limit_fingerprints(work: UnitOfWork, channel: str, address: str, body: str) -> dict[str, str | None]:
    """The keyed fingerprints by which a message to a number is counted; none for a mail."""
    if channel != "sms":
        return {"address_fingerprint": None, "text_fingerprint": None}
    mark = work.vault.fingerprint
    return {"address_fingerprint": mark(f"phone:{address}"), "text_fingerprint": mark(f"text:{body}")}


def apply_limits(work: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Of the new ``rows``, drop those that are over what their number may get: "over_budget" or "identical"."""
    judged = [row for row in rows if row["channel"] == "sms" and row["template"] not in EXEMPT]
    if not judged:
        return
    gateway = work.catalogue.gateway
    earlier = _earlier_texts(work, {row["address_fingerprint"] for row in judged})
    zones = _zones(work, {row["participant_id"] for row in judged if row["participant_id"]})
    for row in judged:
        zone = zones.get(row["participant_id"] or 0) or _site_zone(work)
        texts = earlier[row["address_fingerprint"]]
        today = sum(_local_day(one.at, zone) == _local_day(work.now, zone) for one in texts)
        same = sum(one.words == row["text_fingerprint"] and one.at > work.now - IDENTICAL_WINDOW for one in texts)
        if today >= gateway.per_day:
            row.update(dropped_at=work.now, failure="over_budget")
        elif gateway.identical_per_day is not None and same >= gateway.identical_per_day:
            row.update(dropped_at=work.now, failure="identical")
        else:
            texts.append(_EarlierText(work.now, row["text_fingerprint"]))


def _earlier_texts(work: UnitOfWork, numbers: set[str]) -> Mapping[str, list[_EarlierText]]:
    """What was queued to each of ``numbers`` lately and went out, or may still."""
    query = select(Message.address_fingerprint, Message.queued_at, Message.text_fingerprint).where(
        Message.address_fingerprint.in_(numbers),
        Message.queued_at > work.now - LOOKBACK,
        Message.dropped_at.is_(None),
        # What the provider refused at once reached nobody.
        or_(Message.failed_at.is_(None), Message.sent_at.is_not(None)),
    )
    found: dict[str, list[_EarlierText]] = defaultdict(list)
    for number, at, words in work.session.execute(query):
        found[number or ""].append(_EarlierText(at, words or ""))
    return found


def _zones(work: UnitOfWork, participants: set[int]) -> Mapping[int, ZoneInfo]:
    query = select(Participant.id, Participant.time_zone).where(Participant.id.in_(participants))
    return {row[0]: ZoneInfo(row[1]) for row in work.session.execute(query)} if participants else {}


def _site_zone(work: UnitOfWork) -> ZoneInfo:
    """The site's: that of its first study."""
    return ZoneInfo(next(iter(work.catalogue.plans.values())).settings.time_zone)


def _local_day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()

"""The audit chain: events are written freely and sealed, in order, by the worker; anyone may verify."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text

from pro.models import Event, Seal
from pro.work import Work

FIRST = "0" * 64
BATCH = 500
# An event older than this without a seal means that the sealing worker does not run, or that a row was slipped in.
LATE = timedelta(minutes=10)
LOCK_KEY = 7_310_001


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk along the chain found. ``problems`` are sentences; an empty list means an unbroken chain."""

    sealed: int
    unsealed: int
    head: str
    problems: list[str]


def digest_of(previous: str, event: Event) -> str:
    """SHA-256 over the previous digest and the event's canonical JSON."""
    body = {
        "id": event.id,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "actor_id": event.actor_id,
        "role": event.role,
        "action": event.action,
        "subject": event.subject,
        "subject_id": event.subject_id,
        "participant_id": event.participant_id,
        "old": event.old,
        "new": event.new,
        "reason": event.reason,
    }
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def seal_events(work: Work) -> int:
    """Seal up to 500 waiting events into the chain; the number sealed. Whoever comes second waits for the first."""
    if work.house.engine.dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    position, previous = _head(work)
    query = select(Event).outerjoin(Seal, Seal.event_id == Event.id).where(Seal.event_id.is_(None)).order_by(Event.id)
    events = list(work.session.scalars(query.limit(BATCH)))
    for event in events:
        position += 1
        previous = digest_of(previous, event)
        work.session.add(Seal(position=position, event_id=event.id, digest=previous))
    return len(events)


def verify(work: Work) -> Verified:
    """Walk the whole chain. Finds a changed event, a missing or doubled place, and events that were never sealed."""
    problems: list[str] = []
    previous, expected, newest = FIRST, 0, None
    query = select(Seal, Event).outerjoin(Event, Event.id == Seal.event_id).order_by(Seal.position)
    for seal, joined in work.session.execute(query.execution_options(yield_per=1000)):
        event: Event | None = joined
        expected += 1
        if seal.position != expected:
            problems.append(f"Place {expected} of the chain is missing; place {seal.position} follows.")
            expected = seal.position
        if event is None:
            problems.append(f"Event {seal.event_id}, sealed at place {seal.position}, is gone.")
        elif digest_of(previous, event) != seal.digest:
            problems.append(f"Event {event.id}, sealed at place {seal.position}, is not what was sealed.")
        elif newest is not None and newest - event.at > LATE:
            problems.append(f"Event {event.id} is dated {event.at:%Y-%m-%d %H:%M} UTC but was written later.")
        else:
            newest = max(newest or event.at, event.at)
        previous = seal.digest
    waiting = select(func.count(), func.min(Event.at)).select_from(Event)
    waiting = waiting.outerjoin(Seal, Seal.event_id == Event.id).where(Seal.event_id.is_(None))
    unsealed, oldest = work.session.execute(waiting).one()
    if oldest is not None and work.now - oldest > LATE:
        problems.append(f"{unsealed} events wait for their seal, the oldest since {oldest:%Y-%m-%d %H:%M} UTC.")
    return Verified(expected, unsealed, previous, problems)


def _head(work: Work) -> tuple[int, str]:
    seal = work.session.scalar(select(Seal).order_by(Seal.position.desc()).limit(1))
    return (seal.position, seal.digest) if seal else (0, FIRST)

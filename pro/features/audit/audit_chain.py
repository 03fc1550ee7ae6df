"""The audit chain: seal audit entries in order, and verify the hash chain.

Entries are written without a seal; the worker seals them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text

from pro.app_context import UnitOfWork
from pro.models import AuditEntry, Seal, StaffMember

FIRST_DIGEST = "0" * 64
BATCH_SIZE = 500
# An older entry without a seal means that the worker does not run, or that a row was inserted by hand.
MAX_SEAL_DELAY = timedelta(minutes=10)
LOCK_KEY = 7_310_001
# Positions of the chain that one request verifies: about one second.
MAX_POSITIONS = 20_000
VERIFIED_ACTION = "audit.verified"


def N_(text: str) -> str:  # noqa: N802  the name that gettext tools know
    """Mark ``text`` for translation without translating it yet."""
    return text


# Problems of the chain, as sentences for the terminal and for a page.
PROBLEMS = {
    "missing": N_("Position %(expected)s of the chain is missing; position %(position)s follows."),
    "gone": N_("Audit entry %(event)s, sealed at position %(position)s, is missing."),
    "changed": N_("Audit entry %(event)s, sealed at position %(position)s, differs from what was sealed."),
    "dated": N_("Audit entry %(event)s is dated %(at)s UTC but was written later."),
    "waiting": N_("%(count)s audit entries are not sealed yet; the oldest is from %(at)s UTC."),
    "other_seal": N_("The seal at position %(position)s differs from the one verified before."),
}


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """One problem of the chain: a key of PROBLEMS and the values of its sentence."""

    key: str
    values: Mapping[str, object]

    def __str__(self) -> str:
        """Return the English sentence."""
        return PROBLEMS[self.key] % self.values


@dataclass(frozen=True, slots=True)
class ChainVerification:
    """The result of verifying the chain.

    ``sealed``: the last position that was verified; ``head``: its digest. ``unsealed``: entries without a seal.
    """

    sealed: int
    unsealed: int
    head: str
    found: tuple[ChainProblem, ...]

    @property
    def problems(self) -> list[str]:
        """English sentences; empty for an intact chain."""
        return [str(problem) for problem in self.found]


@dataclass(frozen=True, slots=True)
class PartialVerification:
    """The result of verifying one part of the chain.

    The part begins after position ``after`` and ends at ``verified.sealed``; the chain ends at ``end``.
    """

    after: int
    end: int
    verified: ChainVerification

    @property
    def is_complete(self) -> bool:
        """True if the chain is verified to its end."""
        return self.verified.sealed >= self.end


@dataclass(frozen=True, slots=True)
class ChainState:
    """What is known about the chain without verifying it now.

    ``verified_at``: time of the last verification, None if there was none; ``verified_to``: the position up to which
    the chain was intact then; ``problems``: found then. ``end``: the last position now.
    """

    verified_at: datetime | None
    verified_to: int
    problems: int
    end: int


def digest_of(previous: str, event: AuditEntry) -> str:
    """Return the SHA-256 of the previous digest and the entry's canonical JSON."""
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


def seal_entries(work: UnitOfWork) -> int:
    """Seal up to 500 unsealed entries. Return the number sealed.

    An advisory lock makes a second call wait for the first.
    """
    if work.app_context.engine.dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    position, previous = _last_seal(work)
    query = (
        select(AuditEntry)
        .outerjoin(Seal, Seal.audit_entry_id == AuditEntry.id)
        .where(Seal.audit_entry_id.is_(None))
        .order_by(AuditEntry.id)
    )
    events = list(work.session.scalars(query.limit(BATCH_SIZE)))
    for event in events:
        position += 1
        previous = digest_of(previous, event)
        work.session.add(Seal(position=position, audit_entry_id=event.id, digest=previous))
    return len(events)


def verify_chain(work: UnitOfWork) -> ChainVerification:
    """Verify the whole chain.

    Finds changed and missing entries, missing positions, backdated entries, and entries that were never sealed.
    """
    return _verify_part(work, 0, FIRST_DIGEST, None)


def verify_next_part(work: UnitOfWork, *, anew: bool = False, most: int = MAX_POSITIONS) -> PartialVerification:
    """Verify up to ``most`` positions, and record the verification in the audit trail.

    Begins where the last verification ended, or at the first position if ``anew``. After a problem, the next call
    begins at the same position again.
    """
    after, previous = (0, FIRST_DIGEST) if anew else _last_verified(work)
    end, _digest = _last_seal(work)
    verified = _verify_part(work, after, previous, most)
    good = [after, previous] if verified.found else [verified.sealed, verified.head]
    new = {"after": after, "to": verified.sealed, "problems": len(verified.found), "good": good}
    work.record(VERIFIED_ACTION, work.session.get_one(StaffMember, work.actor.id), new=new)
    return PartialVerification(after, end, verified)


def read_chain_state(work: UnitOfWork) -> ChainState:
    """Return the result of the last verification, and the end of the chain."""
    query = select(AuditEntry).where(AuditEntry.action == VERIFIED_ACTION).order_by(AuditEntry.id.desc()).limit(1)
    last = work.session.scalar(query)
    end, _digest = _last_seal(work)
    said = last.new if last is not None else None
    if last is None or said is None:
        return ChainState(None, 0, 0, end)
    return ChainState(last.at, int(said["good"][0]), int(said["problems"]), end)


def _last_verified(work: UnitOfWork) -> tuple[int, str]:
    """Return the last position without a problem at the last verification, and its digest."""
    query = select(AuditEntry.new).where(AuditEntry.action == VERIFIED_ACTION).order_by(AuditEntry.id.desc()).limit(1)
    said = work.session.scalar(query)
    return (int(said["good"][0]), str(said["good"][1])) if said else (0, FIRST_DIGEST)


def _verify_part(work: UnitOfWork, after: int, previous: str, most: int | None) -> ChainVerification:
    """Verify up to ``most`` positions after ``after``, whose digest is ``previous``."""
    found: list[ChainProblem] = []
    if after:
        seal = work.session.get(Seal, after)
        if seal is None or seal.digest != previous:
            found.append(ChainProblem("other_seal", {"position": after}))
    expected, newest = after, None
    query = (
        select(Seal, AuditEntry)
        .outerjoin(AuditEntry, AuditEntry.id == Seal.audit_entry_id)
        .where(Seal.position > after)
    )
    query = query.order_by(Seal.position).limit(most)
    for seal, joined in work.session.execute(query.execution_options(yield_per=1000)):
        event: AuditEntry | None = joined
        expected += 1
        place = {"position": seal.position, "event": seal.audit_entry_id}
        if seal.position != expected:
            found.append(ChainProblem("missing", {"expected": expected, "position": seal.position}))
            expected = seal.position
        if event is None:
            found.append(ChainProblem("gone", place))
        elif digest_of(previous, event) != seal.digest:
            found.append(ChainProblem("changed", place))
        elif newest is not None and newest - event.at > MAX_SEAL_DELAY:
            found.append(ChainProblem("dated", {"event": event.id, "at": f"{event.at:%Y-%m-%d %H:%M}"}))
        else:
            newest = max(newest or event.at, event.at)
        previous = seal.digest
    waiting = select(func.count(), func.min(AuditEntry.at)).select_from(AuditEntry)
    waiting = waiting.outerjoin(Seal, Seal.audit_entry_id == AuditEntry.id).where(Seal.audit_entry_id.is_(None))
    unsealed, oldest = work.session.execute(waiting).one()
    if oldest is not None and work.now - oldest > MAX_SEAL_DELAY:
        found.append(ChainProblem("waiting", {"count": unsealed, "at": f"{oldest:%Y-%m-%d %H:%M}"}))
    return ChainVerification(expected, unsealed, previous, tuple(found))


def _last_seal(work: UnitOfWork) -> tuple[int, str]:
    """Return the newest position and its digest."""
    seal = work.session.scalar(select(Seal).order_by(Seal.position.desc()).limit(1))
    return (seal.position, seal.digest) if seal else (0, FIRST_DIGEST)

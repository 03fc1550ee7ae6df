"""Seriousness: what makes an event look serious although it is graded as not serious (ICH E2A; China's GCP 2020)."""

from __future__ import annotations

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.rule_language.level import Level
from pro.models import Alert, AlertClosure, Participant

# From this grade an event often is a danger to life; some terms have it for a laboratory value alone.
LIFE_THREATENING = 4


def signs_of_seriousness(
    work: UnitOfWork, participant: Participant, grade: int | None, case_key: str
) -> tuple[str, ...]:
    """Return why an event of ``grade`` looks serious, most obvious first; empty if nothing says so.

    "died": the participant is dead. "grade_4": the grade often means danger to life. "admitted": the alerts of
    ``case_key`` were closed with an admission. "emergency": an answer or text of the case suggests danger to life.
    """
    signs = {
        "died": participant.died_at is not None,
        "grade_4": grade is not None and grade >= LIFE_THREATENING,
        "admitted": bool(case_key) and _is_closed_as_admitted(work, case_key),
        "emergency": bool(case_key) and _has_emergency(work, case_key),
    }
    return tuple(name for name, holds in signs.items() if holds)


def _is_closed_as_admitted(work: UnitOfWork, case_key: str) -> bool:
    query = select(AlertClosure.id).where(AlertClosure.source == case_key, AlertClosure.disposition == "admitted")
    return work.session.scalar(query.limit(1)) is not None


def _has_emergency(work: UnitOfWork, case_key: str) -> bool:
    query = select(Alert.id).where(
        Alert.source == case_key, Alert.level == int(Level.EMERGENCY), Alert.superseded_at.is_(None)
    )
    return work.session.scalar(query.limit(1)) is not None

"""Find participants whose death a text reported, and whose family has not been called yet.

No message about a form is sent to them until then (docs/domain.md 5).
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.models import CallTask

# Kind of the call task that a report of a death makes.
DEATH_TASK = "death_reported"


def reported_deaths(work: UnitOfWork, participant_ids: Collection[int]) -> set[int]:
    """Return those of the participants whose death a text reported, and whose family has not been called yet."""
    query = select(CallTask.participant_id).where(
        CallTask.participant_id.in_(participant_ids), CallTask.kind == DEATH_TASK, CallTask.done_at.is_(None)
    )
    return set(work.session.scalars(query))

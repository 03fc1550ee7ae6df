"""Repeated replies that were not understood: after them a person calls, by text message and in the chat alike."""

from __future__ import annotations

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.features.schedule import missed_forms
from pro.models import Assessment, IncomingMessage, Participant

# Number of unclear replies in a row that are asked about; after the next one a person calls.
CLARIFICATIONS = 2
# A reply to a question that is no longer asked. It gets the present question and does not count as unclear.
MOVED_ON = "moved_on"
# Replies for these reasons are not misunderstood.
_NOT_COUNTED = ("too_soon", MOVED_ON, "empty")


def count_unclear(work: UnitOfWork, row: IncomingMessage) -> int:
    """Return the number of unclear replies in a row by the channel of ``row``, this one included.

    An answer in between, typed or tapped, starts the count again.
    """
    work.session.flush()
    query = (
        select(IncomingMessage)
        .where(
            IncomingMessage.participant_id == row.participant_id,
            IncomingMessage.assessment_id == row.assessment_id,
            IncomingMessage.channel == row.channel,
            IncomingMessage.reason.not_in(_NOT_COUNTED),
        )
        .order_by(IncomingMessage.id.desc())
        .limit(CLARIFICATIONS + 2)
    )
    form = work.session.get(Assessment, row.assessment_id) if row.assessment_id is not None else None
    answered_at = form.last_answer_at if form is not None else None
    times = 0
    for text in work.session.scalars(query):
        if text.kind != "unclear" or (answered_at is not None and text.received_at < answered_at):
            break
        times += 1
    return times


def make_unclear_task(work: UnitOfWork, participant: Participant, row: IncomingMessage) -> None:
    """Have staff call the participant whose reply ``row`` was the last of several that were not understood."""
    missed_forms.make_call_task(work, participant, missed_forms.UNCLEAR_ANSWER_TASK, f"unclear:{row.id}")

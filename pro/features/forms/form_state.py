"""The current state of a form: wording, answers, path and alerts, read in two queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Answers, Instrument, Page, Value, Words
from pro.core.questionnaire.json_values import read_value
from pro.errors import CodeExpired
from pro.features.forms import licensed_wording
from pro.features.forms.form_access import FormSession
from pro.features.participants import clinical_facts
from pro.models import Alert, Answer, Assessment, Participant


@dataclass(frozen=True, slots=True)
class FormState:
    """One form as a page shows it; positions in the path count from 1.

    ``rows``: item -> newest row, withdrawn ones included.
    """

    instrument: Instrument
    words: Words
    participant: Participant
    assessment: Assessment
    rows: Mapping[str, Answer]
    alerts: Sequence[Alert]
    answers: Answers
    path: tuple[Page, ...]
    facts: Mapping[str, object]

    @property
    def submitted(self) -> bool:
        """True once the form was submitted."""
        return self.assessment.submitted_at is not None

    @property
    def advice(self) -> str | None:
        """Emergency advice that the participant has not confirmed yet, or None.

        "bleeding" (first by name) comes before other advice, because first aid helps at once.
        """
        waiting = (alert.advice for alert in self.alerts if alert.advice and alert.advised_at is None)
        return min(waiting, default=None)

    @property
    def newest_row(self) -> int:
        """Number of the newest answer row, withdrawn ones included; 0 before the first. It tells states apart."""
        return max((row.id for row in self.rows.values()), default=0)

    @property
    def last_position(self) -> int | None:
        """Position of the newest answer's page, or None.

        None before the first answer, and if the item is no longer in the path.
        """
        asked = [row for row in self.rows.values() if row.source == "asked" and row.state != "withdrawn"]
        last = max(asked, key=lambda row: row.id, default=None)
        if last is None:
            return None
        return next((n for n, page in enumerate(self.path, 1) if last.item in page.items), None)

    def page(self, position: int) -> Page | None:
        """Return the page at ``position``, or None after the last page (the review)."""
        return self.path[position - 1] if 1 <= position <= len(self.path) else None

    def position_of(self, page_id: str) -> int:
        """Return the position of a page, or that of the review if it is not in the path."""
        return next((n for n, page in enumerate(self.path, 1) if page.id == page_id), len(self.path) + 1)

    def next_position(self) -> int:
        """Return the position of the first page with an unanswered item, else of the review."""
        page = page_flow.next_page(self.instrument, self.answers, self.facts, self.assessment.page_set)
        return self.position_of(page.id) if page else len(self.path) + 1

    def progress(self, position: int) -> page_flow.Progress:
        """Return how far ``position`` is, and an estimate of what is left."""
        page = self.page(position)
        return page_flow.progress(
            self.instrument, self.answers, self.facts, page.id if page else "", self.assessment.page_set
        )

    def stale(self, now: datetime) -> tuple[str, ...]:
        """Return the items whose answers are too old: their recall period covers another day."""
        return () if self.submitted else find_stale_items(self.instrument, self.answers, self.rows, now)

    def renewed(self, now: datetime) -> FormState:
        """Return the form as it is continued ``now``: stale answers count as never given."""
        old = self.stale(now)
        if not old:
            return self
        answers = {name: value for name, value in self.answers.items() if name not in old}
        path = page_flow.page_path(self.instrument, answers, self.facts, self.assessment.page_set)
        return replace(self, answers=answers, path=path)

    def with_rows(self, added: Sequence[Answer]) -> FormState:
        """Return the form after ``added`` answer rows."""
        rows = {**self.rows, **{row.item: row for row in added}}
        answers = current_answers(self.instrument, rows)
        path = page_flow.page_path(self.instrument, answers, self.facts, self.assessment.page_set)
        return replace(self, rows=rows, answers=answers, path=path)


def form_words(work: UnitOfWork, assessment: Assessment, language: str) -> Words:
    """Return the wording of a form in ``language``, as pinned when it was issued."""
    return licensed_wording.pinned_words(work, assessment.instrument, assessment.wordings, language)


def require_instrument(work: UnitOfWork, instrument_id: str) -> Instrument:
    """Return the instrument of a form that is shown or sent.

    Raises CodeExpired("instrument_gone") if it is no longer installed.
    """
    instrument = work.catalogue.instrument_or_none(instrument_id)
    if instrument is None:
        raise CodeExpired("instrument_gone")
    return instrument


def read_form(work: UnitOfWork, form_session: FormSession, language: str) -> FormState:
    """Return the form of ``form_session``, with its wording in ``language``, as ``read_assessment``."""
    by_proxy = form_session.access.answered_by == "proxy"
    return read_assessment(work, form_session.assessment, form_session.participant, language, by_proxy=by_proxy)


def read_assessment(
    work: UnitOfWork, assessment: Assessment, participant: Participant, language: str, *, by_proxy: bool = False
) -> FormState:
    """Return the form ``assessment``, with its wording in ``language``; ``by_proxy``: as it is put to a proxy.

    Raises CodeExpired("instrument_gone") if the instrument is no longer installed: its questions cannot be shown.
    """
    words = form_words(work, assessment, language)
    instrument = require_instrument(work, assessment.instrument)
    rows = answer_rows(work, assessment.id)
    answers = current_answers(instrument, rows)
    facts = clinical_facts.form_facts(assessment.context)
    return FormState(
        instrument=instrument,
        words=words.for_proxy() if by_proxy else words,
        participant=participant,
        assessment=assessment,
        rows=rows,
        alerts=list(work.session.scalars(select(Alert).where(Alert.assessment_id == assessment.id))),
        answers=answers,
        path=page_flow.page_path(instrument, answers, facts, assessment.page_set),
        facts=facts,
    )


def find_stale_items(
    instrument: Instrument, answers: Answers, rows: Mapping[str, Answer], now: datetime
) -> tuple[str, ...]:
    """Return the items of ``answers`` whose answers are too old to continue with.

    Their recall period covers another day; the limits are ``instrument.stale_hours``.
    """
    hours = instrument.stale_hours
    return tuple(
        name
        for name in answers
        if (limit := hours.get(instrument.items[name].recall_period)) and now - rows[name].at > timedelta(hours=limit)
    )


def answer_rows(work: UnitOfWork, assessment_id: int) -> dict[str, Answer]:
    """Return item -> newest row of a form, withdrawn ones included."""
    return answer_rows_by_form(work, [assessment_id])[assessment_id]


def answer_rows_by_form(work: UnitOfWork, numbers: Sequence[int]) -> dict[int, dict[str, Answer]]:
    """Return form id -> item -> newest row, withdrawn ones included, in one query."""
    found: dict[int, dict[str, Answer]] = {number: {} for number in numbers}
    for row in work.session.scalars(select(Answer).where(Answer.assessment_id.in_(found)).order_by(Answer.id)):
        found[row.assessment_id][row.item] = row
    return found


def current_answers(instrument: Instrument, rows: Mapping[str, Answer]) -> dict[str, Value | None]:
    """Return the current answers: None for skipped items, without withdrawn ones."""
    items = instrument.items
    return {
        name: read_value(items[name], row.value) if row.state == "given" else None
        for name, row in rows.items()
        if row.state != "withdrawn" and name in items
    }

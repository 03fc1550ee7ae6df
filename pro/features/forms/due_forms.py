"""Forms that a participant's card or own page opens: due forms, and one for reports at any time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.errors import NotAllowed, NotFound
from pro.features.forms import form_access, form_issuing, licensed_wording
from pro.models import Assessment, ExpectedForm, Participant


@dataclass(frozen=True, slots=True)
class FillableForm:
    """A form that can be answered now. ``begun``: it has a first answer already. ``minutes``: time that it takes."""

    instrument: str
    title: str
    minutes: int
    closes_at: datetime
    begun: bool


@dataclass(frozen=True, slots=True)
class DueForms:
    """Forms that can be answered now, the one that closes first on top.

    ``next_at``: when the next visit window opens, in UTC; ``next_minutes``: time that each of its forms takes.
    ``report``: the instrument for reports at any time (the first one of the study plan), "" without plan.
    """

    forms: tuple[FillableForm, ...]
    next_at: datetime | None
    next_minutes: tuple[int, ...]
    report: str

    @property
    def only_form(self) -> str:
        """Instrument to open directly, if it is the only form and the one for reports; else ""."""
        return self.forms[0].instrument if [form.instrument for form in self.forms] == [self.report] else ""


def due_forms(work: UnitOfWork, participant: Participant, language: str) -> DueForms:
    """Return the issued forms and open visits of ``participant``; titles in ``language``."""
    closes: dict[str, datetime] = {}
    begun: dict[str, bool] = {}
    for (_person, instrument), form in form_issuing.open_forms(work, [participant.id]).items():
        if form.closes_at > work.now:
            closes[instrument], begun[instrument] = form.closes_at, form.first_answer_at is not None
    for row in _open_visits(work, participant):
        closes[row.instrument] = min(row.closes_at, closes.get(row.instrument, row.closes_at))
    plan = work.catalogue.shown_plan(participant.plan)
    found = []
    for name, at in closes.items():
        if name in plan.instruments and (begun.get(name) or _may_issue(work, name)):
            words = licensed_wording.current_words(work, name, language)
            found.append(FillableForm(name, words.title, words.minutes, at, begun.get(name, False)))
    opening = _next_opening(work, participant)
    return DueForms(
        forms=tuple(sorted(found, key=lambda form: (form.closes_at, form.instrument))),
        next_at=opening[0].opens_at if opening else None,
        next_minutes=tuple(
            licensed_wording.current_words(work, row.instrument, language).minutes
            for row in opening
            if row.instrument in plan.instruments
        ),
        report=plan.checkin,
    )


def open_due_form(
    work: UnitOfWork, participant: Participant, instrument: str, *, identified_by: str, device: str, language: str
) -> tuple[Assessment, str]:
    """Open a due form, or the one for reports: return it and a secret for the cookie.

    ``identified_by``: how the participant was identified, as "link", "code" or "card".

    Raise NotFound("instrument") for any other instrument.
    """
    now = due_forms(work, participant, language)
    if not instrument or instrument not in {form.instrument for form in now.forms} | {now.report}:
        raise NotFound("instrument")
    form = form_issuing.open_form(work, participant, instrument)
    if form is None or form.first_answer_at is None:
        form = form_issuing.issue_form(work, participant, instrument)
    secret = form_access.begin_session(
        work, form, identified_by=identified_by, answered_by=None, device=device, language=language
    )
    return form, secret


def _open_visits(work: UnitOfWork, participant: Participant) -> list[ExpectedForm]:
    """Return the expected forms whose window is open and that no form serves yet."""
    query = select(ExpectedForm).where(
        ExpectedForm.participant_id == participant.id,
        ExpectedForm.opens_at <= work.now,
        ExpectedForm.closes_at > work.now,
        ExpectedForm.received_at.is_(None),
    )
    return list(work.session.scalars(query))


def _next_opening(work: UnitOfWork, participant: Participant) -> list[ExpectedForm]:
    """Return the expected forms of the next visit window that opens; none if no window opens any more."""
    query = (
        select(ExpectedForm)
        .where(
            ExpectedForm.participant_id == participant.id,
            ExpectedForm.opens_at > work.now,
            ExpectedForm.received_at.is_(None),
        )
        .order_by(ExpectedForm.opens_at, ExpectedForm.instrument)
        .limit(len(work.catalogue.instruments))
    )
    rows = list(work.session.scalars(query))
    return [row for row in rows if row.opens_at == rows[0].opens_at]


def _may_issue(work: UnitOfWork, instrument: str) -> bool:
    """Return False if the wording of ``instrument`` is not licensed for production."""
    try:
        licensed_wording.checksums_to_pin(work, instrument)
    except NotAllowed:
        return False
    return True

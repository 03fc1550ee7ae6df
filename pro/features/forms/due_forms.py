"""Forms that a participant's card opens: due forms, and one for reports at any time."""

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
    """A form that can be answered now. ``begun``: it has a first answer already."""

    instrument: str
    title: str
    closes_at: datetime
    begun: bool


@dataclass(frozen=True, slots=True)
class DueForms:
    """Forms that can be answered now, the one that closes first on top.

    ``next_at``: when the next visit window opens, in UTC. ``report``: the instrument for reports at any time (the first
    one of the study plan), "" without plan.
    """

    forms: tuple[FillableForm, ...]
    next_at: datetime | None
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
    found = [
        FillableForm(name, licensed_wording.current_words(work, name, language).title, at, begun.get(name, False))
        for name, at in closes.items()
        if name in plan.instruments and (begun.get(name) or _may_issue(work, name))
    ]
    return DueForms(
        forms=tuple(sorted(found, key=lambda form: (form.closes_at, form.instrument))),
        next_at=_next_opening(work, participant),
        report=plan.checkin,
    )


def open_due_form(
    work: UnitOfWork, participant: Participant, instrument: str, *, device: str, language: str
) -> tuple[Assessment, str]:
    """Open a due form, or the one for reports: return it and a secret for the cookie.

    Raise NotFound("instrument") for any other instrument.
    """
    now = due_forms(work, participant, language)
    if not instrument or instrument not in {form.instrument for form in now.forms} | {now.report}:
        raise NotFound("instrument")
    form = form_issuing.open_form(work, participant, instrument)
    if form is None or form.first_answer_at is None:
        form = form_issuing.issue_form(work, participant, instrument)
    secret = form_access.begin_session(
        work, form, identified_by="card", answered_by=None, device=device, language=language
    )
    return form, secret


def _open_visits(work: UnitOfWork, participant: Participant) -> list[ExpectedForm]:
    """Return the expected forms whose window is open and that no form serves yet."""
    query = select(ExpectedForm).where(
        ExpectedForm.participant_id == participant.id,
        ExpectedForm.opens_at <= work.now,
        ExpectedForm.closes_at > work.now,
        ExpectedForm.served_at.is_(None),
    )
    return list(work.session.scalars(query))


def _next_opening(work: UnitOfWork, participant: Participant) -> datetime | None:
    """Return when the next visit window of the participant opens, or None."""
    query = (
        select(ExpectedForm.opens_at)
        .where(
            ExpectedForm.participant_id == participant.id,
            ExpectedForm.opens_at > work.now,
            ExpectedForm.served_at.is_(None),
        )
        .order_by(ExpectedForm.opens_at)
        .limit(1)
    )
    return work.session.scalar(query)


def _may_issue(work: UnitOfWork, instrument: str) -> bool:
    """Return False if the wording of ``instrument`` is not licensed for production."""
    try:
        licensed_wording.checksums_to_pin(work, instrument)
    except NotAllowed:
        return False
    return True

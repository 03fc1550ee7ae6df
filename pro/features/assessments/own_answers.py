"""A participant's own sent answers: the last check-ins side by side after sending, and the list of what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.answer_text import answer_text
from pro.core.questionnaire.instrument import Instrument, Item, Value, Words
from pro.core.rule_language.level import Level
from pro.features.assessments.answer_service import SubmissionOutcome
from pro.features.forms import form_state
from pro.features.forms.form_access import FormSession
from pro.features.forms.form_state import FormState
from pro.features.participants import clinical_facts
from pro.models import Alert, Assessment, Participant

# After that a browser that sent a form no longer shows its answers: the phone may be in other hands.
READABLE_AFTER_SENDING = timedelta(minutes=30)
TREND_FORMS, TREND_ITEMS = 4, 5
# The group of items with graded answers (docs/domain.md 3.4). Questions about an emergency or self-harm are not in it.
TREND_GROUP = "graded"


@dataclass(frozen=True, slots=True)
class TrendColumn:
    """One check-in of the trend. ``at``: when it was answered, in UTC. ``shows_time``: two are of one day."""

    at: datetime
    shows_time: bool


@dataclass(frozen=True, slots=True)
class TrendAnswer:
    """One answer in its own words. ``step``: its place among the options, 0 the first; None without an answer."""

    step: int | None
    label: str


@dataclass(frozen=True, slots=True)
class TrendRow:
    """One question with an answer for each column."""

    name: str
    answers: tuple[TrendAnswer, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """Own answers to the last check-ins, oldest first.

    ``rest_is_first``: every other question was answered with its first option each time.
    """

    columns: tuple[TrendColumn, ...]
    rows: tuple[TrendRow, ...]
    rest_is_first: bool


@dataclass(frozen=True, slots=True)
class _SentForm:
    """Answers and wording of one sent check-in."""

    at: datetime
    answers: Mapping[str, Value | None]
    words: Words


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form that was sent, for the list on the participant's own page.

    ``at``: when it was answered, in UTC. ``mode``: web, sms, phone or paper. ``by_proxy``: a proxy answered it.
    ``readable``: the page may show its answers.
    """

    ref: str
    title: str
    at: datetime
    mode: str
    by_proxy: bool
    readable: bool


def list_sent_forms(
    work: UnitOfWork, participant: Participant, form_session: FormSession | None, language: str
) -> list[SentForm]:
    """Return the forms that were sent for ``participant``, newest first; titles in ``language``.

    ``form_session``: the session that opened the page, None for a card with its PIN.
    """
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id == participant.id,
            Assessment.submitted_at.is_not(None),
            Assessment.cancelled_at.is_(None),
        )
        .order_by(clinical_facts.ANSWERED_AT.desc(), Assessment.id.desc())
    )
    return [
        SentForm(
            ref=form.ref,
            title=form_state.form_words(work, form, language).title,
            at=form.answered_at or form.submitted_at or form.issued_at,
            mode=form.completion_mode or "web",
            by_proxy=form.answered_by == "proxy",
            readable=_may_read(work, form, form_session),
        )
        for form in work.session.scalars(query)
    ]


def read_sent_form(
    work: UnitOfWork, participant: Participant, ref: str, form_session: FormSession | None, language: str
) -> FormState | None:
    """Return a form that was sent for ``participant``, to be read only.

    None for any form that ``list_sent_forms`` does not call readable.
    """
    form = work.session.scalar(
        select(Assessment).where(
            Assessment.participant_id == participant.id, Assessment.ref == ref, Assessment.cancelled_at.is_(None)
        )
    )
    if form is None or not _may_read(work, form, form_session):
        return None
    return form_state.read_assessment(work, form, participant, language)


def _may_read(work: UnitOfWork, form: Assessment, form_session: FormSession | None) -> bool:
    """Return True if the page may show the answers of ``form``, which was sent.

    A card with its PIN shows every form but those that a proxy answered. A link or code shows only the form that this
    browser sent a short time ago, because messages are forwarded and phones are shared.
    """
    if form.submitted_at is None or work.catalogue.instrument_or_none(form.instrument) is None:
        return False
    if form_session is None:
        return form.answered_by != "proxy"
    return form.id == form_session.assessment.id and was_sent_by_session(work, form_session)


def has_unread_advice(work: UnitOfWork, form: Assessment) -> bool:
    """Return True while emergency advice on ``form`` waits to be confirmed."""
    query = select(Alert.id).where(Alert.assessment_id == form.id, Alert.advice != "", Alert.advised_at.is_(None))
    return work.session.scalar(query.limit(1)) is not None


def was_sent_by_session(work: UnitOfWork, form_session: FormSession) -> bool:
    """Return True if this browser may still show the answers of the form that was sent.

    It had pressed Start before the form was sent, a short time ago, and no proxy answered. A link or code that is
    opened after sending does not show the answers.
    """
    form, access = form_session.assessment, form_session.access
    sent = form.submitted_at
    if sent is None or access.made_at > sent or work.now - sent > READABLE_AFTER_SENDING:
        return False
    return bool(access.answered_by) and "proxy" not in (access.answered_by, form.answered_by)


def read_trend(work: UnitOfWork, form_session: FormSession, outcome: SubmissionOutcome, language: str) -> Trend | None:
    """Return the trend for the page after sending, or None if that page shows none.

    None on the page about urgent answers, before the second check-in, if the study plan does not want it or the
    participant hid it, and if every answer was the first option.
    """
    form, person = form_session.assessment, form_session.participant
    plan = work.catalogue.plan_or_none(person.plan)
    if plan is None or not plan.participant_trend or form.instrument != plan.checkin:
        return None
    if person.trend_hidden_at is not None or not was_sent_by_session(work, form_session):
        return None
    if outcome.level >= Level.URGENT or outcome.advice:
        return None
    instrument = form_state.require_instrument(work, form.instrument)
    sent = _last_sent(work, form, instrument, language)
    return _build_trend(instrument, sent, person.time_zone) if len(sent) > 1 else None


def hide_trend(work: UnitOfWork, participant: Participant) -> None:
    """Stop showing earlier answers to ``participant``. Does nothing if they are hidden already."""
    if participant.trend_hidden_at is None:
        participant.trend_hidden_at = work.now
        work.record("participant.trend_hidden", participant, participant_id=participant.id)


def _last_sent(work: UnitOfWork, form: Assessment, instrument: Instrument, language: str) -> list[_SentForm]:
    """Return the last sent check-ins up to ``form``, oldest first, without those that a proxy answered."""
    until = form.answered_at or form.submitted_at
    query = (
        select(Assessment)
        .where(
            Assessment.participant_id == form.participant_id,
            Assessment.instrument == form.instrument,
            Assessment.submitted_at.is_not(None),
            Assessment.cancelled_at.is_(None),
            or_(Assessment.answered_by.is_(None), Assessment.answered_by != "proxy"),
            until >= clinical_facts.ANSWERED_AT,
        )
        .order_by(clinical_facts.ANSWERED_AT.desc(), Assessment.id.desc())
        .limit(TREND_FORMS)
    )
    forms = list(work.session.scalars(query))[::-1]
    rows = form_state.answer_rows_by_form(work, [one.id for one in forms])
    return [
        _SentForm(
            at=one.answered_at or one.submitted_at or one.issued_at,
            answers=form_state.current_answers(instrument, rows[one.id]),
            words=form_state.form_words(work, one, language),
        )
        for one in forms
    ]


def _build_trend(instrument: Instrument, sent: Sequence[_SentForm], zone: str) -> Trend | None:
    """Return the graded questions whose answer was not always the first option, in the order of the form."""
    changed = [name for name in instrument.groups.get(TREND_GROUP, ()) if max(_steps(instrument, sent, name)) > 0]
    if not changed:
        return None
    # Of too many, those with the furthest answer now, then ever. They are shown as the form asks them.
    changed.sort(
        key=lambda name: (_steps(instrument, sent, name)[-1], max(_steps(instrument, sent, name))), reverse=True
    )
    chosen = changed[:TREND_ITEMS]
    days = [one.at.astimezone(ZoneInfo(zone)).date() for one in sent]
    words = sent[-1].words.items
    return Trend(
        columns=tuple(TrendColumn(one.at, days.count(day) > 1) for one, day in zip(sent, days, strict=True)),
        rows=tuple(
            TrendRow(words[name].short or words[name].plain, tuple(_answer(instrument, one, name) for one in sent))
            for name in instrument.items
            if name in chosen
        ),
        rest_is_first=all(_is_first(item, sent) for item in instrument.items.values() if item.id not in chosen),
    )


def _steps(instrument: Instrument, sent: Sequence[_SentForm], name: str) -> list[int]:
    """Return the place of each answer among the options, 0 for the first; -1 without an answer."""
    found = [_answer(instrument, one, name).step for one in sent]
    return [-1 if step is None else step for step in found]


def _answer(instrument: Instrument, one: _SentForm, name: str) -> TrendAnswer:
    item, value = instrument.items[name], one.answers.get(name)
    if not isinstance(value, int) or value not in item.codes:
        return TrendAnswer(None, "")
    return TrendAnswer(item.codes.index(value), answer_text(item, one.words.items[name], value))


def _is_first(item: Item, sent: Sequence[_SentForm]) -> bool:
    """Return True if ``item`` was answered with its first option wherever it was asked, or has no options.

    A question that only some of the forms asked was not answered each time, unless it follows from another answer.
    """
    given = [one.answers[item.id] for one in sent if item.id in one.answers]
    if item.kind != "choice" or not given:
        return True
    return set(given) == {item.codes[0]} and (item.ask_if is not None or len(given) == len(sent))

"""Read a participant's answers with visits and scores, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.figures import symptom_heatmap
from pro.core.questionnaire import page_flow
from pro.core.questionnaire.instrument import Value
from pro.core.questionnaire.json_values import read_value
from pro.core.study_plan import StudyPlan
from pro.features.participants import clinical_facts, treatment_dates
from pro.features.schedule import expected_forms
from pro.features.schedule.expected_forms import ExpectedFormLine
from pro.models import Anchor, Answer, Assessment, Participant, Score


@dataclass(frozen=True, slots=True)
class RecordedScore:
    """One scale's score of one form, None if missing; ``used`` of ``of`` items were answered."""

    value: float | None
    used: int
    of: int


@dataclass(frozen=True, slots=True)
class HistoryForm:
    """One form with answers.

    ``at``: when it was answered; ``on``: that day in the participant's time zone. ``visits``: titles of the visits that
    it counts for; ``baseline``: one of them is the baseline visit. ``sent``: it was submitted. ``asked``: items of its
    path. ``answers``: current answers, None for skipped. ``proxy``: a proxy answered.
    """

    id: int
    instrument: str
    at: datetime
    on: date
    visits: tuple[str, ...]
    baseline: bool
    out_of_window: bool
    sent: bool
    proxy: bool
    answers: Mapping[str, Value | None]
    asked: Collection[str]
    scores: Mapping[str, RecordedScore]


@dataclass(frozen=True, slots=True)
class AnswerHistory:
    """A participant's forms in order of answering, with expected forms and anchor dates.

    ``origin``: the day from which weeks are counted: day 1 of the treatment once it was given, before that the day of
    consent.
    """

    participant: Participant
    today: date
    origin: date
    anchors: Sequence[Anchor]
    lines: Sequence[ExpectedFormLine]
    forms: Sequence[HistoryForm]

    def instruments(self, plan: StudyPlan) -> tuple[str, ...]:
        """Return the instruments of ``plan``, then the answered ones that it does not have or no longer has."""
        return tuple(dict.fromkeys((*plan.instruments, *(form.instrument for form in self.forms))))

    def of(self, instrument: str) -> list[HistoryForm]:
        """Return the forms of one instrument."""
        return [form for form in self.forms if form.instrument == instrument]

    def baseline(self, instrument: str) -> HistoryForm | None:
        """Return the form that later ones are compared with, or None.

        The newest form of the baseline visit, else the first submitted form: the same choice as ``clinical_facts``
        makes for the rules.
        """
        forms = [form for form in self.of(instrument) if form.sent]
        return next((form for form in reversed(forms) if form.baseline), forms[0] if forms else None)


def read_history(work: UnitOfWork, participant: Participant, language: str) -> AnswerHistory:
    """Return the answer history of ``participant``, in six queries."""
    lines = expected_forms.read_expected_forms(work, participant, language)
    anchors = treatment_dates.read_anchors(work, participant)
    query = select(Assessment).where(
        Assessment.participant_id == participant.id,
        # A form that was cancelled after its first answer, by an end of participation, still has its answers.
        Assessment.last_answer_at.is_not(None),
    )
    assessments = list(work.session.scalars(query))
    answers = _answers(work, participant, assessments)
    scores = _scores(work, participant)
    served: dict[int, list[ExpectedFormLine]] = {}
    for line in lines:
        if line.assessment is not None and line.expected.received_at is not None:
            served.setdefault(line.assessment.id, []).append(line)
    forms = [
        _build_form(work, participant, row, served.get(row.id, []), answers.get(row.id, {}), scores.get(row.id, {}))
        for row in assessments
    ]
    return AnswerHistory(
        participant=participant,
        today=treatment_dates.local_date(work.now, participant.time_zone),
        origin=_origin(work, participant, anchors),
        anchors=anchors,
        lines=lines,
        forms=sorted(forms, key=lambda form: (form.at, form.id)),
    )


def _answers(
    work: UnitOfWork, participant: Participant, assessments: Sequence[Assessment]
) -> dict[int, dict[str, Value | None]]:
    """Return the current answers of each form by item; withdrawn answers are left out."""
    # Columns are faster than rows: three years have thousands of answers.
    query = (
        select(Answer.assessment_id, Answer.item, Answer.state, Answer.value)
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .where(Assessment.participant_id == participant.id)
        .order_by(Answer.id)
    )
    items = {row.id: work.catalogue.shown_instrument(row.instrument).items for row in assessments}
    found: dict[int, dict[str, Value | None]] = {row.id: {} for row in assessments}
    for form, name, state, value in work.session.execute(query):
        if form not in found or name not in items[form]:
            continue
        if state == "withdrawn":
            found[form].pop(name, None)
        else:
            found[form][name] = read_value(items[form][name], value) if state == "given" else None
    return found


def _scores(work: UnitOfWork, participant: Participant) -> dict[int, dict[str, RecordedScore]]:
    """Return the newest score of each scale, by form."""
    query = (
        select(Score.assessment_id, Score.scale, Score.value, Score.used, Score.of)
        .join(Assessment, Assessment.id == Score.assessment_id)
        .where(Assessment.participant_id == participant.id)
        .order_by(Score.id)
    )
    found: dict[int, dict[str, RecordedScore]] = {}
    for form, scale, value, used, of in work.session.execute(query):
        found.setdefault(form, {})[scale] = RecordedScore(value, used, of)
    return found


def _build_form(
    work: UnitOfWork,
    participant: Participant,
    row: Assessment,
    lines: Sequence[ExpectedFormLine],
    answers: Mapping[str, Value | None],
    scores: Mapping[str, RecordedScore],
) -> HistoryForm:
    """Build one form of the history from its rows."""
    instrument = work.catalogue.shown_instrument(row.instrument)
    at = row.answered_at or row.submitted_at or row.last_answer_at or row.issued_at
    facts = clinical_facts.form_facts(row.context)
    # Only instruments that are shown by item need the path; scored ones are shown by scale.
    path = page_flow.page_path(instrument, answers, facts, row.page_set) if not instrument.scales else ()
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    return HistoryForm(
        id=row.id,
        instrument=row.instrument,
        at=at,
        on=treatment_dates.local_date(at, participant.time_zone),
        visits=tuple(line.title for line in lines),
        baseline=visit_schedule is not None and any(line.expected.kind == visit_schedule.baseline for line in lines),
        out_of_window=any(line.expected.out_of_window for line in lines),
        sent=row.submitted_at is not None,
        proxy=row.answered_by == "proxy",
        answers=answers,
        asked=symptom_heatmap.asked_items(instrument, answers, (name for page in path for name in page.items)),
        scores=scores,
    )


def _origin(work: UnitOfWork, participant: Participant, anchors: Sequence[Anchor]) -> date:
    """Return the day from which weeks are counted.

    The anchor date of the baseline visit once it is recorded, else the day of consent, else the day of enrolment.
    """
    visit_schedule = work.catalogue.shown_plan(participant.plan).visit_schedule
    if visit_schedule is not None and visit_schedule.baseline:
        visit = visit_schedule.visit(visit_schedule.baseline)
        for kind in (visit.anchor, *([visit.alternative.anchor] if visit.alternative else [])):
            known = [row.on for row in anchors if row.kind == kind and not row.planned]
            if known:
                return min(known)
    return treatment_dates.local_date(participant.enrolled_at, participant.time_zone)

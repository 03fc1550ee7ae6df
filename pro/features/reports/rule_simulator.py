"""Simulate changed rules on stored or generated answers. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pro.app_context import AppContext, UnitOfWork
from pro.catalogue import CatalogueError
from pro.catalogue.plan_files.plan import read_plan
from pro.core.questionnaire import page_flow, scoring
from pro.core.questionnaire.instrument import Instrument, Value
from pro.core.study_plan import StudyPlan
from pro.core.translatable_sentence import Sentence
from pro.core.triage.rule_comparison import ReplayedForm, RuleComparison, compare_rules
from pro.core.triage.verdict import ClinicalContext, FormCase
from pro.errors import BadData
from pro.features.alerts import evaluation
from pro.features.forms.form_state import answer_rows_by_form, current_answers
from pro.features.participants import consent_records
from pro.models import Assessment, Participant

# Characters of a plan file; the supplied one has 25,000.
MAX_FILE_LENGTH = 200_000
BATCH_SIZE = 500
# Weights of generated answers in order of severity: most participants have no symptom.
ANSWER_WEIGHTS = (72, 14, 7, 4, 3)
# Generated forms a week: a study of 23 participants with one form a week.
FORMS_PER_WEEK = 23


@dataclass(frozen=True, slots=True)
class SimulationRun:
    """The result of a simulation.

    ``since``: the first day. ``cut``: the time limit left out older forms. ``left_out``: number of participants who
    refused further use of their data; their forms are not evaluated.
    """

    difference: RuleComparison
    since: datetime | None
    cut: bool
    left_out: int = 0


def parse_changed_plan(app_context: AppContext, plan: StudyPlan, text: str) -> StudyPlan:
    """Return the study plan that ``text`` (a plan file) describes.

    Raises BadData("plan_file", sentence=...) with a ``Sentence`` that names the problem and its place.
    """
    if len(text) > MAX_FILE_LENGTH:
        sentence = Sentence(
            "This file has %(number)s characters; a plan file has at most %(most)s.",
            number=len(text),
            most=MAX_FILE_LENGTH,
        )
        raise BadData("plan_file", sentence=sentence)
    try:
        return read_plan(Path(f"{plan.id}.yaml"), app_context.catalogue.instruments, text)
    except CatalogueError as problem:
        sentence = Sentence("%(place)s: %(sentence)s", place=problem.file, sentence=problem.place_and_sentence)
        raise BadData("plan_file", sentence=sentence) from problem


def replay_stored_forms(
    app_context: AppContext,
    old: StudyPlan,
    new: StudyPlan,
    *,
    since: datetime | None = None,
    seconds: float | None = None,
) -> SimulationRun:
    """Evaluate the study's forms since ``since`` by both plans, newest first.

    Uses the facts, the baseline and the previous answers that were stored when each form was opened. ``seconds``: stop
    after this time.
    """
    clock = _TimeLimit(seconds)
    with Session(app_context.reader) as session:
        work = app_context.unit_of_work(session)
        excluded = consent_records.no_further_use(work, old.id)
        found = compare_rules(old, new, clock.until(_stored_forms(work, old, since, excluded)))
    return SimulationRun(found, since, clock.ran_out, len(excluded))


def simulate_generated_forms(
    app_context: AppContext, old: StudyPlan, new: StudyPlan, number: int, seed: int = 1
) -> SimulationRun:
    """Evaluate ``number`` generated check-ins by both plans.

    The same ``seed`` generates the same answers.
    """
    return SimulationRun(compare_rules(old, new, _generated_forms(app_context, old, number, seed)), None, False)


@dataclass(slots=True)
class _TimeLimit:
    """A time limit for a stream of forms."""

    seconds: float | None
    ran_out: bool = False

    def until(self, forms: Iterator[ReplayedForm]) -> Iterator[ReplayedForm]:
        """Yield ``forms`` until the time is over."""
        start = perf_counter()
        for form in forms:
            if self.seconds is not None and perf_counter() - start > self.seconds:
                self.ran_out = True
                return
            yield form


def _stored_forms(
    work: UnitOfWork, plan: StudyPlan, since: datetime | None, excluded: Sequence[int]
) -> Iterator[ReplayedForm]:
    """Yield stored forms one batch at a time, so that memory does not grow with the study."""
    answered = func.coalesce(Assessment.answered_at, Assessment.submitted_at, Assessment.last_answer_at)
    query = (
        select(Assessment, Participant.participant_number)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Participant.plan == plan.id, answered.is_not(None), Participant.id.not_in(excluded))
        .order_by(Assessment.id.desc())
        .limit(BATCH_SIZE)
    )
    if since is not None:
        query = query.where(answered >= since)
    rows = work.session.execute(query).all()
    while rows:
        yield from _replay_batch(work, plan, [(assessment, number) for assessment, number in rows])
        last = rows[-1][0].id
        work.session.expunge_all()
        rows = work.session.execute(query.where(Assessment.id < last)).all()


def _replay_batch(work: UnitOfWork, plan: StudyPlan, rows: Sequence[tuple[Assessment, str]]) -> Iterator[ReplayedForm]:
    """Yield the forms of one batch with the data that their evaluation used."""
    newest = answer_rows_by_form(work, [assessment.id for assessment, _number in rows])
    for assessment, number in rows:
        at = assessment.answered_at or assessment.submitted_at or assessment.last_answer_at
        instrument = work.catalogue.instruments.get(assessment.instrument)
        if instrument is None or at is None:
            continue
        answers = current_answers(instrument, newest[assessment.id])
        submitted = assessment.submitted_at is not None
        scores = {}
        if submitted and instrument.scales and (assessment.answered_by != "proxy" or plan.score_proxy):
            scores = {scale: found.value for scale, found in scoring.score(instrument, answers).items()}
        # The last evaluation of a form that was not submitted was at the longest idle time.
        idle = 0 if submitted else max(plan.idle_minutes)
        then = replace(work, now=at)
        case = evaluation.build_form_case(then, assessment, answers, submitted, idle, scores, plan)
        yield ReplayedForm(number, instrument, at, case)


def _generated_forms(app_context: AppContext, plan: StudyPlan, number: int, seed: int) -> Iterator[ReplayedForm]:
    """Yield generated check-ins in weeks of the usual study size, newest first."""
    instrument = app_context.catalogue.shown_instrument(plan.instruments[0])
    dice = Random(seed)  # noqa: S311  # nosec B311 (generated answers, no secret)
    now = app_context.clock()
    for count in range(number):
        context = ClinicalContext(
            pd1_exposed=dice.random() < 0.7, ulcer_status=dice.choice(("none",) * 9 + ("suspected",))
        )
        previous = _generate_answers(instrument, context, dice)
        answers = _generate_answers(instrument, context, dice)
        case = FormCase(
            answers=answers, previous=previous, baseline=_generate_answers(instrument, context, dice), context=context
        )
        yield ReplayedForm(f"#{count + 1}", instrument, now - timedelta(weeks=count // FORMS_PER_WEEK), case)


def _generate_answers(instrument: Instrument, context: ClinicalContext, dice: Random) -> dict[str, Value | None]:
    """Return generated answers to one check-in, on the path that a participant would take.

    Most answers are without symptoms, some have symptoms, some are skipped.
    """
    facts = {"pd1": context.pd1_exposed is not False, "selfharm_enabled": False}
    given: dict[str, Value | None] = {}
    for item in instrument.items.values():
        if item.kind == "choice":
            codes = sorted(item.codes)
            weights = [ANSWER_WEIGHTS[min(place, len(ANSWER_WEIGHTS) - 1)] for place in range(len(codes))]
            given[item.id] = dice.choices(codes, weights)[0] if dice.random() > 0.02 else None
        elif item.kind == "list":
            given[item.id] = tuple(name for name in item.lists if dice.random() < 0.2)
    return dict(page_flow.fill_form(instrument, {}, facts, given).answers)

"""Statistics of a whole study: counted and stored by the worker, read by pages.

The count runs a fixed number of queries; a page runs one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from pro.app_context import AppContext, UnitOfWork
from pro.core.figures import study_figures
from pro.core.figures.study_figures import ExpectedFormCount, Figures, VisitRow
from pro.core.study_plan import StudyPlan
from pro.db import transaction
from pro.features.participants import consent_records
from pro.features.reports import study_symptoms
from pro.models import Alert, ExpectedForm, Participant, Score, StudyFigures

log = logging.getLogger(__name__)
# Statistics are renewed every minute, or less often, so that counting takes at most a hundredth of the time.
RENEWAL_INTERVAL, COUNTING_SHARE = timedelta(minutes=1), 100


@dataclass(frozen=True, slots=True)
class StoredFigures:
    """The statistics of a study at the time ``at``; ``late``: their renewal is overdue."""

    figures: Figures
    at: datetime
    late: bool


def latest_figures(work: UnitOfWork, plan_id: str) -> StoredFigures | None:
    """Return the newest statistics.

    Returns None if there are none yet, or if another version of the program stored them.
    """
    row = work.session.get(StudyFigures, plan_id)
    if row is None:
        return None
    try:
        figures = study_figures.figures_from_json(row.figures)
    except (KeyError, TypeError, ValueError):
        return None
    return StoredFigures(figures, row.at, work.now - row.at > 2 * _renewal_interval(row) + timedelta(minutes=10))


def renew_due(app_context: AppContext) -> int:
    """Count and store statistics that are due; return the number of studies.

    Reads without blocking writers, then writes one row.
    """
    renewed = 0
    for plan in app_context.catalogue.plans.values():
        with Session(app_context.reader) as session:
            row = session.get(StudyFigures, plan.id)
            if row is not None and app_context.clock() - row.at < _renewal_interval(row):
                continue
            work = app_context.unit_of_work(session)
            start = perf_counter()
            figures = count_figures(work, plan)
            took = perf_counter() - start
        renewed += _store_figures(
            app_context,
            StudyFigures(
                plan=plan.id, at=work.now, computing_seconds=took, figures=study_figures.figures_to_json(figures)
            ),
        )
    return renewed


def _renewal_interval(row: StudyFigures) -> timedelta:
    return max(RENEWAL_INTERVAL, timedelta(seconds=COUNTING_SHARE * row.computing_seconds))


def _store_figures(app_context: AppContext, row: StudyFigures) -> int:
    try:
        with transaction(app_context.engine) as session:
            session.merge(row)
    except IntegrityError:
        return 0  # another worker stored the first row at the same time
    return 1


def count_figures(work: UnitOfWork, plan: StudyPlan) -> Figures:
    """Return all statistics of one study as of now, in sixteen queries."""
    order = (
        (*plan.instruments, *(visit.id for visit in plan.visit_schedule.visits))
        if plan.visit_schedule
        else plan.instruments
    )
    enrolled, active = work.session.execute(
        select(
            func.count(),
            func.count().filter(Participant.withdrawn_at.is_(None), Participant.died_at.is_(None)),
        ).where(Participant.plan == plan.id)
    ).one()
    excluded = consent_records.no_further_use(work, plan.id)
    mistakes = len(consent_records.enrolled_by_mistake(work, excluded))
    weeks = study_figures.last_mondays(work.now, plan.settings.time_zone)
    alerts = _alerts_by_week(work, plan)
    rules, loud = study_figures.rule_rows(alerts)
    periods, symptoms = study_symptoms.read_symptoms(work, plan, excluded)
    return Figures(
        enrolled=enrolled - mistakes,
        active=active,
        visits=study_figures.visit_rows(_visit_counts(work, plan, excluded), order),
        handling=_handling(work, plan),
        weeks=weeks,
        loud=loud,
        rules=rules,
        left_out=len(excluded) - mistakes,
        points=study_figures.score_points(_scores(work, plan, excluded), order),
        levels=study_figures.level_rows(alerts),
        responses=study_symptoms.read_response_times(work, plan),
        periods=periods,
        symptoms=symptoms,
        ulcers=study_symptoms.count_ulcers(work, plan) if plan.stopping_rule else None,
    )


def total_row(rows: Sequence[VisitRow]) -> VisitRow | None:
    """Return the total over all visits; None if no form was expected."""
    if not rows:
        return None
    unsaid = sum(dict(row.reasons).get("", 0) for row in rows)
    return VisitRow(
        *("", "", 0),
        in_window=sum(row.in_window for row in rows),
        late=sum(row.late for row in rows),
        missed=sum(row.missed for row in rows),
        partial=sum(row.partial for row in rows),
        reasons=(("", unsaid),) if unsaid else (),
    )


def _visit_counts(work: UnitOfWork, plan: StudyPlan, excluded: Sequence[int]) -> list[ExpectedFormCount]:
    """Return for all participants what ``expected_forms.count_compliance`` counts for one."""
    visit = (ExpectedForm.instrument, ExpectedForm.kind, ExpectedForm.number)
    received = ExpectedForm.received_at.is_not(None)
    late, partial, reason = ExpectedForm.out_of_window, ExpectedForm.partial, ExpectedForm.missing_reason
    query = (
        select(*visit, received, late, partial, reason, func.count())
        .join(Participant, Participant.id == ExpectedForm.participant_id)
        .where(Participant.plan == plan.id, Participant.id.not_in(excluded))
        .where(or_(received, and_(ExpectedForm.mandatory.is_(True), ExpectedForm.closes_at < work.now)))
        .group_by(*visit, received, late, partial, reason)
    )
    return [
        ExpectedFormCount(instrument, kind, number, came, was_late, begun, why, many)
        for instrument, kind, number, came, was_late, begun, why, many in work.session.execute(query)
    ]


def _minutes_between(
    work: UnitOfWork, since: ColumnElement[datetime], until: ColumnElement[datetime | None]
) -> ColumnElement[int]:
    """Return whole minutes between two columns."""
    if work.app_context.engine.dialect.name == "postgresql":
        return cast(func.floor(func.round(func.extract("epoch", until - since)) / 60), Integer)
    seconds = (func.julianday(until) - func.julianday(since)) * 86400
    return cast(func.round(seconds) / 60, Integer)


def _handling(work: UnitOfWork, plan: StudyPlan) -> tuple[study_figures.AlertHandling, ...]:
    """Return the times to acknowledgement and closure, and the open alerts, by level."""
    ours = select(Alert.level).join(Participant, Participant.id == Alert.participant_id)
    ours = ours.where(Participant.plan == plan.id, Alert.superseded_at.is_(None)).group_by(Alert.level)
    found = []
    for moment, by_people in (
        (Alert.acknowledged_at, Alert.acknowledged_at.is_not(None)),
        (Alert.closed_at, and_(Alert.closed_at.is_not(None), Alert.disposition != study_symptoms.CLOSED_AUTOMATICALLY)),
    ):
        minutes = _minutes_between(work, Alert.raised_at.expression, moment.expression)
        query = ours.add_columns(minutes, func.count()).where(by_people).group_by(minutes)
        found.append([(level, took, number) for level, took, number in work.session.execute(query)])
    is_open = Alert.closed_at.is_(None)
    left = ours.add_columns(func.count().filter(Alert.acknowledged_at.is_(None)), func.count()).where(is_open)
    waiting = {level: (unacknowledged, number) for level, unacknowledged, number in work.session.execute(left)}
    return study_figures.alert_handling(found[0], found[1], waiting)


def _alerts_by_week(work: UnitOfWork, plan: StudyPlan) -> list[tuple[str, int, int, int]]:
    """Return (rule, level, week from 0, number of alerts); weeks in the study's time zone."""
    zone = plan.settings.time_zone
    starts = [study_figures.week_start(monday, zone) for monday in study_figures.last_mondays(work.now, zone)]
    # Newest week first: the first condition that holds gives the week.
    week = case(*((Alert.raised_at >= starts[number], number) for number in reversed(range(len(starts)))))
    query = (
        select(Alert.rule, Alert.level, week, func.count())
        .join(Participant, Participant.id == Alert.participant_id)
        .where(Participant.plan == plan.id, Alert.superseded_at.is_(None), Alert.raised_at >= starts[0])
        .group_by(Alert.rule, Alert.level, week)
    )
    return [(rule, level, number, many) for rule, level, number, many in work.session.execute(query)]


def _scores(
    work: UnitOfWork, plan: StudyPlan, excluded: Sequence[int]
) -> list[tuple[str, str, int, str, float | None, int]]:
    """Return (instrument, kind, number, scale, newest score or None, count).

    Only forms that were received within their window count.
    """
    visit = (ExpectedForm.instrument, ExpectedForm.kind, ExpectedForm.number)
    newer = aliased(Score)
    newer_scores = select(newer.id).where(
        newer.assessment_id == Score.assessment_id, newer.scale == Score.scale, newer.id > Score.id
    )
    query = (
        select(*visit, Score.scale, Score.value, func.count())
        .join(Participant, Participant.id == ExpectedForm.participant_id)
        .join(Score, Score.assessment_id == ExpectedForm.assessment_id)
        .where(Participant.plan == plan.id, Participant.id.not_in(excluded))
        .where(ExpectedForm.received_at.is_not(None), ExpectedForm.out_of_window.is_(False))
        .where(~newer_scores.exists())
        .group_by(*visit, Score.scale, Score.value)
    )
    return [
        (instrument, kind, number, scale, value, many)
        for instrument, kind, number, scale, value, many in work.session.execute(query)
    ]

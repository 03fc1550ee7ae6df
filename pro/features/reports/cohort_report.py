"""A whole study in figures: counted by the worker, in a fixed number of queries, kept, and read by a page in one."""

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
from pro.core.figures import cohort_figures
from pro.core.figures.cohort_figures import Figures, LedgerCount
from pro.core.study_plan import Plan
from pro.db import transaction
from pro.features.participants import consent_ledger
from pro.models import Alert, Cohort, Expected, Participant, Score

log = logging.getLogger(__name__)
# Figures are renewed every minute; where counting takes long, so seldom that it takes a hundredth of the time.
EVERY, SHARE = timedelta(minutes=1), 100
# What closed by itself says nothing about how long people need.
BY_ITSELF = "closed_itself"


@dataclass(frozen=True, slots=True)
class Kept:
    """The figures of a study as they stood ``at``. ``late``: they should have been renewed long ago."""

    figures: Figures
    at: datetime
    late: bool


def latest_figures(work: UnitOfWork, plan_id: str) -> Kept | None:
    """What was counted last; None if nothing was yet, or by another version of the program."""
    row = work.session.get(Cohort, plan_id)
    if row is None:
        return None
    try:
        figures = cohort_figures.figures_from(row.figures)
    except (KeyError, TypeError, ValueError):
        return None
    return Kept(figures, row.at, work.now - row.at > 2 * _pause(row) + timedelta(minutes=10))


def renew_due(house: AppContext) -> int:
    """Count and keep what is due; how many studies. Reads without keeping a writer waiting, then writes one row."""
    renewed = 0
    for plan in house.catalogue.plans.values():
        with Session(house.reader) as session:
            row = session.get(Cohort, plan.id)
            if row is not None and house.clock() - row.at < _pause(row):
                continue
            work = house.work(session)
            start = perf_counter()
            figures = count(work, plan)
            took = perf_counter() - start
        renewed += _keep(house, Cohort(plan=plan.id, at=work.now, took=took, figures=cohort_figures.kept(figures)))
    return renewed


def _pause(row: Cohort) -> timedelta:
    return max(EVERY, timedelta(seconds=SHARE * row.took))


def _keep(house: AppContext, row: Cohort) -> int:
    try:
        with transaction(house.engine) as session:
            session.merge(row)
    except IntegrityError:
        return 0  # another worker counted them at the same moment for the first time
    return 1


def count(work: UnitOfWork, plan: Plan) -> Figures:
    """Every figure of one study as it stands now, in eight queries however many participants there are."""
    order = (*plan.instruments, *(visit.id for visit in plan.calendar.visits)) if plan.calendar else plan.instruments
    enrolled, active = work.session.execute(
        select(
            func.count(),
            func.count().filter(Participant.withdrawn_at.is_(None), Participant.died_at.is_(None)),
        ).where(Participant.plan == plan.id)
    ).one()
    out = consent_ledger.no_further_use(work, plan.id)
    weeks = cohort_figures.mondays(work.now, plan.settings.time_zone)
    rules, loud = cohort_figures.rule_rows(_by_week(work, plan))
    return Figures(
        enrolled=enrolled,
        active=active,
        visits=cohort_figures.visit_rows(_lines(work, plan, out), order),
        handling=_handling(work, plan),
        weeks=weeks,
        loud=loud,
        rules=rules,
        left_out=len(out),
        points=cohort_figures.points(_scores(work, plan, out), order),
    )


def _lines(work: UnitOfWork, plan: Plan, out: Sequence[int]) -> list[LedgerCount]:
    """What ``form_ledger.counts`` counts for one participant, for all of them."""
    visit = (Expected.instrument, Expected.kind, Expected.number)
    received = Expected.served_at.is_not(None)
    late, partial, reason = Expected.out_of_window, Expected.partial, Expected.missing_reason
    query = (
        select(*visit, received, late, partial, reason, func.count())
        .join(Participant, Participant.id == Expected.participant_id)
        .where(Participant.plan == plan.id, Participant.id.not_in(out))
        .where(or_(received, and_(Expected.mandatory.is_(True), Expected.closes_at < work.now)))
        .group_by(*visit, received, late, partial, reason)
    )
    return [
        LedgerCount(instrument, kind, number, came, was_late, begun, why, many)
        for instrument, kind, number, came, was_late, begun, why, many in work.session.execute(query)
    ]


def _minutes(
    work: UnitOfWork, since: ColumnElement[datetime], until: ColumnElement[datetime | None]
) -> ColumnElement[int]:
    """Whole minutes between two columns."""
    if work.house.engine.dialect.name == "postgresql":
        return cast(func.floor(func.round(func.extract("epoch", until - since)) / 60), Integer)
    seconds = (func.julianday(until) - func.julianday(since)) * 86400
    return cast(func.round(seconds) / 60, Integer)


def _handling(work: UnitOfWork, plan: Plan) -> tuple[cohort_figures.Handling, ...]:
    ours = select(Alert.level).join(Participant, Participant.id == Alert.participant_id)
    ours = ours.where(Participant.plan == plan.id, Alert.superseded_at.is_(None)).group_by(Alert.level)
    found = []
    for moment, by_people in (
        (Alert.acknowledged_at, Alert.acknowledged_at.is_not(None)),
        (Alert.resolved_at, and_(Alert.resolved_at.is_not(None), Alert.disposition != BY_ITSELF)),
    ):
        minutes = _minutes(work, Alert.raised_at.expression, moment.expression)
        query = ours.add_columns(minutes, func.count()).where(by_people).group_by(minutes)
        found.append([(level, took, number) for level, took, number in work.session.execute(query)])
    is_open = Alert.resolved_at.is_(None)
    left = ours.add_columns(func.count().filter(Alert.acknowledged_at.is_(None)), func.count()).where(is_open)
    waiting = {level: (untaken, number) for level, untaken, number in work.session.execute(left)}
    return cohort_figures.handling(found[0], found[1], waiting)


def _by_week(work: UnitOfWork, plan: Plan) -> list[tuple[str, int, int, int]]:
    """(rule, level, week from 0, how many alerts), the weeks by the study's own time."""
    zone = plan.settings.time_zone
    starts = [cohort_figures.begins(monday, zone) for monday in cohort_figures.mondays(work.now, zone)]
    # The newest first: the first that fits is the week.
    week = case(*((Alert.raised_at >= starts[number], number) for number in reversed(range(len(starts)))))
    query = (
        select(Alert.rule, Alert.level, week, func.count())
        .join(Participant, Participant.id == Alert.participant_id)
        .where(Participant.plan == plan.id, Alert.superseded_at.is_(None), Alert.raised_at >= starts[0])
        .group_by(Alert.rule, Alert.level, week)
    )
    return [(rule, level, number, many) for rule, level, number, many in work.session.execute(query)]


def _scores(work: UnitOfWork, plan: Plan, out: Sequence[int]) -> list[tuple[str, str, int, str, float | None, int]]:
    """(instrument, kind, number, scale, newest score or None, how many) of forms that came in their window."""
    visit = (Expected.instrument, Expected.kind, Expected.number)
    newer = aliased(Score)
    again = select(newer.id).where(
        newer.assessment_id == Score.assessment_id, newer.scale == Score.scale, newer.id > Score.id
    )
    query = (
        select(*visit, Score.scale, Score.value, func.count())
        .join(Participant, Participant.id == Expected.participant_id)
        .join(Score, Score.assessment_id == Expected.assessment_id)
        .where(Participant.plan == plan.id, Participant.id.not_in(out))
        .where(Expected.served_at.is_not(None), Expected.out_of_window.is_(False))
        .where(~again.exists())
        .group_by(*visit, Score.scale, Score.value)
    )
    return [
        (instrument, kind, number, scale, value, many)
        for instrument, kind, number, scale, value, many in work.session.execute(query)
    ]

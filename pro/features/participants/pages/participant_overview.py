"""Data of the tab Overview: what needs doing, the last symptoms, four scales, treatment, known facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.core.figures import plot_geometry, symptom_heatmap
from pro.core.figures.symptom_heatmap import HeatmapForm, HeatmapRow
from pro.core.questionnaire.clinical_importance import ScoreChange
from pro.core.questionnaire.instrument import Words
from pro.features.alerts import stable_symptoms
from pro.features.alerts.stable_symptoms import StableItem
from pro.features.participants import clinical_facts
from pro.features.reports import answer_history, score_trends
from pro.features.reports.answer_history import AnswerHistory, HistoryForm
from pro.features.reports.score_trends import ScoreSeries, ScoreTrends
from pro.features.schedule import expected_forms, visit_schedule
from pro.features.schedule.expected_forms import ComplianceCounts
from pro.features.schedule.visit_schedule import TREATMENT, DateKind
from pro.models import Assessment, Endoscopy, Participant, ParticipantCard
from pro.web import request_context
from pro.web.refusals import N_

# The published classes of a change (Cocks 2012).
SIZES = {
    "trivial": N_("trivial"),
    "small": N_("small"),
    "medium": N_("medium"),
    "large": N_("large"),
}

LAST_CHECKINS = 7
# Of an instrument with more scales, those that say most at a glance; the tab Timeline has all.
FIRST_SCALES = ("QL", "PF", "FA", "PA")


@dataclass(frozen=True, slots=True)
class LastSymptoms:
    """The symptoms of the last check-ins, oldest first.

    ``forms``: the check-ins. ``rows``: one for each symptom that was not always the mildest. ``quiet``: the number of
    the others that were asked.
    """

    forms: tuple[HistoryForm, ...]
    rows: tuple[HeatmapRow, ...]
    quiet: int
    words: Words


@dataclass(frozen=True, slots=True)
class TreatmentLine:
    """One kind of treatment date. ``number`` of ``most`` was given last, on ``on``; None if only the next is known.

    ``next_on``: the next date; ``next_planned``: staff planned it, so that it is not only projected.
    """

    title: str
    number: int
    most: int
    on: date | None
    next_on: date | None
    next_planned: bool


@dataclass(frozen=True, slots=True)
class LastWeight:
    """The last reported weight in kilograms, and the percent lost since the baseline (None: no baseline)."""

    kilograms: Decimal
    on: date
    lost_percent: float | None


@dataclass(frozen=True, slots=True)
class ParticipantOverview:
    """Data of the tab. ``papers``: forms to verify, as (id, title). ``ulcer``: current ulcer status."""

    symptoms: LastSymptoms | None
    scores: ScoreTrends | None
    treatment: tuple[TreatmentLine, ...]
    stable: tuple[StableItem, ...]
    counts: ComplianceCounts
    weight: LastWeight | None
    papers: tuple[tuple[int, str], ...]
    ulcer: str
    endoscopy_requested: bool
    card_locked: bool


def read_overview(work: UnitOfWork, participant: Participant, language: str) -> tuple[ParticipantOverview, date]:
    """Return the data of the tab and the day from which weeks are counted.

    The number of queries does not depend on the number of forms.
    """
    record = answer_history.read_history(work, participant, language)
    found = ParticipantOverview(
        symptoms=_last_symptoms(work, record, language),
        scores=_first_scales(score_trends.read_score_trends(work, record, language)),
        treatment=_treatment(work, participant, language),
        stable=tuple(stable_symptoms.stable_marks(work, participant, language)),
        counts=expected_forms.count_compliance(record.lines),
        weight=_last_weight(work, record),
        papers=_papers(work, participant, language),
        ulcer=str(clinical_facts.current_fact(work, participant.id, "ulcer_status") or "none"),
        endoscopy_requested=_is_endoscopy_requested(work, participant),
        card_locked=_is_card_locked(work, participant),
    )
    return found, record.origin


def _last_symptoms(work: UnitOfWork, record: AnswerHistory, language: str) -> LastSymptoms | None:
    """Return the symptoms of the last check-ins, one column for each; None without an answered one."""
    name = score_trends.checkin_of(work, record)
    forms = tuple(record.of(name)[-LAST_CHECKINS:])
    if not forms:
        return None
    said = [HeatmapForm(column, form.answers, form.asked) for column, form in enumerate(forms)]
    rows = symptom_heatmap.heatmap_rows(work.catalogue.shown_instrument(name), said, (), range(len(forms)))
    quiet = [row for row in rows if row.quiet and any(cell.state == "given" for cell in row.cells)]
    return LastSymptoms(
        forms, tuple(row for row in rows if not row.quiet), len(quiet), work.catalogue.words[name, language]
    )


def _first_scales(trends: Sequence[ScoreTrends]) -> ScoreTrends | None:
    """Return the first scored instrument with at most four of its scales; None before the first score."""
    for one in trends:
        if any(series.last is not None for series in one.series):
            chosen = [series for name in FIRST_SCALES for series in one.series if series.scale == name]
            return ScoreTrends(
                one.instrument,
                one.title,
                one.moments,
                tuple(chosen or one.series[: len(FIRST_SCALES)]),
                one.importance,
            )
    return None


def _treatment(work: UnitOfWork, participant: Participant, language: str) -> tuple[TreatmentLine, ...]:
    """Return the kinds of treatment dates of which one is recorded or expected next."""
    plan = work.catalogue.plans.get(participant.plan)
    if plan is None or plan.visit_schedule is None:
        return ()
    dates = visit_schedule.read_treatment_dates(work, participant, language)
    kinds = [kind for kind in dates.group(TREATMENT) if kind.plannable]
    found = [_treatment_line(kind, participant.is_active) for kind in kinds]
    return tuple(one for one in found if one.on or one.next_on)


def _treatment_line(kind: DateKind, is_active: bool) -> TreatmentLine:
    past = [day for day in kind.recorded if not day.planned]
    last = max(past, key=lambda day: (day.on, day.number), default=None)
    coming = [(day.on, True) for day in kind.recorded if day.planned] + [(on, False) for _number, on in kind.coming]
    later = [one for one in coming if last is None or one[0] > last.on] if is_active else []
    next_on, is_planned = min(later, default=(None, False))
    return TreatmentLine(
        kind.title, last.number if last else 0, kind.most, last.on if last else None, next_on, is_planned
    )


def _last_weight(work: UnitOfWork, record: AnswerHistory) -> LastWeight | None:
    """Return the newest reported weight; None if the plan asks for none or none was reported."""
    rule = work.catalogue.shown_plan(record.participant.plan).pre_dose_summary
    if rule is None or not rule.weight:
        return None
    forms = record.of(rule.instrument)
    last = next((form for form in reversed(forms) if isinstance(form.answers.get(rule.weight), Decimal)), None)
    if last is None:
        return None
    kilograms = Decimal(str(last.answers[rule.weight]))
    start = record.baseline(rule.instrument)
    before = start.answers.get(rule.weight) if start is not None and start is not last else None
    lost = float((before - kilograms) / before * 100) if isinstance(before, Decimal) and before else None
    return LastWeight(kilograms, last.on, lost)


def _papers(work: UnitOfWork, participant: Participant, language: str) -> tuple[tuple[int, str], ...]:
    """Return the submitted paper forms that are not verified yet, as (id, title)."""
    query = select(Assessment.id, Assessment.instrument).where(
        Assessment.participant_id == participant.id,
        Assessment.completion_mode == "paper",
        Assessment.verified_at.is_(None),
        Assessment.submitted_at.is_not(None),
    )
    rows = work.session.execute(query.order_by(Assessment.id))
    return tuple((number, work.catalogue.staff_title(name, language)) for number, name in rows)


def _is_endoscopy_requested(work: UnitOfWork, participant: Participant) -> bool:
    query = select(func.count()).select_from(Endoscopy)
    mine = Endoscopy.participant_id == participant.id, Endoscopy.done_on.is_(None), Endoscopy.cancelled_at.is_(None)
    return bool(work.session.scalar(query.where(*mine)))


def _is_card_locked(work: UnitOfWork, participant: Participant) -> bool:
    query = select(ParticipantCard).where(ParticipantCard.participant_id == participant.id)
    card = work.session.scalar(query.order_by(ParticipantCard.id.desc()).limit(1))
    return card is not None and card.locked_at is not None and card.revoked_at is None


def template_functions() -> dict[str, Any]:
    """Return the functions that a template with plots of scores uses."""
    return {
        "day": format_day,
        "trend": plot_trend,
        "change_words": change_words,
        "class_words": class_words,
        "since": format_time_since,
    }


def format_day(on: date) -> str:
    """Return a date with its year, as staff read it."""
    return request_context.when(datetime.combine(on, time(12), tzinfo=UTC), N_("d MMM y"))


def format_time_since(on: date, origin: date, long: bool) -> str:
    """Return the week or month of a date since ``origin``, for the ends of a small plot."""
    gettext = request_context.translator().gettext
    if on < origin:
        return gettext("before treatment")
    if long:
        return gettext("month %(number)s", number=(on - origin).days // 30 + 1)
    return gettext("week %(number)s", number=week_number(on, origin))


def plot_trend(series: ScoreSeries) -> plot_geometry.TrendPlot:
    """Return the drawing of one scale."""
    return plot_geometry.trend_plot(series.values, series.baseline, series.threshold, series.good)


def change_words(change: ScoreChange | None) -> str:
    """Return the change since baseline in words; "" if one of both scores is missing."""
    gettext = request_context.translator().gettext
    if change is None:
        return ""
    points = f"{abs(change.points):.0f}"
    if change.way == "worse":
        return gettext("worse by %(points)s", points=points)
    if change.way == "better":
        return gettext("better by %(points)s", points=points)
    return gettext("about the same")


def class_words(scores: ScoreTrends, change: ScoreChange | None) -> str:
    """Return the published class of a change with its source; "" if there is none."""
    if change is None or not change.size or scores.importance is None:
        return ""
    gettext = request_context.translator().gettext
    size = gettext(SIZES[change.size])
    return gettext("%(source)s: %(size)s", source=scores.importance.change_source.name, size=size)


def week_number(on: date, origin: date) -> int:
    """Return the week of a date since ``origin``, from 1; 0 before it."""
    return max(0, (on - origin).days // 7 + 1)

"""The staff page of the study overview: key figures, symptoms, scores, response times, alerts, completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from pro.core.figures import study_figures as shapes
from pro.core.figures.response_times import ResponseTimes
from pro.core.figures.study_figures import Figures, ScorePoint, VisitRow
from pro.core.figures.symptom_shares import SymptomPeriod, SymptomShareRow
from pro.core.questionnaire import clinical_importance
from pro.core.questionnaire.instrument import Instrument
from pro.core.schedule import visit_columns
from pro.core.study_plan import StudyPlan
from pro.exports import study_chart
from pro.features.accounts.pages.page_guard import SignedInStaff, staff_page
from pro.features.alerts import alert_list
from pro.features.reports import study_overview
from pro.features.reports.study_overview import StoredFigures
from pro.web import request_context
from pro.web.labels import waiting_time
from pro.web.refusals import N_

pages = Blueprint("study_overview", __name__, url_prefix="/study-overview")

# Scales that are drawn first; the others are folded.
FIRST_SCALES = ("C30SUMMARY", "QL", "PF", "SF", "FA", "PA", "AP", "SL")
# Symptoms that are shown at once, those with the highest shares.
SYMPTOMS_SHOWN = 12
# Below this compliance a visit is listed first.
LOW_COMPLIANCE = 0.9
# Lower bounds of the shades of the symptom table, in percent.
SHADES = (1, 25, 50, 75)


@dataclass(frozen=True, slots=True)
class ScaleTrend:
    """One scale over the visits up to month 6: drawing, heads of the visits, and the figures behind it.

    ``points``: of every visit at which the instrument was scored, for the table.
    """

    scale: str
    plot: study_chart.MedianPlot
    heads: tuple[str, ...]
    drawn: tuple[ScorePoint, ...]
    points: tuple[ScorePoint, ...]

    @property
    def last(self) -> shapes.Quartiles | None:
        """Return the newest median that is drawn."""
        spreads = [point.spread for point in self.drawn if point.spread]
        shown = [spread for spread in spreads if spread.n >= study_chart.LEAST_DRAWN]
        return shown[-1] if shown else None


@staff_page(
    pages,
    "",
    endpoint="show",
    right="see_study_overview",
    title=N_("Study overview"),
    menu=35,
    way_back=N_("the study overview"),
)
def show_study_overview(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the latest figures, without identities. ``plan`` in the address: the study."""
    plans = request_context.app_context().catalogue.plans
    plan = plans.get(request.args.get("plan", ""), next(iter(plans.values())))
    kept = study_overview.latest_figures(request_context.work(), plan.id)
    shown: dict[str, Any] = {"study": plan, "plans": plans, "kept": kept}
    if kept is not None:
        shown |= _figures_shown(plan, kept)
    return render_template("reports/study_overview.html", **shown)


def _figures_shown(plan: StudyPlan, kept: StoredFigures) -> dict[str, Any]:
    """Return the values of the template."""
    found = kept.figures
    over = [place for place, count in enumerate(found.loud) if plan.alert_limit and count > plan.alert_limit]
    levels = [(row.level, row.weeks) for row in found.levels]
    trends = _scale_trends(found, plan)
    first, other = _first_symptoms(found.symptoms)
    checkin = plan.checkin
    return {
        "figures": found,
        "total": study_overview.total_row(found.visits),
        "drawn": study_chart.week_chart(found.weeks, levels, plan.alert_limit),
        "over": len(over),
        "busiest": shapes.most_frequent_rule(found, over or range(len(found.weeks))),
        "trends": [trend for trend in trends if trend.scale in FIRST_SCALES] or trends[:8],
        "more_trends": [trend for trend in trends if trend.scale not in FIRST_SCALES] if trends else [],
        "all_trends": trends,
        "symptoms": first,
        "more_symptoms": other,
        "item_words": request_context.app_context().catalogue.words[checkin, request_context.language()].items
        if checkin
        else {},
        "contact": next((row for row in found.responses if row.step == "contact"), None),
        "responses": [(row, study_chart.response_plot(row.dots, row.limit)) for row in found.responses],
        "low": [row for row in found.visits if row.compliance < LOW_COMPLIANCE],
        "ticks": [(study_chart.minutes_x(minutes), words) for minutes, words in _axis_words()],
        "title": visit_title,
        "period_shown": lambda period: _period_shown(plan, period),
        "phase_of": lambda period: _phase_shown(plan, period.phase),
        "shade": _shade,
        "lasted": duration_shown,
        "limit_shown": lambda row: _limit_shown(plan, row),
        "rule_sentence": rule_sentence,
        "groups_of": lambda periods: [
            (phase, len(list(of))) for phase, of in groupby(periods, key=lambda period: period.phase)
        ],
        "importance": _importance_source(trends),
    }


def visit_title(plan: StudyPlan, row: VisitRow | ScorePoint) -> tuple[str, str]:
    """Return instrument and visit in the reader's language.

    A visit that the plan no longer has is shown by its stored name.
    """
    language, catalogue = request_context.language(), request_context.app_context().catalogue
    words = catalogue.plan_words[plan.id, language]
    visit = words.visit(row.kind, row.number) if row.kind in words.visits else f"{row.kind} {row.number}"
    return catalogue.staff_title(row.instrument, language), visit


def rule_sentence(plan_id: str, rule: str) -> str:
    """Return a rule in the reader's words."""
    return alert_list.rule_sentence(request_context.work(), plan_id, rule, request_context.language())


def duration_shown(minutes: float) -> str:
    """Return a duration in minutes as words."""
    now = request_context.work().now
    return waiting_time(now - timedelta(minutes=round(minutes)), now)


def _axis_words() -> list[tuple[int, str]]:
    """Return (minutes, words) of the ticks of the axis of response times."""
    return [(minutes, duration_shown(minutes)) for minutes in (1, 10, 60, 240, 1440, 10_080)]


def _limit_shown(plan: StudyPlan, row: ResponseTimes) -> str:
    """Return the time limit of a row of response times in words.

    Without a fixed limit it is the first escalation step of the level that comes after the alert.
    """
    say = request_context.translator().gettext
    if row.limit:
        return say(N_("within %(time)s"), time=duration_shown(row.limit))
    step = next((step for step in plan.escalation_steps if step.level == row.level and not step.at_once), None)
    if step is None or not step.working_hours:
        return ""
    if step.next_day is None:
        return say(N_("within %(hours)s working hours"), hours=step.working_hours)
    return say(
        N_("within %(hours)s working hours, at the latest %(at)s on the next day"),
        hours=step.working_hours,
        at=f"{step.next_day:%H:%M}",
    )


def _period_shown(plan: StudyPlan, period: SymptomPeriod) -> str:
    """Return the head of a column of the symptom table."""
    if not period.first:
        return _phase_shown(plan, period.phase)
    if not period.last:
        return f"≥{period.first}"
    return str(period.first) if period.first == period.last else f"{period.first}–{period.last}"


def _phase_shown(plan: StudyPlan, phase: str) -> str:
    words = request_context.app_context().catalogue.plan_words[plan.id, request_context.language()]
    return words.phases[phase] if phase else request_context.translator().gettext(N_("Before treatment"))


def _shade(share: float | None) -> int:
    """Return the shade of a share: 0 without one, up to 4."""
    return sum(round(100 * share) >= bound for bound in SHADES) if share is not None else 0


def _first_symptoms(rows: Sequence[SymptomShareRow]) -> tuple[list[SymptomShareRow], list[SymptomShareRow]]:
    """Return the symptoms with the highest shares in the order of the check-in, and the others."""
    ranked = sorted(rows, key=lambda row: -row.highest)[:SYMPTOMS_SHOWN]
    chosen = {row.item for row in ranked if row.highest}
    return [row for row in rows if row.item in chosen], [row for row in rows if row.item not in chosen]


def _importance_source(trends: Sequence[ScaleTrend]) -> str:
    """Return the source of the thresholds that are drawn; "" if none is."""
    importance = request_context.app_context().catalogue.importance
    names = [trend.points[0].instrument for trend in trends if trend.plot.zone]
    return importance[names[0]].threshold_source.name if names else ""


def _scale_trends(found: Figures, plan: StudyPlan) -> list[ScaleTrend]:
    """Return a trend for each scale, in the instrument's order with the first scales on top."""
    trends = []
    columns = visit_columns.list_columns(plan.visit_schedule) if plan.visit_schedule else ()
    course = {column.key: column for column in columns if column.part == visit_columns.COURSE}
    order = {key: place for place, key in enumerate(course)}
    for name, group in groupby(found.points, key=lambda point: point.instrument):
        points = list(group)
        instrument = request_context.app_context().catalogue.instruments.get(name)
        if instrument is None or name not in plan.instruments:
            continue
        visits = list(dict.fromkeys((point.kind, point.number) for point in points))
        drawn = sorted((key for key in visits if key in course), key=lambda key: order[key])
        there = {(point.scale, point.kind, point.number): point for point in points}
        for scale in (*instrument.scales, *([instrument.summary.id] if instrument.summary else [])):
            row = {key: there.get((scale, *key), ScorePoint(name, *key, scale, None, 0)) for key in visits}
            shown = tuple(row[key] for key in drawn)
            trends.append(
                ScaleTrend(
                    scale,
                    _median_plot(instrument, scale, shown),
                    tuple(_head(plan, course[key]) for key in drawn),
                    shown,
                    tuple(row.values()),
                )
            )
    rank = {scale: place for place, scale in enumerate(FIRST_SCALES)}
    return sorted(trends, key=lambda trend: rank.get(trend.scale, len(rank)))


def _head(plan: StudyPlan, column: visit_columns.VisitColumn) -> str:
    """Return the short name of a visit below a drawing."""
    words = request_context.app_context().catalogue.plan_words[plan.id, request_context.language()]
    return words.column(column.kind, column.number, column.days)


def _median_plot(instrument: Instrument, scale: str, points: Sequence[ScorePoint]) -> study_chart.MedianPlot:
    known = request_context.app_context().catalogue.importance.get(instrument.id)
    threshold = known.thresholds.get(scale) if known else None
    better = clinical_importance.is_higher_better(instrument, scale)
    return study_chart.median_plot([point.spread for point in points], threshold, higher_is_better=better)

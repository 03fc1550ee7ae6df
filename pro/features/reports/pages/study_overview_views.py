"""The staff page of the study overview: compliance, waiting times, alerts, scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from pro.core.figures import study_figures as shapes
from pro.core.figures.study_figures import Figures, ScorePoint, VisitRow
from pro.core.study_plan import StudyPlan
from pro.exports import study_chart
from pro.features.accounts.pages.page_guard import SignedInStaff, staff_page
from pro.features.alerts import alert_list
from pro.features.reports import study_overview
from pro.web import request_context
from pro.web.labels import waiting_time
from pro.web.refusals import N_

pages = Blueprint("study_overview", __name__, url_prefix="/study-overview")


@dataclass(frozen=True, slots=True)
class ScaleTrend:
    """One scale over the visits at which it was scored: drawing, and the figures behind it."""

    scale: str
    plot: study_chart.MedianPlot
    points: tuple[ScorePoint, ...]


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
    if kept is None:
        return render_template("reports/study_overview.html", study=plan, kept=None, plans=plans)
    found = kept.figures
    over = [place for place, count in enumerate(found.loud) if plan.alert_limit and count > plan.alert_limit]
    return render_template(
        "reports/study_overview.html",
        study=plan,
        plans=plans,
        kept=kept,
        figures=found,
        total=_total_row(found.visits),
        drawn=study_chart.week_chart(found.weeks, found.loud, plan.alert_limit),
        over=len(over),
        busiest=shapes.most_frequent_rule(found, over or range(len(found.weeks))),
        trends=_scale_trends(found, plan),
        title=visit_title,
        lasted=duration_shown,
        rule_sentence=rule_sentence,
    )


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


def _total_row(rows: Sequence[VisitRow]) -> VisitRow | None:
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


def _scale_trends(found: Figures, plan: StudyPlan) -> list[ScaleTrend]:
    """Return a trend for each scale, in the instrument's order, all over the same visits."""
    trends = []
    for name, group in groupby(found.points, key=lambda point: point.instrument):
        points = list(group)
        instrument = request_context.app_context().catalogue.instruments.get(name)
        if instrument is None or name not in plan.instruments:
            continue
        visits = list(dict.fromkeys((point.kind, point.number) for point in points))
        there = {(point.scale, point.kind, point.number): point for point in points}
        for scale in (*instrument.scales, *([instrument.summary.id] if instrument.summary else [])):
            row = tuple(
                there.get((scale, kind, number), ScorePoint(name, kind, number, scale, None, 0))
                for kind, number in visits
            )
            trends.append(ScaleTrend(scale, study_chart.median_plot([point.spread for point in row]), row))
    return trends

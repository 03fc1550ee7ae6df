"""Scores over time and symptoms by week, as values for drawings and for the tables behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pro.app_context import UnitOfWork
from pro.core.figures import symptom_heatmap
from pro.core.figures.symptom_heatmap import HeatmapAnswer, HeatmapRow
from pro.core.questionnaire import score_importance
from pro.core.questionnaire.instrument import Instrument, Words
from pro.core.questionnaire.score_importance import Importance, ScoreChange
from pro.features.participants.treatment_dates import local_date
from pro.features.reports.answer_history import HistoryForm, Record, Scored

MISSED = "missed"
# Columns of one table: as many weeks as a desk's screen and a sheet of A4 have room for.
BLOCK = 26


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of time of a scored instrument: a form, or (``form`` None) a mandatory visit that was missed."""

    on: date
    title: str
    form: HistoryForm | None
    baseline: bool

    def score(self, scale: str) -> Scored | None:
        """The score of ``scale``; None for a missed form or one that was not scored."""
        return self.form.scores.get(scale) if self.form else None

    def value(self, scale: str) -> float | None:
        """Its value; None where it is missing."""
        score = self.score(scale)
        return score.value if score else None


@dataclass(frozen=True, slots=True)
class ScoreSeries:
    """One scale. ``values`` in order; ``last``: the newest known; ``change``: from ``baseline`` to it.

    ``good``: high is good. ``important``: does ``last`` lie on the important side (None: no threshold known).
    """

    scale: str
    good: bool
    values: tuple[tuple[date, float | None], ...]
    baseline: float | None
    last: float | None
    threshold: int | None
    important: bool | None
    change: ScoreChange | None


@dataclass(frozen=True, slots=True)
class Scores:
    """Everything about the scores of one instrument."""

    instrument: str
    title: str
    moments: tuple[Moment, ...]
    series: tuple[ScoreSeries, ...]
    importance: Importance | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its week (0: the baseline), or ``today``."""

    week: int
    today: bool


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the heat map: so many columns, and every row over them."""

    columns: tuple[Column, ...]
    rows: tuple[HeatmapRow, ...]

    @property
    def first(self) -> int:
        """The first week; the baseline has none of its own."""
        return max(1, self.columns[0].week)

    @property
    def last(self) -> int:
        """The last week; today counts to the week that it is in."""
        return max(1, self.columns[-1].week - self.columns[-1].today)


@dataclass(frozen=True, slots=True)
class Heat:
    """The symptoms by week, the newest block first. ``quiet``: short names of items that were always the mildest."""

    title: str
    blocks: tuple[Block, ...]
    quiet: tuple[str, ...]
    words: Words


def scores(work: UnitOfWork, record: Record, language: str) -> list[Scores]:
    """The trends of every instrument of the plan that has scales."""
    plan = work.catalogue.plans[record.participant.plan]
    found = []
    for name in plan.instruments:
        instrument = work.catalogue.instruments[name]
        if instrument.scales:
            moments = _moments(record, name)
            title = work.catalogue.words[name, language].title
            known = work.catalogue.importance.get(name)
            series = tuple(_series(instrument, scale, moments, known) for scale in _scales(instrument))
            found.append(Scores(name, title, moments, series, known))
    return found


def symptoms(work: UnitOfWork, record: Record, language: str) -> Heat:
    """The heat map of the plan's check-in: only weeks in which something was asked."""
    name = work.catalogue.plans[record.participant.plan].instruments[0]
    instrument = work.catalogue.instruments[name]
    words = work.catalogue.words[name, language]
    # Today is no week: it stands behind all of them.
    now = symptom_heatmap.week_of(record.today, record.origin) + 1
    said = [HeatmapAnswer(_column(record, form, now), form.answers, form.asked) for form in record.of(name)]
    missed = {
        _week(record, line.expected.due_at)
        for line in record.lines
        if line.expected.instrument == name and line.expected.mandatory and line.status == MISSED
    }
    shown = sorted({form.column for form in said} | missed)
    rows = symptom_heatmap.rows(instrument, said, missed, shown)
    loud = [row for row in rows if not row.quiet]
    quiet = tuple(words.items[row.item].short for row in rows if row.quiet and _was_asked(row))
    blocks = []
    size = -(-len(shown) // -(-len(shown) // BLOCK)) if shown else BLOCK
    # Counted from the end: the newest block, which is looked at first, is a whole one.
    for end in range(len(shown), 0, -size):
        cut = slice(max(0, end - size), end)
        columns = tuple(Column(week, week == now) for week in shown[cut])
        blocks.append(Block(columns, tuple(HeatmapRow(row.item, row.cells[cut], row.quiet) for row in loud)))
    return Heat(words.title, tuple(blocks), quiet, words)


def _was_asked(row: HeatmapRow) -> bool:
    return any(cell.state == "given" for cell in row.cells)


def _column(record: Record, form: HistoryForm, now: int) -> int:
    if form.baseline:
        return symptom_heatmap.BASELINE
    return now if form.on == record.today else symptom_heatmap.week_of(form.on, record.origin)


def _week(record: Record, due_at: datetime) -> int:
    return symptom_heatmap.week_of(local_date(due_at, record.participant.time_zone), record.origin)


def _scales(instrument: Instrument) -> list[str]:
    summary = [instrument.summary.id] if instrument.summary else []
    return [*summary, *instrument.scales]


def _moments(record: Record, instrument: str) -> tuple[Moment, ...]:
    baseline = record.baseline(instrument)
    zone = record.participant.time_zone
    found = [
        Moment(form.on, form.visits[0] if form.visits else "", form, form is baseline)
        for form in record.of(instrument)
        if form.sent
    ]
    found += [
        Moment(local_date(line.expected.due_at, zone), line.title, None, False)
        for line in record.lines
        if line.expected.instrument == instrument and line.expected.mandatory and line.status == MISSED
    ]
    return tuple(sorted(found, key=lambda moment: moment.on))


def _series(instrument: Instrument, scale: str, moments: Sequence[Moment], known: Importance | None) -> ScoreSeries:
    values = tuple((moment.on, moment.value(scale)) for moment in moments)
    start = next((index for index, moment in enumerate(moments) if moment.baseline), None)
    baseline = values[start][1] if start is not None else None
    last = next((index for index in reversed(range(len(values))) if values[index][1] is not None), None)
    value = values[last][1] if last is not None else None
    change = None
    if known and baseline is not None and value is not None and last is not None and start is not None and last > start:
        change = score_importance.change(known, instrument, scale, baseline, value)
    return ScoreSeries(
        scale=scale,
        good=score_importance.high_is_good(instrument, scale),
        values=values,
        baseline=baseline,
        last=value,
        threshold=known.thresholds.get(scale) if known else None,
        important=score_importance.is_important(known, instrument, scale, value)
        if known and value is not None
        else None,
        change=change,
    )

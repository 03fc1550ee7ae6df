"""Read score trends and the symptom heat map, as values for figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pro.app_context import UnitOfWork
from pro.core.figures import symptom_heatmap
from pro.core.figures.symptom_heatmap import HeatmapForm, HeatmapRow
from pro.core.questionnaire import clinical_importance
from pro.core.questionnaire.clinical_importance import ClinicalImportance, ScoreChange
from pro.core.questionnaire.instrument import Instrument, Words
from pro.features.participants.treatment_dates import local_date
from pro.features.reports.answer_history import AnswerHistory, HistoryForm, RecordedScore

MISSED = "missed"
# Columns of one table: the number of weeks that a screen and an A4 page have room for.
MAX_COLUMNS = 26


@dataclass(frozen=True, slots=True)
class ScoreDate:
    """One date of a scored instrument: a form, or a missed mandatory visit (``form`` None)."""

    on: date
    title: str
    form: HistoryForm | None
    baseline: bool

    def score(self, scale: str) -> RecordedScore | None:
        """Return the score of ``scale``; None for a missed or unscored form."""
        return self.form.scores.get(scale) if self.form else None

    def value(self, scale: str) -> float | None:
        """Return the score's value; None if it is missing."""
        score = self.score(scale)
        return score.value if score else None


@dataclass(frozen=True, slots=True)
class ScoreSeries:
    """One scale over time.

    ``values``: in order of date. ``last``: the newest value; ``change``: from ``baseline`` to it. ``good``: a high
    score is good. ``important``: ``last`` passes the threshold of clinical importance (None: no threshold is known).
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
class ScoreTrends:
    """The scores of one instrument."""

    instrument: str
    title: str
    moments: tuple[ScoreDate, ...]
    series: tuple[ScoreSeries, ...]
    importance: ClinicalImportance | None


@dataclass(frozen=True, slots=True)
class HeatmapColumn:
    """One column: its week (0: the baseline), or ``today``."""

    week: int
    today: bool


@dataclass(frozen=True, slots=True)
class HeatmapBlock:
    """A part of the heat map: some columns, and every row over them."""

    columns: tuple[HeatmapColumn, ...]
    rows: tuple[HeatmapRow, ...]

    @property
    def first(self) -> int:
        """The first week; the baseline counts to week 1."""
        return max(1, self.columns[0].week)

    @property
    def last(self) -> int:
        """The last week; today counts to the week that it is in."""
        return max(1, self.columns[-1].week - self.columns[-1].today)


@dataclass(frozen=True, slots=True)
class SymptomHeatmap:
    """The symptoms by week, newest block first.

    ``quiet``: short names of items that always had the mildest answer.
    """

    title: str
    blocks: tuple[HeatmapBlock, ...]
    quiet: tuple[str, ...]
    words: Words


def read_score_trends(work: UnitOfWork, record: AnswerHistory, language: str) -> list[ScoreTrends]:
    """Return the trends of every instrument of the study plan that has scales."""
    plan = work.catalogue.shown_plan(record.participant.plan)
    found = []
    for name in record.instruments(plan):
        instrument = work.catalogue.shown_instrument(name)
        if instrument.scales:
            moments = _score_dates(record, name)
            title = work.catalogue.staff_title(name, language)
            known = work.catalogue.importance.get(name)
            series = tuple(_series(instrument, scale, moments, known) for scale in _scale_ids(instrument))
            found.append(ScoreTrends(name, title, moments, series, known))
    return found


def checkin_of(work: UnitOfWork, record: AnswerHistory) -> str:
    """Return the plan's check-in; without plan the first answered instrument that has no scales, or ""."""
    plan = work.catalogue.shown_plan(record.participant.plan)
    unscored = (name for name in record.instruments(plan) if not work.catalogue.shown_instrument(name).scales)
    return plan.checkin or next(unscored, "")


def read_heatmap(work: UnitOfWork, record: AnswerHistory, language: str) -> SymptomHeatmap:
    """Return the heat map of the study plan's check-in; weeks without a form are left out."""
    name = checkin_of(work, record)
    instrument = work.catalogue.shown_instrument(name)
    words = work.catalogue.words[name, language]
    # Today has its own column after all weeks.
    now = symptom_heatmap.week_of(record.today, record.origin) + 1
    said = [HeatmapForm(_column(record, form, now), form.answers, form.asked) for form in record.of(name)]
    missed = {
        _week(record, line.expected.due_at)
        for line in record.lines
        if line.expected.instrument == name and line.expected.mandatory and line.status == MISSED
    }
    shown = sorted({form.column for form in said} | missed)
    rows = symptom_heatmap.heatmap_rows(instrument, said, missed, shown)
    with_symptoms = [row for row in rows if not row.quiet]
    quiet = tuple(words.items[row.item].short for row in rows if row.quiet and _was_asked(row))
    blocks = []
    size = -(-len(shown) // -(-len(shown) // MAX_COLUMNS)) if shown else MAX_COLUMNS
    # Counted from the end, so that the newest block is complete.
    for end in range(len(shown), 0, -size):
        cut = slice(max(0, end - size), end)
        columns = tuple(HeatmapColumn(week, week == now) for week in shown[cut])
        blocks.append(
            HeatmapBlock(columns, tuple(HeatmapRow(row.item, row.cells[cut], row.quiet) for row in with_symptoms))
        )
    return SymptomHeatmap(work.catalogue.staff_title(name, language), tuple(blocks), quiet, words)


def _was_asked(row: HeatmapRow) -> bool:
    return any(cell.state == "given" for cell in row.cells)


def _column(record: AnswerHistory, form: HistoryForm, now: int) -> int:
    """Return the column of a form: baseline, today, or its week."""
    if form.baseline:
        return symptom_heatmap.BASELINE
    return now if form.on == record.today else symptom_heatmap.week_of(form.on, record.origin)


def _week(record: AnswerHistory, due_at: datetime) -> int:
    return symptom_heatmap.week_of(local_date(due_at, record.participant.time_zone), record.origin)


def _scale_ids(instrument: Instrument) -> list[str]:
    """Return the scales of an instrument, the summary score first."""
    summary = [instrument.summary.id] if instrument.summary else []
    return [*summary, *instrument.scales]


def _score_dates(record: AnswerHistory, instrument: str) -> tuple[ScoreDate, ...]:
    """Return submitted forms and missed mandatory visits, by day."""
    baseline = record.baseline(instrument)
    zone = record.participant.time_zone
    found = [
        ScoreDate(form.on, form.visits[0] if form.visits else "", form, form is baseline)
        for form in record.of(instrument)
        if form.sent
    ]
    found += [
        ScoreDate(local_date(line.expected.due_at, zone), line.title, None, False)
        for line in record.lines
        if line.expected.instrument == instrument and line.expected.mandatory and line.status == MISSED
    ]
    return tuple(sorted(found, key=lambda moment: moment.on))


def _series(
    instrument: Instrument, scale: str, moments: Sequence[ScoreDate], known: ClinicalImportance | None
) -> ScoreSeries:
    """Return the values of one scale, with the change from baseline."""
    values = tuple((moment.on, moment.value(scale)) for moment in moments)
    start = next((index for index, moment in enumerate(moments) if moment.baseline), None)
    baseline = values[start][1] if start is not None else None
    last = next((index for index in reversed(range(len(values))) if values[index][1] is not None), None)
    value = values[last][1] if last is not None else None
    change = None
    if known and baseline is not None and value is not None and last is not None and start is not None and last > start:
        change = clinical_importance.score_change(known, instrument, scale, baseline, value)
    return ScoreSeries(
        scale=scale,
        good=clinical_importance.is_higher_better(instrument, scale),
        values=values,
        baseline=baseline,
        last=value,
        threshold=known.thresholds.get(scale) if known else None,
        important=clinical_importance.is_important(known, instrument, scale, value)
        if known and value is not None
        else None,
        change=change,
    )

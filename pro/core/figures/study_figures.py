"""Study figures: compliance, alert handling times, alerts a week, scores by visit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pro.core.figures.response_times import ResponseTimes
from pro.core.figures.symptom_shares import SymptomCell, SymptomPeriod, SymptomShareRow
from pro.core.rule_language.level import Level

WEEKS = 12


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Median and quartiles of ``n`` values; ``n`` is at least 1."""

    n: int
    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class ExpectedFormCount:
    """How many expected forms of one visit have the same result.

    ``received``: at least one answer; ``late``: out of window; ``partial``: partially completed, not submitted;
    ``reason``: why the form is missing, "" if no reason is recorded.
    """

    instrument: str
    kind: str
    number: int
    received: bool
    late: bool
    partial: bool
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class VisitRow:
    """Results of one visit's forms of one instrument.

    It counts forms whose window has closed or that were received. ``late``: received out of window. ``partial``:
    partially completed, of those received. ``reasons``: (reason, count) of the missed forms, "" for those without a
    reason.
    """

    instrument: str
    kind: str
    number: int
    in_window: int
    late: int
    missed: int
    partial: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def expected(self) -> int:
        """Forms received, in the window or not, and forms missed."""
        return self.in_window + self.late + self.missed

    @property
    def received(self) -> int:
        """Forms received in the window or out of it."""
        return self.in_window + self.late

    @property
    def compliance(self) -> float:
        """Received in window divided by expected, 0 to 1 (docs/domain.md 6, rule 5)."""
        return self.in_window / self.expected


@dataclass(frozen=True, slots=True)
class AlertHandling:
    """How alerts of one level were handled, in minutes since they were raised; None: none yet.

    ``waiting``: open and unacknowledged; ``open``: not closed.
    """

    level: int
    acknowledged: Quartiles | None
    closed: Quartiles | None
    waiting: int
    open: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: its highest level, and its alerts in each week, the oldest first."""

    rule: str
    level: int
    weeks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LevelRow:
    """The alerts of one level in each week, the oldest first."""

    level: int
    weeks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UlcerFigures:
    """Participants with an ulcer: ever confirmed, or suspected now and never confirmed; of those ``treated``."""

    confirmed: int
    suspected: int
    treated: int


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The scores of one scale at one visit.

    ``missing``: number of forms without this score. ``spread``: None if no form has it.
    """

    instrument: str
    kind: str
    number: int
    scale: str
    spread: Quartiles | None
    missing: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one study; ``weeks``: the Mondays.

    ``loud``: urgent and emergency alerts in each week. ``left_out``: number of participants who asked that their data
    be used no further; their visits, scores and symptoms are left out. ``levels``: alerts in each week by level, the
    highest level first. ``periods`` and ``symptoms``: columns and rows of the symptoms by week of treatment.
    """

    enrolled: int
    active: int
    visits: tuple[VisitRow, ...]
    handling: tuple[AlertHandling, ...]
    weeks: tuple[date, ...]
    loud: tuple[int, ...]
    rules: tuple[RuleRow, ...]
    points: tuple[ScorePoint, ...]
    left_out: int = 0
    levels: tuple[LevelRow, ...] = ()
    responses: tuple[ResponseTimes, ...] = ()
    periods: tuple[SymptomPeriod, ...] = ()
    symptoms: tuple[SymptomShareRow, ...] = ()
    ulcers: UlcerFigures | None = None


def quartiles(counts: Mapping[float, int]) -> Quartiles | None:
    """Return median and quartiles of ``counts`` (value -> count); None without values.

    Linear interpolation between neighbours (type 7).
    """
    ordered = sorted((value, count) for value, count in counts.items() if count)
    n = sum(count for _value, count in ordered)
    if not n:
        return None
    return Quartiles(n, *(_quantile_of_counts(ordered, n, share) for share in (0.25, 0.5, 0.75)))


def _quantile_of_counts(ordered: Sequence[tuple[float, int]], n: int, share: float) -> float:
    """Return the quantile at ``share`` (0 to 1) of ``n`` counted values."""
    position = (n - 1) * share
    below = int(position)
    first, second = _value_at_position(ordered, below), _value_at_position(ordered, min(below + 1, n - 1))
    return first + (second - first) * (position - below)


def _value_at_position(ordered: Sequence[tuple[float, int]], position: int) -> float:
    """Return the value at ``position`` (from 0) of the full sorted list."""
    for value, count in ordered:
        position -= count
        if position < 0:
            return value
    raise IndexError(position)


def last_mondays(now: datetime, zone: str, number: int = WEEKS) -> tuple[date, ...]:
    """Return the Mondays of the last ``number`` weeks by local time, the current week last."""
    today = now.astimezone(ZoneInfo(zone)).date()
    this = today - timedelta(days=today.weekday())
    return tuple(this - timedelta(weeks=back) for back in reversed(range(number)))


def monday_of(at: datetime, zone: str) -> date:
    """Return the Monday of the week that contains ``at``, by local time."""
    return last_mondays(at, zone, 1)[0]


def week_start(monday: date, zone: str) -> datetime:
    """Return the start of the week of ``monday`` in ``zone``."""
    return datetime.combine(monday, time.min, ZoneInfo(zone))


def visit_rows(lines: Iterable[ExpectedFormCount], order: Sequence[str]) -> tuple[VisitRow, ...]:
    """Return one row for each instrument and visit.

    ``order``: ids of instruments and visits in the order of the rows; unknown ones come last.
    """
    found: defaultdict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    reasons: defaultdict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for line in lines:
        key = (line.instrument, line.kind, line.number)
        if line.received:
            found[key]["late" if line.late else "in_window"] += line.count
            found[key]["partial"] += line.count if line.partial else 0
        else:
            found[key]["missed"] += line.count
            reasons[key][line.reason] += line.count
    return tuple(
        VisitRow(
            *key,
            in_window=found[key]["in_window"],
            late=found[key]["late"],
            missed=found[key]["missed"],
            partial=found[key]["partial"],
            reasons=tuple(sorted(reasons[key].items(), key=lambda one: (not one[0], -one[1], one[0]))),
        )
        for key in sorted(found, key=lambda key: _sort_key(key, order))
    )


def alert_handling(
    acknowledged: Iterable[tuple[int, int, int]],
    closed: Iterable[tuple[int, int, int]],
    left: Mapping[int, tuple[int, int]],
) -> tuple[AlertHandling, ...]:
    """Return one row for each level that has alerts, the highest level first.

    ``acknowledged``, ``closed``: (level, minutes, count). ``left``: level -> (unacknowledged, open).
    """
    minutes_by_level: dict[str, defaultdict[int, Counter[float]]] = {}
    for name, rows in (("acknowledged", acknowledged), ("closed", closed)):
        minutes_by_level[name] = defaultdict(Counter)
        for level, minutes, count in rows:
            minutes_by_level[name][level][minutes] += count
    levels = sorted({*minutes_by_level["acknowledged"], *minutes_by_level["closed"], *left}, reverse=True)
    return tuple(
        AlertHandling(
            level,
            quartiles(minutes_by_level["acknowledged"].get(level, {})),
            quartiles(minutes_by_level["closed"].get(level, {})),
            *left.get(level, (0, 0)),
        )
        for level in levels
    )


def rule_rows(
    counts: Iterable[tuple[str, int, int, int]], number: int = WEEKS
) -> tuple[tuple[RuleRow, ...], tuple[int, ...]]:
    """Return a row for each rule, most frequent first, and urgent and emergency alerts a week.

    ``counts``: (rule, level, week from 0, count).
    """
    weeks: defaultdict[str, Counter[int]] = defaultdict(Counter)
    levels: defaultdict[str, int] = defaultdict(int)
    loud: Counter[int] = Counter()
    for rule, level, week, count in counts:
        weeks[rule][week] += count
        levels[rule] = max(levels[rule], level)
        loud[week] += count if level >= Level.URGENT else 0
    rows = [RuleRow(rule, levels[rule], tuple(found[week] for week in range(number))) for rule, found in weeks.items()]
    rows.sort(key=lambda row: (-sum(row.weeks), -row.level, row.rule))
    return tuple(rows), tuple(loud[week] for week in range(number))


def level_rows(counts: Iterable[tuple[str, int, int, int]], number: int = WEEKS) -> tuple[LevelRow, ...]:
    """Return the alerts a week by level, the highest level first; levels without an alert are left out.

    ``counts``: as in ``rule_rows``.
    """
    weeks: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for _rule, level, week, count in counts:
        weeks[level][week] += count
    order = sorted(weeks, reverse=True)
    return tuple(LevelRow(level, tuple(weeks[level][week] for week in range(number))) for level in order)


def score_points(
    counts: Iterable[tuple[str, str, int, str, float | None, int]], order: Sequence[str]
) -> tuple[ScorePoint, ...]:
    """Return a point for each scale and visit, in order.

    ``counts``: (instrument, visit kind, number, scale, score or None, count).
    """
    found: defaultdict[tuple[str, str, int, str], Counter[float]] = defaultdict(Counter)
    missing: Counter[tuple[str, str, int, str]] = Counter()
    for instrument, kind, number, scale, value, count in counts:
        key = (instrument, kind, number, scale)
        found[key].update({} if value is None else {value: count})
        missing[key] += count if value is None else 0
    ordered = sorted(found, key=lambda key: (*_sort_key(key[:3], order), key[3]))
    return tuple(ScorePoint(*key, quartiles(found[key]), missing[key]) for key in ordered)


def most_frequent_rule(figures: Figures, weeks: Sequence[int]) -> RuleRow | None:
    """Return the urgent or emergency rule with most alerts in ``weeks`` (positions), or None."""
    rows = [row for row in figures.rules if row.level >= Level.URGENT and any(row.weeks[week] for week in weeks)]
    return max(rows, key=lambda row: sum(row.weeks[week] for week in weeks), default=None)


def figures_to_json(figures: Figures) -> dict[str, Any]:
    """Return ``figures`` as JSON."""
    return asdict(figures) | {"weeks": [monday.isoformat() for monday in figures.weeks]}


def figures_from_json(stored: Mapping[str, Any]) -> Figures:
    """Return the figures that ``figures_to_json`` wrote.

    Raise KeyError or TypeError if another version of the program wrote them.
    """
    return Figures(
        enrolled=stored["enrolled"],
        active=stored["active"],
        visits=tuple(
            VisitRow(**(row | {"reasons": tuple((reason, count) for reason, count in row["reasons"])}))
            for row in stored["visits"]
        ),
        handling=tuple(
            AlertHandling(**(row | {name: _quartiles_from_json(row[name]) for name in ("acknowledged", "closed")}))
            for row in stored["handling"]
        ),
        weeks=tuple(date.fromisoformat(monday) for monday in stored["weeks"]),
        loud=tuple(stored["loud"]),
        rules=tuple(RuleRow(**(row | {"weeks": tuple(row["weeks"])})) for row in stored["rules"]),
        left_out=stored["left_out"],
        levels=tuple(LevelRow(row["level"], tuple(row["weeks"])) for row in stored["levels"]),
        responses=tuple(ResponseTimes(**(row | {"dots": tuple(row["dots"])})) for row in stored["responses"]),
        periods=tuple(SymptomPeriod(**row) for row in stored["periods"]),
        symptoms=tuple(
            SymptomShareRow(row["item"], tuple(SymptomCell(**cell) for cell in row["cells"]))
            for row in stored["symptoms"]
        ),
        ulcers=UlcerFigures(**stored["ulcers"]) if stored["ulcers"] is not None else None,
        points=tuple(ScorePoint(**(row | {"spread": _quartiles_from_json(row["spread"])})) for row in stored["points"]),
    )


def _quartiles_from_json(stored: Mapping[str, Any] | None) -> Quartiles | None:
    """Return the quartiles from JSON; None stays None."""
    return Quartiles(**stored) if stored is not None else None


def _sort_key(key: tuple[str, str, int], order: Sequence[str]) -> tuple[int, str, int, str, int]:
    """Return the sort key of (instrument, visit kind, number) by ``order``."""
    instrument, kind, number = key
    positions = {name: position for position, name in enumerate(order)}
    last = len(order)
    return positions.get(instrument, last), instrument, positions.get(kind, last), kind, number

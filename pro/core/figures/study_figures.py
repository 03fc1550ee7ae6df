"""The figures of a whole study, shaped from counts: compliance, waiting times, alerts a week, scores by visit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pro.core.rule_language.level import Level

WEEKS = 12


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Median and quartiles of ``n`` values; never of none."""

    n: int
    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class ExpectedFormCount:
    """So many lines of the ledger of one visit that came to the same.

    ``received``: something was answered; ``late``: outside its window; ``partial``: begun and never sent; ``reason``:
    why it is missing, "" while nobody said.
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
    """What became of one visit's forms of one instrument, of those whose window has closed or that were received.

    ``reasons``: (reason, how many) of the missed ones, "" for those without; ``partial``: of those received.
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
        """Received, in its window or not, or missed."""
        return self.in_window + self.late + self.missed

    @property
    def received(self) -> int:
        """In its window or late."""
        return self.in_window + self.late

    @property
    def compliance(self) -> float:
        """Received in its window of those expected, 0 to 1 (docs/domain.md 6, rule 5)."""
        return self.in_window / self.expected


@dataclass(frozen=True, slots=True)
class AlertHandling:
    """How alerts of one level were handled, in minutes since they were raised. None: none was, yet.

    ``waiting``: nobody took them on and they are open; ``open``: not closed yet.
    """

    level: int
    acknowledged: Quartiles | None
    closed: Quartiles | None
    waiting: int
    open: int


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: its loudest level, and its alerts in each week, the oldest first."""

    rule: str
    level: int
    weeks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The scores of one scale at one visit; ``missing``: forms that have none. ``spread`` None: nobody has one."""

    instrument: str
    kind: str
    number: int
    scale: str
    spread: Quartiles | None
    missing: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything about one study. ``weeks``: the Mondays; ``loud``: urgent and emergency alerts in each.

    ``left_out``: how many asked that their data be used no further; their visits and scores are not among these.
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


def quartiles(counts: Mapping[float, int]) -> Quartiles | None:
    """Median and quartiles of values that occur so often, by linear interpolation between neighbours (type 7)."""
    ordered = sorted((value, count) for value, count in counts.items() if count)
    n = sum(count for _value, count in ordered)
    if not n:
        return None
    return Quartiles(n, *(_quantile_of_counts(ordered, n, share) for share in (0.25, 0.5, 0.75)))


def _quantile_of_counts(ordered: Sequence[tuple[float, int]], n: int, share: float) -> float:
    place = (n - 1) * share
    below = int(place)
    first, second = _value_at_position(ordered, below), _value_at_position(ordered, min(below + 1, n - 1))
    return first + (second - first) * (place - below)


def _value_at_position(ordered: Sequence[tuple[float, int]], position: int) -> float:
    """The value at ``position`` (from 0) if every one were written down."""
    for value, count in ordered:
        position -= count
        if position < 0:
            return value
    raise IndexError(position)


def last_mondays(now: datetime, zone: str, number: int = WEEKS) -> tuple[date, ...]:
    """The Mondays of the last ``number`` weeks by local time, this week's last."""
    today = now.astimezone(ZoneInfo(zone)).date()
    this = today - timedelta(days=today.weekday())
    return tuple(this - timedelta(weeks=back) for back in reversed(range(number)))


def monday_of(at: datetime, zone: str) -> date:
    """The Monday of the week in which ``at`` lies by local time."""
    return last_mondays(at, zone, 1)[0]


def week_start(monday: date, zone: str) -> datetime:
    """The moment at which a week begins there."""
    return datetime.combine(monday, time.min, ZoneInfo(zone))


def visit_rows(lines: Iterable[ExpectedFormCount], order: Sequence[str]) -> tuple[VisitRow, ...]:
    """One row an instrument and visit, instruments and visits as in ``order`` (ids of both), unknown ones last."""
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
    """From (level, minutes, how many) and level -> (waiting, open); one row a level that has any, the loudest first."""
    took: dict[str, defaultdict[int, Counter[float]]] = {}
    for name, rows in (("acknowledged", acknowledged), ("closed", closed)):
        took[name] = defaultdict(Counter)
        for level, minutes, count in rows:
            took[name][level][minutes] += count
    levels = sorted({*took["acknowledged"], *took["closed"], *left}, reverse=True)
    return tuple(
        AlertHandling(
            level,
            quartiles(took["acknowledged"].get(level, {})),
            quartiles(took["closed"].get(level, {})),
            *left.get(level, (0, 0)),
        )
        for level in levels
    )


def rule_rows(
    counts: Iterable[tuple[str, int, int, int]], number: int = WEEKS
) -> tuple[tuple[RuleRow, ...], tuple[int, ...]]:
    """From (rule, level, week from 0, how many): a row a rule, the most frequent first, and the loud ones a week."""
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


def score_points(
    counts: Iterable[tuple[str, str, int, str, float | None, int]], order: Sequence[str]
) -> tuple[ScorePoint, ...]:
    """From (instrument, kind, number, scale, score or None, how many): a point a scale and visit, in order."""
    found: defaultdict[tuple[str, str, int, str], Counter[float]] = defaultdict(Counter)
    missing: Counter[tuple[str, str, int, str]] = Counter()
    for instrument, kind, number, scale, value, count in counts:
        key = (instrument, kind, number, scale)
        found[key].update({} if value is None else {value: count})
        missing[key] += count if value is None else 0
    ordered = sorted(found, key=lambda key: (*_sort_key(key[:3], order), key[3]))
    return tuple(ScorePoint(*key, quartiles(found[key]), missing[key]) for key in ordered)


def most_frequent_rule(figures: Figures, weeks: Sequence[int]) -> RuleRow | None:
    """The loud rule that brought most in these weeks (positions); None if there was none."""
    rows = [row for row in figures.rules if row.level >= Level.URGENT and any(row.weeks[week] for week in weeks)]
    return max(rows, key=lambda row: sum(row.weeks[week] for week in weeks), default=None)


def figures_to_json(figures: Figures) -> dict[str, Any]:
    """``figures`` as JSON."""
    return asdict(figures) | {"weeks": [monday.isoformat() for monday in figures.weeks]}


def figures_from_json(stored: Mapping[str, Any]) -> Figures:
    """The figures that ``kept`` wrote. KeyError or TypeError if another version of the program wrote them."""
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
        points=tuple(ScorePoint(**(row | {"spread": _quartiles_from_json(row["spread"])})) for row in stored["points"]),
    )


def _quartiles_from_json(stored: Mapping[str, Any] | None) -> Quartiles | None:
    return Quartiles(**stored) if stored is not None else None


def _sort_key(key: tuple[str, str, int], order: Sequence[str]) -> tuple[int, str, int, str, int]:
    instrument, kind, number = key
    places = {name: place for place, name in enumerate(order)}
    last = len(order)
    return places.get(instrument, last), instrument, places.get(kind, last), kind, number

"""Three-valued (Kleene) logic: the closures that make up a compiled condition.

Unknown is ``None``. ``and``/``or``/``not`` follow Kleene (docs/domain.md 3.4.1): an AND is false if any part is false,
an OR is true if any part is true; otherwise both are unknown if any part is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

Truth = bool | None
ConditionTest = Callable[["Facts"], Truth]
ValueGetter = Callable[["Facts"], object]


@dataclass(frozen=True, slots=True)
class Facts:
    """The values that a condition is evaluated with: plain dictionaries, one look-up a name.

    ``values``: items and facts by name (absent or None = missing). ``recent``: hours since an item was last answered.
    ``idle``: minutes since the form was last changed. ``asked``: items that this form asks (None = all), so that an
    item that was never asked does not count as missing. ``outcomes``: results of the other rules by id.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    previous: Mapping[str, object] = field(default_factory=dict)
    baseline: Mapping[str, object] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    baseline_scores: Mapping[str, float | None] = field(default_factory=dict)
    recent: Mapping[str, float] = field(default_factory=dict)
    submitted: bool = False
    idle: int = 0
    asked: frozenset[str] | None = None
    outcomes: Mapping[str, Truth] = field(default_factory=dict)


def all_of(parts: tuple[ConditionTest, ...]) -> ConditionTest:
    """Return the Kleene AND of ``parts``."""

    def test(facts: Facts) -> Truth:
        result: Truth = True
        for part in parts:
            value = part(facts)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return test


def any_of(parts: tuple[ConditionTest, ...]) -> ConditionTest:
    """Return the Kleene OR of ``parts``."""

    def test(facts: Facts) -> Truth:
        result: Truth = False
        for part in parts:
            value = part(facts)
            if value is True:
                return True
            if value is None:
                result = None
        return result

    return test


def not_of(part: ConditionTest) -> ConditionTest:
    """Return the Kleene NOT of ``part``."""

    def test(facts: Facts) -> Truth:
        value = part(facts)
        return None if value is None else not value

    return test


def compare_value(get: ValueGetter, compare: Callable[..., bool], constant: object, missing: Truth) -> ConditionTest:
    """Return a test of ``compare(value, constant)``; it gives ``missing`` without a value."""

    def test(facts: Facts) -> Truth:
        value = get(facts)
        return missing if value is None else compare(value, constant)

    return test


def is_one_of(get: ValueGetter, chosen: frozenset[object], inside: bool, missing: Truth) -> ConditionTest:
    """Return a test whether the value is one of ``chosen``.

    With ``inside`` false, the test is whether it is none of them. It gives ``missing`` without a value.
    """

    def test(facts: Facts) -> Truth:
        value = get(facts)
        return missing if value is None else (value in chosen) is inside

    return test


def compare_count(members: tuple[ConditionTest, ...], compare: Callable[..., bool], wanted: int) -> ConditionTest:
    """Return a test that compares how many of ``members`` are true.

    An unknown member may be true or false, so the count is a range; the test is unknown if the range gives both
    results.
    """

    def test(facts: Facts) -> Truth:
        outcomes = [member(facts) for member in members]
        least = outcomes.count(True)
        possible = {compare(number, wanted) for number in range(least, least + outcomes.count(None) + 1)}
        return possible.pop() if len(possible) == 1 else None

    return test


def truth_of(name: str) -> ConditionTest:
    """Return a test of a fact that is itself true or false."""

    def test(facts: Facts) -> Truth:
        value = facts.values.get(name)
        return None if value is None else bool(value)

    return test


def item_rise(name: str, from_previous: bool) -> ValueGetter:
    """Return a getter of today's answer minus the previous or the baseline answer.

    It gives None if either side is missing (docs/domain.md 3.4.9).
    """

    def get(facts: Facts) -> object:
        now = facts.values.get(name)
        before = (facts.previous if from_previous else facts.baseline).get(name)
        if isinstance(now, int | Decimal) and isinstance(before, int | Decimal):
            return now - before
        return None

    return get


def score_rise(scale: str) -> ValueGetter:
    """Return a getter of today's score minus the baseline score, in points of 0 to 100.

    It gives None if either side is missing.
    """

    def get(facts: Facts) -> object:
        now, before = facts.scores.get(scale), facts.baseline_scores.get(scale)
        # 26.67 - 16.67 is exactly 10 in decimal; a binary rounding error must not decide whether 10 points are reached.
        return None if now is None or before is None else round(now - before, 9)

    return get


def is_missing(name: str) -> ConditionTest:
    """Return a test that is true if an item that this form asks has no value; never unknown."""

    def test(facts: Facts) -> Truth:
        return facts.values.get(name) is None and (facts.asked is None or name in facts.asked)

    return test


def is_recent(name: str, hours: int) -> ConditionTest:
    """Return a test whether the item was answered in the last ``hours``; never unknown."""

    def test(facts: Facts) -> Truth:
        since = facts.recent.get(name)
        return since is not None and since <= hours

    return test


def rule_outcome(rules: tuple[str, ...], wanted: Truth) -> ConditionTest:
    """Return a test whether one of ``rules`` has the outcome ``wanted``; never unknown.

    ``wanted`` None: the outcome of the rule is unknown.
    """

    def test(facts: Facts) -> Truth:
        outcomes = facts.outcomes
        return any(rule in outcomes and outcomes[rule] is wanted for rule in rules)

    return test

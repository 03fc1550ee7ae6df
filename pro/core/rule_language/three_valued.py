"""Three-valued logic over a form's facts: the closures that a compiled condition is made of.

Unknown is ``None``. ``and``/``or``/``not`` follow Kleene (docs/domain.md 3.4.1): an AND is false if any part is false,
an
OR true if any part is true, otherwise unknown if any part is unknown.
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
    """What a condition is evaluated with: plain dictionaries, one look-up a name.

    ``values`` holds items and facts by name (absent or None = missing); ``recent`` the hours since an item was last
    answered; ``idle`` the minutes that the form has lain untouched; ``asked`` the items that this form asks at all
    (None = every one), so that what was never asked is not called missing; ``outcomes`` the other rules' results.
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
    """Kleene AND."""

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
    """Kleene OR."""

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
    """Kleene NOT."""

    def test(facts: Facts) -> Truth:
        value = part(facts)
        return None if value is None else not value

    return test


def compare_value(get: ValueGetter, compare: Callable[..., bool], constant: object, missing: Truth) -> ConditionTest:
    """``compare(value, constant)``, or ``missing`` where there is no value."""

    def test(facts: Facts) -> Truth:
        value = get(facts)
        return missing if value is None else compare(value, constant)

    return test


def is_one_of(get: ValueGetter, chosen: frozenset[object], inside: bool, missing: Truth) -> ConditionTest:
    """Whether the value is one of ``chosen`` (or, with ``inside`` false, none of them)."""

    def test(facts: Facts) -> Truth:
        value = get(facts)
        return missing if value is None else (value in chosen) is inside

    return test


def compare_count(members: tuple[ConditionTest, ...], compare: Callable[..., bool], wanted: int) -> ConditionTest:
    """Compare how many members are true. An unknown one may turn out either way, so the count is a range."""

    def test(facts: Facts) -> Truth:
        outcomes = [member(facts) for member in members]
        least = outcomes.count(True)
        possible = {compare(number, wanted) for number in range(least, least + outcomes.count(None) + 1)}
        return possible.pop() if len(possible) == 1 else None

    return test


def truth_of(name: str) -> ConditionTest:
    """A fact that is true or false by itself."""

    def test(facts: Facts) -> Truth:
        value = facts.values.get(name)
        return None if value is None else bool(value)

    return test


def item_rise(name: str, from_previous: bool) -> ValueGetter:
    """Today's answer minus the previous or the baseline one; None where either side is missing."""

    def get(facts: Facts) -> object:
        now = facts.values.get(name)
        before = (facts.previous if from_previous else facts.baseline).get(name)
        if isinstance(now, int | Decimal) and isinstance(before, int | Decimal):
            return now - before
        return None

    return get


def score_rise(scale: str) -> ValueGetter:
    """Today's score minus the baseline one, in points; None where either side is missing."""

    def get(facts: Facts) -> object:
        now, before = facts.scores.get(scale), facts.baseline_scores.get(scale)
        # 26.67 - 16.67 is exactly 10 on paper; binary noise must not decide whether "10 points" were reached.
        return None if now is None or before is None else round(now - before, 9)

    return get


def is_missing(name: str) -> ConditionTest:
    """True where a name that this form asks has no value; never unknown."""

    def test(facts: Facts) -> Truth:
        return facts.values.get(name) is None and (facts.asked is None or name in facts.asked)

    return test


def is_recent(name: str, hours: int) -> ConditionTest:
    """True where the item was answered in the last ``hours``; never unknown."""

    def test(facts: Facts) -> Truth:
        since = facts.recent.get(name)
        return since is not None and since <= hours

    return test


def rule_outcome(rules: tuple[str, ...], wanted: Truth) -> ConditionTest:
    """True where one of ``rules`` came out as ``wanted`` (None = stayed unknown); never unknown itself."""

    def test(facts: Facts) -> Truth:
        outcomes = facts.outcomes
        return any(rule in outcomes and outcomes[rule] is wanted for rule in rules)

    return test

"""Compare two sets of alert rules on the same forms: findings gained and lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pro.core.figures.study_figures import monday_of
from pro.core.questionnaire.instrument import Instrument
from pro.core.rule_language.level import Level
from pro.core.study_plan import StudyPlan
from pro.core.triage.verdict import FormCase, Verdict, evaluate_rules

# Maximum of changed forms in the list; all of them are counted.
MAX_NAMED_FORMS = 200


@dataclass(frozen=True, slots=True)
class ReplayedForm:
    """A form to evaluate again; ``at``: time of the answer.

    ``label``: a participant number, or the number of a generated form.
    """

    label: str
    instrument: Instrument
    at: datetime
    given: FormCase


@dataclass(frozen=True, slots=True)
class ChangedForm:
    """A form whose evaluation differs: its levels, the rules gained and the rules gone.

    ``lost``: "emergency" or "ulcer" for a finding that the new rules do not make.
    """

    label: str
    instrument: str
    at: datetime
    before: Level
    after: Level
    gained: tuple[str, ...]
    gone: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def is_lower(self) -> bool:
        """True if the new level is lower."""
        return self.after < self.before

    @property
    def is_higher(self) -> bool:
        """True if the new level is higher."""
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class RuleChange:
    """The number of forms in which a rule fires, before and after.

    ``level``: the rule's level in the new rules, or in the old rules if the new ones lack it.
    """

    rule: str
    level: Level
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class WeekChange:
    """Number of urgent and emergency alerts in the week from ``monday`` on, before and after."""

    monday: date
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class RuleComparison:
    """The effect of the new rules.

    ``changed``: the first ``MAX_NAMED_FORMS`` of ``changed_forms``: those with a lost finding, then those with a lower
    level, a higher one, the same one. ``lower`` and ``higher``: number of forms whose level changes. ``named``: the
    first ``MAX_NAMED_FORMS`` of all forms, changed or not. ``quieter``: emergency and ulcer rules that no longer fire,
    or fire at a lower level, in at least one form. ``broken``: forms that one of the two sets could not evaluate.
    ``silent``: rules about missed forms, which no answered form can show.
    """

    forms: int
    broken: int
    weeks: tuple[WeekChange, ...]
    rules: tuple[RuleChange, ...]
    changed_forms: int
    newly: int
    no_longer: int
    lost_emergencies: int
    lost_ulcers: int
    changed: tuple[ChangedForm, ...]
    silent: tuple[str, ...]
    lower: int = 0
    higher: int = 0
    quieter: tuple[str, ...] = ()
    named: tuple[ChangedForm, ...] = ()

    @property
    def is_safe(self) -> bool:
        """True if no emergency and no suspected ulcer would be lost."""
        return not self.lost_emergencies and not self.lost_ulcers

    @property
    def same_level(self) -> int:
        """Changed forms whose level stays: other rules fire, or a suspected ulcer is lost or gained."""
        return self.changed_forms - self.lower - self.higher

    @property
    def a_week(self) -> tuple[float, float] | None:
        """Urgent and emergency alerts a week, before and after, on average; None without a form."""
        if not self.weeks:
            return None
        number = len(self.weeks)
        return sum(week.before for week in self.weeks) / number, sum(week.after for week in self.weeks) / number


@dataclass(slots=True)
class _FormCounts:
    """Running counts over the forms evaluated so far."""

    forms: int = 0
    broken: int = 0
    changed: int = 0
    newly: int = 0
    no_longer: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    rules: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    weeks: tuple[Counter[date], Counter[date]] = field(default_factory=lambda: (Counter(), Counter()))
    lower: int = 0
    higher: int = 0
    quieter: set[str] = field(default_factory=set)
    # Changed forms by their place in the list: a lost finding, a lower level, a higher one, the same one.
    kept: tuple[list[ChangedForm], ...] = field(default_factory=lambda: ([], [], [], []))
    named: list[ChangedForm] = field(default_factory=list)


def compare_rules(old: StudyPlan, new: StudyPlan, forms: Iterable[ReplayedForm]) -> RuleComparison:
    """Evaluate ``forms`` by both plans and return what changes.

    ``forms`` is read once and may be a stream. Weeks follow the local time of the old plan.
    """
    counts = _FormCounts()
    for form in forms:
        counts.forms += 1
        try:
            verdicts = (
                evaluate_rules(old, form.instrument, form.given),
                evaluate_rules(new, form.instrument, form.given),
            )
        except (ValueError, KeyError, TypeError, ArithmeticError):
            counts.broken += 1
            continue
        _count_form(counts, old, new, form, verdicts)
    return RuleComparison(
        forms=counts.forms,
        broken=counts.broken,
        weeks=_week_changes(counts),
        rules=_rule_changes(counts, old, new),
        changed_forms=counts.changed,
        newly=counts.newly,
        no_longer=counts.no_longer,
        lost_emergencies=counts.lost["emergency"],
        lost_ulcers=counts.lost["ulcer"],
        changed=tuple(form for kept in counts.kept for form in kept)[:MAX_NAMED_FORMS],
        silent=tuple(sorted({rule.id for rule in (*old.rules, *new.rules) if "missed_consecutive" in rule.when.names})),
        lower=counts.lower,
        higher=counts.higher,
        quieter=tuple(sorted(counts.quieter)),
        named=tuple(counts.named),
    )


def lost_findings(old: StudyPlan, new: StudyPlan, before: Verdict, after: Verdict) -> tuple[str, ...]:
    """Return the findings of ``before`` that ``after`` lacks.

    They are "emergency", and "ulcer" for a rule that sets the ulcer status to suspected.
    """
    found = ["emergency"] if before.level is Level.EMERGENCY and after.level < Level.EMERGENCY else []
    return (*found, *(["ulcer"] if _marks_ulcer(old, before) and not _marks_ulcer(new, after) else []))


def _marks_ulcer(plan: StudyPlan, verdict: Verdict) -> bool:
    """Return True if a finding of ``verdict`` sets the ulcer status to suspected."""
    return any(
        found.level >= Level.URGENT and not found.lowered and plan.rule(found.rule_id).marks_ulcer
        for found in verdict.findings
    )


def _count_form(
    counts: _FormCounts, old: StudyPlan, new: StudyPlan, form: ReplayedForm, verdicts: tuple[Verdict, Verdict]
) -> None:
    """Add one form and its two verdicts to the counts."""
    before, after = verdicts
    monday = monday_of(form.at, old.settings.time_zone)
    for rules, weeks, verdict in zip(counts.rules, counts.weeks, verdicts, strict=True):
        rules.update(found.rule_id for found in verdict.findings)
        weeks[monday] += sum(found.level >= Level.URGENT for found in verdict.findings)
    gone = lost_findings(old, new, before, after)
    fired_before, fired_after = ({found.rule_id for found in verdict.findings} for verdict in verdicts)
    gained, dropped = tuple(sorted(fired_after - fired_before)), tuple(sorted(fired_before - fired_after))
    row = ChangedForm(form.label, form.instrument.id, form.at, before.level, after.level, gained, dropped, gone)
    if len(counts.named) < MAX_NAMED_FORMS:
        counts.named.append(row)
    counts.quieter.update(_quieter_rules(old, before, after))
    if before.findings == after.findings and not gone:
        return
    counts.changed += 1
    counts.newly += before.level is Level.NONE
    counts.no_longer += after.level is Level.NONE
    counts.lower += after.level < before.level
    counts.higher += after.level > before.level
    counts.lost.update(gone)
    place = 0 if gone else 1 if after.level < before.level else 2 if after.level > before.level else 3
    if len(counts.kept[place]) < MAX_NAMED_FORMS:
        counts.kept[place].append(row)


def _quieter_rules(old: StudyPlan, before: Verdict, after: Verdict) -> set[str]:
    """Return the emergency and ulcer rules of ``before`` that do not fire in ``after``, or at a lower level."""
    levels = {found.rule_id: found.level for found in after.findings}
    return {
        found.rule_id
        for found in before.findings
        if (found.level is Level.EMERGENCY or old.rule(found.rule_id).marks_ulcer)
        and levels.get(found.rule_id, Level.NONE) < found.level
    }


def _week_changes(counts: _FormCounts) -> tuple[WeekChange, ...]:
    """Return one entry for every week from the first to the last form, also without alerts."""
    seen = {*counts.weeks[0], *counts.weeks[1]}
    if not seen:
        return ()
    number = (max(seen) - min(seen)).days // 7 + 1
    mondays = [min(seen) + timedelta(weeks=week) for week in range(number)]
    return tuple(WeekChange(monday, counts.weeks[0][monday], counts.weeks[1][monday]) for monday in mondays)


def _rule_changes(counts: _FormCounts, old: StudyPlan, new: StudyPlan) -> tuple[RuleChange, ...]:
    """Return the rules that fired, the largest change first, then the most frequent."""
    levels = {rule.id: rule.level for rule in (*old.rules, *new.rules)}
    rows = [
        RuleChange(rule, levels[rule], counts.rules[0][rule], counts.rules[1][rule])
        for rule in {*counts.rules[0], *counts.rules[1]}
    ]
    return tuple(sorted(rows, key=lambda row: (-abs(row.after - row.before), -row.before, row.rule)))

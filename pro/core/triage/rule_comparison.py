"""The same forms judged by two sets of rules: what would alert that did not, and what would no longer. Pure."""

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

# Changed forms that are named; all of them are counted.
MAX_NAMED_FORMS = 200


@dataclass(frozen=True, slots=True)
class ReplayedForm:
    """A form to be judged again. ``label``: a study number, or the number of an invented form. ``at``: answered."""

    label: str
    instrument: Instrument
    at: datetime
    given: FormCase


@dataclass(frozen=True, slots=True)
class ChangedForm:
    """A form that other rules judge otherwise: its levels, the rules that come and those that go.

    ``lost``: "emergency" or "ulcer" for what would no longer be found.
    """

    label: str
    instrument: str
    at: datetime
    before: Level
    after: Level
    gained: tuple[str, ...]
    gone: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """How many forms a rule fires in, before and after. ``level``: its own, of the new rules if they have it."""

    rule: str
    level: Level
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class WeekChange:
    """Urgent and emergency alerts in the week from ``monday`` on."""

    monday: date
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class RuleComparison:
    """What other rules change. ``changed``: the first NAMED of ``changed_forms``, those that lose something on top.

    ``broken``: forms that one of the two sets could not judge. ``silent``: rules about missed forms, which no answered
    form can show.
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

    @property
    def is_safe(self) -> bool:
        """True if no emergency and no sign of an ulcer would be lost."""
        return not self.lost_emergencies and not self.lost_ulcers


@dataclass(slots=True)
class _FormCounts:
    """Counts while forms stream past."""

    forms: int = 0
    broken: int = 0
    changed: int = 0
    newly: int = 0
    no_longer: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    rules: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    weeks: tuple[Counter[date], Counter[date]] = field(default_factory=lambda: (Counter(), Counter()))
    worse: list[ChangedForm] = field(default_factory=list)
    other: list[ChangedForm] = field(default_factory=list)


def compare_rules(old: StudyPlan, new: StudyPlan, forms: Iterable[ReplayedForm]) -> RuleComparison:
    """``forms`` judged by both plans, one after another: they may stream past. Weeks by the old plan's local time."""
    sums = _FormCounts()
    for form in forms:
        sums.forms += 1
        try:
            verdicts = (
                evaluate_rules(old, form.instrument, form.given),
                evaluate_rules(new, form.instrument, form.given),
            )
        except (ValueError, KeyError, TypeError, ArithmeticError):
            sums.broken += 1
            continue
        _count_form(sums, old, new, form, verdicts)
    return RuleComparison(
        forms=sums.forms,
        broken=sums.broken,
        weeks=_week_changes(sums),
        rules=_rule_changes(sums, old, new),
        changed_forms=sums.changed,
        newly=sums.newly,
        no_longer=sums.no_longer,
        lost_emergencies=sums.lost["emergency"],
        lost_ulcers=sums.lost["ulcer"],
        changed=tuple((sums.worse + sums.other)[:MAX_NAMED_FORMS]),
        silent=tuple(sorted({rule.id for rule in (*old.rules, *new.rules) if "missed_consecutive" in rule.when.names})),
    )


def lost_findings(old: StudyPlan, new: StudyPlan, before: Verdict, after: Verdict) -> tuple[str, ...]:
    """What ``before`` found that ``after`` does not: an "emergency", an "ulcer" that would be suspected."""
    found = ["emergency"] if before.level is Level.EMERGENCY and after.level < Level.EMERGENCY else []
    return (*found, *(["ulcer"] if _marks_ulcer(old, before) and not _marks_ulcer(new, after) else []))


def _marks_ulcer(plan: StudyPlan, verdict: Verdict) -> bool:
    return any(
        found.level >= Level.URGENT and not found.lowered and plan.rule(found.rule_id).marks_ulcer
        for found in verdict.findings
    )


def _count_form(
    sums: _FormCounts, old: StudyPlan, new: StudyPlan, form: ReplayedForm, verdicts: tuple[Verdict, Verdict]
) -> None:
    before, after = verdicts
    monday = monday_of(form.at, old.settings.time_zone)
    for rules, weeks, verdict in zip(sums.rules, sums.weeks, verdicts, strict=True):
        rules.update(found.rule_id for found in verdict.findings)
        weeks[monday] += sum(found.level >= Level.URGENT for found in verdict.findings)
    gone = lost_findings(old, new, before, after)
    if before.findings == after.findings and not gone:
        return
    fired, fires = ({found.rule_id for found in verdict.findings} for verdict in verdicts)
    sums.changed += 1
    sums.newly += before.level is Level.NONE
    sums.no_longer += after.level is Level.NONE
    sums.lost.update(gone)
    kept = sums.worse if gone else sums.other
    if len(kept) < MAX_NAMED_FORMS:
        gained, dropped = tuple(sorted(fires - fired)), tuple(sorted(fired - fires))
        levels = before.level, after.level
        kept.append(ChangedForm(form.label, form.instrument.id, form.at, *levels, gained, dropped, gone))


def _week_changes(sums: _FormCounts) -> tuple[WeekChange, ...]:
    """Every week from the first to the last form, quiet ones too."""
    seen = {*sums.weeks[0], *sums.weeks[1]}
    if not seen:
        return ()
    number = (max(seen) - min(seen)).days // 7 + 1
    mondays = [min(seen) + timedelta(weeks=week) for week in range(number)]
    return tuple(WeekChange(monday, sums.weeks[0][monday], sums.weeks[1][monday]) for monday in mondays)


def _rule_changes(sums: _FormCounts, old: StudyPlan, new: StudyPlan) -> tuple[RuleChange, ...]:
    """Those that changed on top, then the most frequent."""
    levels = {rule.id: rule.level for rule in (*old.rules, *new.rules)}
    rows = [
        RuleChange(rule, levels[rule], sums.rules[0][rule], sums.rules[1][rule])
        for rule in {*sums.rules[0], *sums.rules[1]}
    ]
    return tuple(sorted(rows, key=lambda row: (-abs(row.after - row.before), -row.before, row.rule)))

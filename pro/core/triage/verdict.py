"""Judging one form: facts in, verdict out (docs/domain.md 3.4, 3.5, 3.7). Pure; the plan holds the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase

from pro.core.questionnaire.instrument import Answers, Instrument
from pro.core.questionnaire.page_flow import add_implied_answers
from pro.core.rule_language.conditions import TRUTH, Facts, Truth, ValueDomain
from pro.core.rule_language.level import Level
from pro.core.study_plan import AlertRule, LevelLowering, StudyPlan

ULCER_STATUSES = frozenset({"none", "suspected", "confirmed"})
# The check-in item that weight loss is computed from.
WEIGHT = "weight"
# Every fact that a plan's rules may name, and what it can be (docs/domain.md 3.4.10).
FACTS: Mapping[str, ValueDomain] = {
    "pd1": TRUTH,
    "selfharm_enabled": TRUTH,
    "ulcer_status": ValueDomain("words", words=ULCER_STATUSES),
    "weight_loss_percent": ValueDomain("number", maximum=Decimal(100)),
    "missed_consecutive": ValueDomain("number", minimum=Decimal(0)),
    "open_alert": ValueDomain("codes", codes=frozenset(int(level) for level in Level)),
}


@dataclass(frozen=True, slots=True)
class ClinicalContext:
    """What is known beside the answers. The defaults are what counts when a fact is absent (docs/domain.md 3.4.4-10).

    ``pd1_exposed``: from the first anti-PD-1 dose until 6 months after the last; None = unknown, judged as exposed.
    ``ulcer_status``: as it stood when this assessment was opened. ``stable_symptoms``: item -> the value that staff
    marked, marks of the last 14 days only. ``baseline_weight``: kg. ``open_alert``: highest level of an open alert.
    """

    pd1_exposed: bool | None = None
    ulcer_status: str = "none"
    known_stable: Mapping[str, int] = field(default_factory=dict)
    baseline_weight: Decimal | None = None
    missed_consecutive: int = 0
    open_alert: int = 0
    selfharm_enabled: bool = False


@dataclass(frozen=True, slots=True)
class FormCase:
    """One form as it stands. In ``answers`` None = asked but missing; an absent key = not reached yet.

    ``previous``: the check-in before, at most 21 days old, else empty. ``idle``: minutes since the form was last
    touched. ``recent``: item of any instrument -> hours since it was last answered. ``asked``: the items of the page
    set in use, None = all of them (docs/domain.md 3.2, short check-in).
    """

    answers: Answers = field(default_factory=dict)
    baseline: Answers = field(default_factory=dict)
    previous: Answers = field(default_factory=dict)
    context: ClinicalContext = field(default_factory=ClinicalContext)
    submitted: bool = True
    idle: int = 0
    scores: Mapping[str, float | None] = field(default_factory=dict)
    baseline_scores: Mapping[str, float | None] = field(default_factory=dict)
    recent: Mapping[str, float] = field(default_factory=dict)
    asked: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired. ``level`` is how loud it is now: that of the rule, or less where it was ``lowered``."""

    rule_id: str
    level: Level
    lowered: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``findings`` and ``unresolved`` are sorted by rule id; ``lowered_by`` names the lowering that applied, if any.

    ``facts`` is what the rules saw, implied values included, for keeping with an alert.
    """

    level: Level
    findings: tuple[Finding, ...]
    unresolved: tuple[str, ...]
    lowered_by: str = ""
    facts: Facts = field(default_factory=Facts, compare=False, repr=False)

    @property
    def fired(self) -> tuple[str, ...]:
        """The ids of all rules that fired, the lowering among them, sorted."""
        ids = [finding.rule_id for finding in self.findings]
        return tuple(sorted([*ids, self.lowered_by] if self.lowered_by else ids))


def evaluate_rules(plan: StudyPlan, instrument: Instrument, given: FormCase) -> Verdict:
    """The verdict on ``given`` by those rules of ``plan`` that belong to ``instrument``. A pure function."""
    if instrument.id in plan.submitted_only and not given.submitted:
        return Verdict(Level.NONE, (), ())
    outcomes: dict[str, Truth] = {}
    facts = facts_of(instrument, given, outcomes)
    rules = [rule for rule in plan.rules if rule.instrument == instrument.id]
    # Rules that ask what others came to must wait for them.
    for rule in sorted(rules, key=_refers_to_rules):
        outcome = rule.when.evaluate(facts)
        outcomes[rule.id] = outcome is True if rule.two_valued else outcome
    fired = [rule for rule in rules if outcomes[rule.id]]
    ids = [rule.id for rule in fired]
    shown = [rule for rule in fired if not rule.is_hidden_by(ids)]
    level = max((rule.level for rule in shown), default=Level.NONE)
    lowering = plan.lowering
    if lowering is not None and _is_lowered(lowering, level, shown, instrument, given.context, facts):
        findings = [
            Finding(rule.id, lowering.to_level, True) if rule.level is level else Finding(rule.id, rule.level)
            for rule in shown
        ]
        level, lowered_by = lowering.to_level, lowering.id
    else:
        findings, lowered_by = [Finding(rule.id, rule.level) for rule in shown], ""
    unresolved = [
        rule.id
        for rule in rules
        if outcomes[rule.id] is None and rule.level > level and _can_be_asked(rule, instrument, given.asked)
    ]
    findings.sort(key=lambda finding: finding.rule_id)
    return Verdict(level, tuple(findings), tuple(sorted(unresolved)), lowered_by, facts)


def facts_of(instrument: Instrument, given: FormCase, outcomes: Mapping[str, Truth]) -> Facts:
    """Everything that a rule may look at: answers with implied values, and the facts of docs/domain.md 3.4.10."""
    context = given.context
    # Unknown exposure is judged, and asked about, as exposure (docs/domain.md 3.4.4).
    pd1 = context.pd1_exposed is not False
    form = {"pd1": pd1, "selfharm_enabled": context.selfharm_enabled}
    values: dict[str, object] = dict(add_implied_answers(instrument, given.answers, form))
    values.update(form)
    values["ulcer_status"] = context.ulcer_status
    values["weight_loss_percent"] = weight_loss_percent(context.baseline_weight, values.get(WEIGHT))
    values["missed_consecutive"] = context.missed_consecutive
    values["open_alert"] = context.open_alert
    return Facts(
        values=values,
        previous=given.previous,
        baseline=given.baseline,
        scores=given.scores,
        baseline_scores=given.baseline_scores,
        recent=given.recent,
        submitted=given.submitted,
        idle=given.idle,
        asked=None if given.asked is None else given.asked | FACTS.keys(),
        outcomes=outcomes,
    )


def weight_loss_percent(baseline: Decimal | None, now: object) -> Decimal | None:
    """Loss since baseline in percent, exact: 62.0 to 49.6 kg is 20 (docs/domain.md 3.4.10). None if a side is
    missing."""
    if baseline is None or baseline <= 0 or not isinstance(now, int | Decimal):
        return None
    return (baseline - now) * 100 / baseline


def inputs_of(rule: AlertRule, facts: Facts) -> dict[str, object]:
    """What ``rule`` looked at, by name, to be kept with its alert; earlier values as ``previous.x``, ``baseline.x``.

    Decimals become text, so that the result can be written as JSON.
    """
    seen: dict[str, object] = {}
    for name in sorted(rule.when.names):
        if name.startswith("score."):
            scale = name.removeprefix("score.")
            seen[name] = facts.scores.get(scale)
            seen[f"baseline.{name}"] = facts.baseline_scores.get(scale)
            continue
        seen[name] = facts.values.get(name)
        sources = (("previous", facts.previous), ("baseline", facts.baseline), ("recent", facts.recent))
        seen.update({f"{prefix}.{name}": source[name] for prefix, source in sources if name in source})
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in seen.items()}


def _refers_to_rules(rule: AlertRule) -> bool:
    return rule.when.about_rules


def _is_lowered(
    lowering: LevelLowering,
    level: Level,
    shown: list[AlertRule],
    instrument: Instrument,
    context: ClinicalContext,
    facts: Facts,
) -> bool:
    """Whether everything that stands in the loudest rules is known, stable and no worse than marked."""
    if level is not lowering.from_level or instrument.id != lowering.instrument or not context.known_stable:
        return False
    for rule in shown:
        if rule.level is not level:
            continue
        if any(fnmatchcase(rule.id, pattern) for pattern in lowering.never):
            return False
        items = rule.when.names & instrument.items.keys()
        if not all(_is_stable(facts.values.get(item), context.known_stable.get(item, 0)) for item in items):
            return False
    return True


def _is_stable(value: object, marked: int) -> bool:
    return isinstance(value, int | Decimal) and value <= marked


def _can_be_asked(rule: AlertRule, instrument: Instrument, asked: frozenset[str] | None) -> bool:
    """False where a rule needs an item that this page set never asks: then it is silent, not unresolved."""
    return asked is None or not (rule.when.names & instrument.items.keys()) - asked

"""Evaluate the alert rules on one form: facts in, verdict out.

Source: docs/domain.md 3.4, 3.5 and 3.7. Pure functions; the study plan has the rules.
"""

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
# The check-in item from which weight loss is computed.
WEIGHT = "weight"
# Every fact that the rules of a plan may name, and its values (docs/domain.md 3.4.10).
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
    """Facts beside the answers; each default is the value of an absent fact.

    Source: docs/domain.md 3.4.4 to 3.4.10. ``pd1_exposed``: from the first anti-PD-1 dose until 6 months after the
    last; None = unknown, evaluated as exposed. ``ulcer_status``: when this assessment was opened. ``known_stable``:
    item -> value that staff marked as known and stable, marks of the last 14 days only. ``baseline_weight``: kg.
    ``missed_consecutive``: check-ins missed in a row. ``open_alert``: highest level of an open alert, 0 to 3.
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
    """One form to evaluate, with its baseline, earlier answers, scores and clinical context.

    In ``answers`` None = asked but missing; an absent key = not reached. ``previous``: the check-in before, at most 21
    days old, else empty. ``idle``: minutes since the last change of the form. ``recent``: item of any instrument ->
    hours since it was last answered. ``asked``: items of the page set in use, None = all of them (docs/domain.md 3.2,
    short check-in).
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
    """A rule that fired; ``level``: the level of the rule, or lower where it was ``lowered``."""

    rule_id: str
    level: Level
    lowered: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an evaluation: level, findings, unresolved rules.

    ``findings`` and ``unresolved`` are sorted by rule id. ``lowered_by``: id of the lowering that applied, or empty.
    ``facts``: the values that the rules used, implied answers included, to be stored with an alert. ``failed``: ids of
    rules whose evaluation broke; the others were evaluated, and a person must read the answers.
    """

    level: Level
    findings: tuple[Finding, ...]
    unresolved: tuple[str, ...]
    lowered_by: str = ""
    facts: Facts = field(default_factory=Facts, compare=False, repr=False)
    failed: tuple[str, ...] = ()

    @property
    def fired(self) -> tuple[str, ...]:
        """The ids of all rules that fired, sorted; the lowering is included."""
        ids = [finding.rule_id for finding in self.findings]
        return tuple(sorted([*ids, self.lowered_by] if self.lowered_by else ids))


def evaluate_rules(plan: StudyPlan, instrument: Instrument, given: FormCase) -> Verdict:
    """Return the verdict on ``given`` by the rules of ``plan`` for ``instrument``.

    An instrument in ``plan.submitted_only`` that is not submitted gives level none without findings. A pure function.
    """
    if instrument.id in plan.submitted_only and not given.submitted:
        return Verdict(Level.NONE, (), ())
    outcomes: dict[str, Truth] = {}
    facts = facts_of(instrument, given, outcomes)
    rules = [rule for rule in plan.rules if rule.instrument == instrument.id]
    # Rules about the outcome of other rules are evaluated after those rules.
    failed = []
    for rule in sorted(rules, key=_refers_to_rules):
        try:
            outcome = rule.when.evaluate(facts)
        except Exception:
            # A fault in one rule must not stop the others.
            failed.append(rule.id)
            outcome = None
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
    return Verdict(level, tuple(findings), tuple(sorted(unresolved)), lowered_by, facts, tuple(sorted(failed)))


def facts_of(instrument: Instrument, given: FormCase, outcomes: Mapping[str, Truth]) -> Facts:
    """Return the facts of a form: answers, implied answers and facts beside the answers.

    Source: docs/domain.md 3.4.2 and 3.4.10.
    """
    context = given.context
    # Unknown exposure is evaluated as exposure, and its items are asked (docs/domain.md 3.4.4).
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
    """Return the weight loss since the baseline in percent, exact; None if a side is missing.

    62.0 to 49.6 kg is 20 (docs/domain.md 3.4.10). Weights are in kg.
    """
    if baseline is None or baseline <= 0 or not isinstance(now, int | Decimal):
        return None
    return (baseline - now) * 100 / baseline


def inputs_of(rule: AlertRule, facts: Facts) -> dict[str, object]:
    """Return the facts that ``rule`` depends on, by name, to be stored with its alert.

    Earlier values are named ``previous.x``, ``baseline.x`` and ``recent.x``. Decimals become text, so that the result
    can be written as JSON.
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
    """Return True if ``rule`` depends on the outcomes of other rules."""
    return rule.when.about_rules


def _is_lowered(
    lowering: LevelLowering,
    level: Level,
    shown: list[AlertRule],
    instrument: Instrument,
    context: ClinicalContext,
    facts: Facts,
) -> bool:
    """Return whether all items in the rules of the highest level are known and stable.

    Each item must be answered and no worse than marked (docs/domain.md 3.5, D1).
    """
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
    """Return True if ``value`` is answered and no worse than ``marked``."""
    return isinstance(value, int | Decimal) and value <= marked


def _can_be_asked(rule: AlertRule, instrument: Instrument, asked: frozenset[str] | None) -> bool:
    """Return False if ``rule`` needs an item that this page set never asks.

    Such a rule is not listed as unresolved.
    """
    return asked is None or not (rule.when.names & instrument.items.keys()) - asked

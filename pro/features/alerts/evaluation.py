"""One look at a form: the rules on its answers, the screener on its texts, and what is back since last time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Answers, Instrument
from pro.core.rule_language.level import Level
from pro.core.study_plan import AlertRule, StudyPlan
from pro.core.text.red_flag_screening import first_class, screen
from pro.core.triage.verdict import Finding, FormCase, Verdict, evaluate_rules
from pro.features.alerts.own_words import own_sentences
from pro.features.participants import clinical_facts
from pro.models import Alert, Assessment

# The rule id of the alert that says: the participant wrote something, and a person reads every text (docs/domain.md 5).
FREE_TEXT = "TEXT"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One look at a form. ``back``: rules that hold again, or hold worse, after they had been dealt with.

    ``standing``: what would hold if the form were sent now; None where that was not asked.
    """

    verdict: Verdict
    back: frozenset[str]
    standing: frozenset[str] | None
    text: ScreenedText | None = None


@dataclass(frozen=True, slots=True)
class ScreenedText:
    """What the screening of the form's free texts came to: never below WATCH, because a person reads every text."""

    level: Level
    advice: str
    saw: tuple[str, ...]


def evaluate(
    work: UnitOfWork,
    assessment: Assessment,
    plan: StudyPlan,
    case: FormCase,
    before: Sequence[Alert],
    earlier: Answers | None,
) -> Evaluation:
    """Judge ``case`` and say what is new about it; notes on ``assessment`` what holds and what is unresolved."""
    instrument = work.catalogue.instruments[assessment.instrument]
    verdict = _defer_lowered_findings(plan, instrument, case, evaluate_rules(plan, instrument, case))
    assessment.unresolved = list(verdict.unresolved)
    handled = handled_rules(verdict, before) if earlier is not None else set()
    if handled and earlier is not None:
        held = set(evaluate_rules(plan, instrument, replace(case, answers=earlier)).fired)
        handled = {rule for rule in handled if rule not in held or _is_worse(plan.rule(rule), earlier, case.answers)}
    text = _screen_texts(work, plan, instrument, case.answers)
    if text is not None:
        verdict = replace(verdict, findings=(*verdict.findings, Finding(FREE_TEXT, text.level)))
        if earlier is not None and _free_texts(instrument, earlier) != _free_texts(instrument, case.answers):
            handled |= handled_rules(verdict, before) & {FREE_TEXT}
    standing, holding = None, {finding.rule_id for finding in verdict.findings}
    about_form = {alert.rule for alert in before if alert.resolved_at is None} & _missing_data_rules(plan)
    if about_form:
        standing = frozenset(evaluate_rules(plan, instrument, replace(case, submitted=True)).fired)
        # They ask for silence as well; going on elsewhere does not answer what is missing.
        holding |= about_form & standing
    assessment.standing = sorted(holding)
    return Evaluation(verdict, frozenset(handled), standing, text)


def _defer_lowered_findings(plan: StudyPlan, instrument: Instrument, case: FormCase, verdict: Verdict) -> Verdict:
    """While a form is answered, wait with what D1 will lower unless a question still to come says otherwise.

    A form that is sent or lies idle is judged as it stands.
    """
    waiting = case.submitted or case.idle >= min(plan.idle_minutes)
    if waiting or verdict.level is not Level.URGENT or not case.context.known_stable:
        return verdict
    to_come = {item.id: 0 for item in instrument.items.values() if item.kind == "choice" and 0 in item.codes}
    hoped = evaluate_rules(plan, instrument, replace(case, answers={**to_come, **case.answers}))
    return replace(hoped, unresolved=verdict.unresolved) if hoped.lowered_by else verdict


def _is_worse(rule: AlertRule, earlier: Answers, now: Answers) -> bool:
    """True if an answer that the rule looks at rose."""
    for name in rule.when.names:
        before, after = earlier.get(name), now.get(name)
        if isinstance(before, int) and isinstance(after, int) and after > before:
            return True
    return False


def _missing_data_rules(plan: StudyPlan) -> set[str]:
    """The rules about what is missing, which are never unknown."""
    return {rule.id for rule in plan.rules if rule.two_valued}


def _free_texts(instrument: Instrument, answers: Answers) -> list[str]:
    items = (item.id for item in instrument.items.values() if item.kind == "text")
    return [text for text in (answers.get(item) for item in items) if isinstance(text, str) and text]


def _screen_texts(work: UnitOfWork, plan: StudyPlan, instrument: Instrument, answers: Answers) -> ScreenedText | None:
    texts = _free_texts(instrument, answers)
    if not texts:
        return None
    lexicon = work.catalogue.lexicons.get(plan.lexicon)
    if lexicon is None:
        return ScreenedText(Level.WATCH, "", ())
    ours = own_sentences(work, lexicon)
    found = [screen(text, lexicon, ours) for text in texts]
    level = max(Level.WATCH, *(one.level for one in found))
    hits = [hit for one in found for hit in one.hits]
    advice = plan.advice_on_text(first_class(hits, lexicon)) if level is Level.EMERGENCY else ""
    return ScreenedText(level, advice, tuple(f"{hit.class_id}: {hit.status}" for hit in hits))


def build_form_case(
    work: UnitOfWork,
    assessment: Assessment,
    answers: Answers,
    submitted: bool,
    idle: int,
    scores: dict[str, float | None],
    plan: StudyPlan,
) -> FormCase:
    kept = assessment.context
    instrument = work.catalogue.instruments[assessment.instrument]
    recent = {}
    if submitted and assessment.instrument in plan.submitted_only:
        recent = clinical_facts.hours_since_answers(work, assessment, plan.recent_hours)
    asked = None
    if assessment.page_set:
        pages = set(instrument.page_sets[assessment.page_set])
        asked = frozenset(name for page in instrument.pages if page.id in pages for name in page.items)
    return FormCase(
        answers=answers,
        baseline=clinical_facts.earlier_values(work, instrument.id, kept.get("baseline", {})),
        previous=clinical_facts.earlier_values(work, instrument.id, kept.get("previous", {})),
        context=clinical_facts.context_from_snapshot(kept, work.now),
        submitted=submitted,
        idle=idle,
        scores=scores,
        baseline_scores=kept.get("baseline_scores", {}),
        recent=recent,
        asked=asked,
    )


def handled_rules(verdict: Verdict, before: Sequence[Alert]) -> set[str]:
    """The loud rules of ``verdict`` that were acknowledged, or whose advice was read, when they fired before."""
    loud = {finding.rule_id for finding in verdict.findings if finding.level >= Level.URGENT}
    done = (alert for alert in before if alert.acknowledged_at or alert.advised_at or alert.resolved_at)
    return {alert.rule for alert in done} & loud

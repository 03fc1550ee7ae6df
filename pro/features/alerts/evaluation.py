"""Evaluate a form: the rules on its answers, the screening of its texts, and what is new since the last evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Answers, Instrument
from pro.core.rule_language.level import Level
from pro.core.study_plan import AlertRule, StudyPlan
from pro.core.text.red_flag_screening import first_class, screen
from pro.core.triage.verdict import FormCase, Verdict, evaluate_rules
from pro.features.alerts.own_words import own_sentences
from pro.features.participants import clinical_facts
from pro.models import Alert, Assessment

# Rule id of an alert about something that a participant wrote: a person reads every text (docs/domain.md 5).
FREE_TEXT = "TEXT"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of evaluating a form.

    ``again``: rules whose finding needs a new alert although they have one: they fire again, or on a worse answer.
    ``standing``: the rules that would fire if the form were submitted now; None where that was not computed. ``texts``:
    the free texts that have no alert yet.
    """

    verdict: Verdict
    again: frozenset[str]
    standing: frozenset[str] | None
    texts: tuple[ScreenedText, ...] = ()


@dataclass(frozen=True, slots=True)
class ScreenedText:
    """The screening of one free text: never below WATCH, because a person reads every text.

    ``mark``: keyed fingerprint by which the alert names the text without holding it.
    """

    level: Level
    advice: str
    saw: tuple[str, ...]
    mark: str


def evaluate(
    work: UnitOfWork,
    assessment: Assessment,
    plan: StudyPlan,
    case: FormCase,
    before: Sequence[Alert],
    earlier: Answers | None,
) -> Evaluation:
    """Evaluate ``case`` and say what is new; store on ``assessment`` what holds and what is unresolved.

    ``before``: the alerts of the form. ``earlier``: the answers before this change, None if no answer changed.
    """
    instrument = work.catalogue.instruments[assessment.instrument]
    verdict = _defer_lowered_findings(plan, instrument, case, evaluate_rules(plan, instrument, case))
    assessment.unresolved = list(verdict.unresolved)
    again = _findings_again(plan, instrument, case, verdict, before, earlier)
    standing, holding = None, {finding.rule_id for finding in verdict.findings}
    about_form = {alert.rule for alert in before if alert.resolved_at is None} & _missing_data_rules(plan)
    if about_form:
        standing = frozenset(evaluate_rules(plan, instrument, replace(case, submitted=True)).fired)
        # They ask for silence as well; going on elsewhere does not answer what is missing.
        holding |= about_form & standing
    marks = text_marks(work, instrument, case.answers)
    assessment.standing = sorted(holding | {text_holding(mark) for mark in marks.values()})
    return Evaluation(
        verdict, frozenset(again), standing, _screen_new_texts(work, plan, case.answers, marks, before, earlier)
    )


def is_waiting(alert: Alert) -> bool:
    """Return True for an open alert that is neither acknowledged nor covered by a louder one."""
    return alert.acknowledged_at is None and alert.resolved_at is None and alert.superseded_at is None


def text_holding(mark: str) -> str:
    """Return the entry of ``Assessment.standing`` that says: the text with this ``mark`` stands in the form."""
    return f"{FREE_TEXT}:{mark}"


def text_marks(work: UnitOfWork, instrument: Instrument, answers: Answers) -> dict[str, str]:
    """Return item -> mark of each free text of a form; a mark is a keyed fingerprint of item and text."""
    found = {}
    for item in instrument.items.values():
        text = answers.get(item.id)
        if item.kind == "text" and isinstance(text, str) and text.strip():
            found[item.id] = work.vault.fingerprint(f"text:{item.id}:{text.strip()}")[:16]
    return found


def newest_alerts(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """Return rule -> its newest alert."""
    return {alert.rule: alert for alert in sorted(alerts, key=lambda alert: alert.occurrence)}


def _findings_again(
    plan: StudyPlan,
    instrument: Instrument,
    case: FormCase,
    verdict: Verdict,
    before: Sequence[Alert],
    earlier: Answers | None,
) -> set[str]:
    """Return the loud rules that have an alert and fire anew.

    An answer that the rule looks at rose; or the rule had ceased, and its alert was acknowledged or closed, or its
    advice was confirmed, so that the alert says nothing about the present.
    """
    if earlier is None:
        return set()
    newest = newest_alerts(before)
    loud = {finding.rule_id for finding in verdict.findings if finding.level >= Level.URGENT} & newest.keys()
    worse = {rule for rule in loud if _is_worse(plan.rule(rule), earlier, case.answers)}
    handled = {
        rule
        for rule in loud - worse
        if newest[rule].acknowledged_at or newest[rule].advised_at or newest[rule].resolved_at
    }
    if not handled:
        return worse
    held = set(evaluate_rules(plan, instrument, replace(case, answers=earlier)).fired)
    return worse | (handled - held)


def _defer_lowered_findings(plan: StudyPlan, instrument: Instrument, case: FormCase, verdict: Verdict) -> Verdict:
    """While a form is answered, wait with what D1 will lower unless a question still to come says otherwise.

    A form that is submitted or lies idle is evaluated as it stands.
    """
    waiting = case.submitted or case.idle >= min(plan.idle_minutes)
    if waiting or verdict.level is not Level.URGENT or not case.context.known_stable:
        return verdict
    to_come = {item.id: 0 for item in instrument.items.values() if item.kind == "choice" and 0 in item.codes}
    hoped = evaluate_rules(plan, instrument, replace(case, answers={**to_come, **case.answers}))
    return replace(hoped, unresolved=verdict.unresolved) if hoped.lowered_by else verdict


def _is_worse(rule: AlertRule, earlier: Answers, now: Answers) -> bool:
    """Return True if an answer that the rule looks at rose."""
    for name in rule.when.names:
        before, after = earlier.get(name), now.get(name)
        if isinstance(before, int) and isinstance(after, int) and after > before:
            return True
    return False


def _missing_data_rules(plan: StudyPlan) -> set[str]:
    """Return the rules about missing answers, which are never unknown."""
    return {rule.id for rule in plan.rules if rule.two_valued}


def _screen_new_texts(
    work: UnitOfWork,
    plan: StudyPlan,
    answers: Answers,
    marks: Mapping[str, str],
    before: Sequence[Alert],
    earlier: Answers | None,
) -> tuple[ScreenedText, ...]:
    """Screen the free texts that have no alert yet, and those that were typed again after theirs was handled."""
    known = {alert.inputs.get("text"): alert for alert in before if alert.rule == FREE_TEXT}
    found = []
    for item, mark in marks.items():
        alert = known.get(mark)
        is_retyped = earlier is not None and earlier.get(item) != answers.get(item)
        if alert is None or (is_retyped and not is_waiting(alert)):
            found.append(_screen_text(work, plan, str(answers[item]), mark))
    return tuple(found)


def _screen_text(work: UnitOfWork, plan: StudyPlan, text: str, mark: str) -> ScreenedText:
    lexicon = work.catalogue.lexicons.get(plan.lexicon)
    if lexicon is None:
        return ScreenedText(Level.WATCH, "", (), mark)
    found = screen(text, lexicon, own_sentences(work, lexicon))
    level = max(Level.WATCH, found.level)
    advice = plan.advice_on_text(first_class(found.hits, lexicon)) if level is Level.EMERGENCY else ""
    return ScreenedText(level, advice, tuple(f"{hit.class_id}: {hit.status}" for hit in found.hits), mark)


def build_form_case(
    work: UnitOfWork,
    assessment: Assessment,
    answers: Answers,
    submitted: bool,
    idle: int,
    scores: Mapping[str, float | None],
    plan: StudyPlan,
) -> FormCase:
    """Build the case that the rules take, from answers and the clinical facts kept with the form."""
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

"""Evaluate a form: the rules on its answers, the screening of its texts, and what is new since the last evaluation."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
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

log = logging.getLogger(__name__)
# Class of the hit that stands for a text whose screening failed: a person must read it soon.
NOT_SCREENED = "not_screened"
# Rule id of an alert about something that a participant wrote: a person reads every text (docs/domain.md 5).
FREE_TEXT = "TEXT"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of evaluating a form.

    ``again``: rules whose finding needs a new alert although they have one: they fire again, or on a worse answer.
    ``standing``: the rules that would fire if the form were submitted now; None where that was not computed. ``texts``:
    the free texts that have no alert yet. ``holding``: what holds now, for ``Assessment.standing``; it is stored only
    with the alerts, so that an evaluation that fails hides nothing from the next one.
    """

    verdict: Verdict
    again: frozenset[str]
    standing: frozenset[str] | None
    texts: tuple[ScreenedText, ...] = ()
    holding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScreenedText:
    """The screening of one free text: never below WATCH, because a person reads every text.

    ``mark``: keyed fingerprint by which the alert names the text without holding it. ``is_death``: it reports that the
    participant died.
    """

    level: Level
    advice: str
    saw: tuple[str, ...]
    mark: str
    is_death: bool = False


def evaluate(
    work: UnitOfWork,
    assessment: Assessment,
    plan: StudyPlan,
    case: FormCase,
    before: Sequence[Alert],
    earlier: Answers | None,
) -> Evaluation:
    """Evaluate ``case`` and say what is new; store on ``assessment`` what is unresolved.

    ``before``: the alerts of the form. ``earlier``: the answers before this change, None if no answer changed.
    """
    instrument = work.catalogue.instruments[assessment.instrument]
    verdict = _defer_lowered_findings(plan, instrument, case, evaluate_rules(plan, instrument, case))
    assessment.unresolved = list(verdict.unresolved)
    again = _renewed_findings(plan, instrument, case, verdict, before, earlier, assessment.standing)
    standing, holding = None, {finding.rule_id for finding in verdict.findings}
    about_form = {alert.rule for alert in before if alert.closed_at is None} & _missing_data_rules(plan)
    if about_form:
        standing = frozenset(evaluate_rules(plan, instrument, replace(case, submitted=True)).fired)
        # They need a missing answer; an answer elsewhere does not answer what is missing.
        holding |= about_form & standing
    marks = text_marks(work, instrument, case.answers)
    texts = _screen_new_texts(work, plan, case.answers, marks, before, assessment.standing)
    holding |= {text_holding(mark) for mark in marks.values()}
    return Evaluation(verdict, frozenset(again), standing, texts, tuple(sorted(holding)))


def is_waiting(alert: Alert) -> bool:
    """Return True for an open alert that is neither acknowledged nor superseded by one of a higher level."""
    return alert.acknowledged_at is None and alert.closed_at is None and alert.superseded_at is None


def text_holding(mark: str) -> str:
    """Return the entry of ``Assessment.standing`` that says: the text with this ``mark`` stands in the form."""
    return f"{FREE_TEXT}:{mark}"


def text_marks(work: UnitOfWork, instrument: Instrument, answers: Answers) -> dict[str, str]:
    """Return item -> mark of each free text of a form; a mark is a keyed fingerprint of item and text."""
    found = {}
    for item in instrument.items.values():
        text = answers.get(item.id)
        if item.kind == "text" and isinstance(text, str) and text.strip():
            found[item.id] = text_mark(work, item.id, text)
    return found


def text_mark(work: UnitOfWork, item: str, text: str) -> str:
    """Return the mark of one free text."""
    return work.vault.fingerprint(f"text:{item}:{text.strip()}")[:16]


def newest_alerts(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """Return rule -> its newest alert."""
    return {alert.rule: alert for alert in sorted(alerts, key=lambda alert: alert.occurrence)}


def _renewed_findings(
    plan: StudyPlan,
    instrument: Instrument,
    case: FormCase,
    verdict: Verdict,
    before: Sequence[Alert],
    earlier: Answers | None,
    held: Collection[str],
) -> set[str]:
    """Return the urgent and emergency rules that have an alert and fire again.

    They had ceased at the last evaluation that was stored (``held``), or an answer that they look at is worse.
    """
    newest = newest_alerts(before)
    loud = {finding.rule_id for finding in verdict.findings if finding.level >= Level.URGENT} & newest.keys()
    ceased = {rule for rule in loud if rule not in held}
    if earlier is None:
        return ceased
    loudest = max((alert.level for alert in before if alert.closed_at is None), default=0)
    worse = {
        rule
        for rule in loud - ceased
        if _is_worse(plan.rule(rule), instrument, earlier, case.answers)
        or (
            # What an alert of a higher level supersedes is no news to the person who took that one on.
            not is_waiting(newest[rule])
            and newest[rule].level >= loudest
            and _is_another_sign(plan, rule, instrument, case, earlier)
        )
    }
    return ceased | worse


def _defer_lowered_findings(plan: StudyPlan, instrument: Instrument, case: FormCase, verdict: Verdict) -> Verdict:
    """Hold back findings that D1 may still lower while the form is being answered.

    A form that is submitted or lies idle is evaluated as it stands.
    """
    waiting = case.submitted or case.idle >= min(plan.idle_minutes)
    if waiting or verdict.level is not Level.URGENT or not case.context.known_stable:
        return verdict
    to_come = {item.id: 0 for item in instrument.items.values() if item.kind == "choice" and 0 in item.codes}
    hoped = evaluate_rules(plan, instrument, replace(case, answers={**to_come, **case.answers}))
    return replace(hoped, unresolved=verdict.unresolved) if hoped.lowered_by else verdict


def _is_worse(rule: AlertRule, instrument: Instrument, earlier: Answers, now: Answers) -> bool:
    """Return True if an answer that the rule looks at rose.

    To and from a code without a place in the order ("not measured") counts as a rise.
    """
    for name in rule.when.names:
        item, before, after = instrument.items.get(name), earlier.get(name), now.get(name)
        if item is None or not isinstance(after, int) or not isinstance(before, int) or after == before:
            continue
        if after > before or not {before, after} <= set(item.ordinal_codes or item.codes):
            return True
    return False


def _is_another_sign(plan: StudyPlan, rule: str, instrument: Instrument, case: FormCase, earlier: Answers) -> bool:
    """Return True if an answer was given for the first time that fires the rule by itself.

    The person who handled the alert has not seen it: "still bleeding" after "bled".
    """
    first = [
        name for name in plan.rule(rule).when.names if name in case.answers and not isinstance(earlier.get(name), int)
    ]
    return any(
        isinstance(case.answers[name], int)
        and rule in evaluate_rules(plan, instrument, replace(case, answers={name: case.answers[name]})).fired
        for name in first
    )


def _missing_data_rules(plan: StudyPlan) -> set[str]:
    """Return the rules about missing answers, which are never unknown."""
    return {rule.id for rule in plan.rules if rule.two_valued}


def _screen_new_texts(
    work: UnitOfWork,
    plan: StudyPlan,
    answers: Answers,
    marks: Mapping[str, str],
    before: Sequence[Alert],
    held: Collection[str],
) -> tuple[ScreenedText, ...]:
    """Screen the free texts that have no alert yet, and those that were typed again after theirs was handled."""
    known = {alert.inputs.get("text"): alert for alert in before if alert.rule == FREE_TEXT}
    found = []
    for item, mark in marks.items():
        alert = known.get(mark)
        if alert is None or (text_holding(mark) not in held and not is_waiting(alert)):
            found.append(_screen_text(work, plan, str(answers[item]), mark))
    return tuple(found)


def _screen_text(work: UnitOfWork, plan: StudyPlan, text: str, mark: str) -> ScreenedText:
    lexicon = work.catalogue.lexicons.get(plan.lexicon)
    if lexicon is None:
        return ScreenedText(Level.WATCH, "", (), mark)
    try:
        found = screen(text, lexicon, own_sentences(work, lexicon))
    except Exception as error:
        # A fault of the screening must not stop the rules; a person reads what the program could not.
        log.error("screening of a text in a form failed error=%s", type(error).__name__)
        return ScreenedText(Level.URGENT, "", (f"{NOT_SCREENED}: affirmed",), mark)
    level = max(Level.WATCH, found.level)
    advice = plan.advice_on_text(first_class(found.hits, lexicon)) if level is Level.EMERGENCY else ""
    saw = tuple(f"{hit.class_id}: {hit.status}" for hit in found.hits)
    return ScreenedText(level, advice, saw, mark, found.is_death)


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

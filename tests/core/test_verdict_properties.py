"""Test invariants of every verdict (docs/domain.md 3.5, "Checked", and 3.4)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pro.catalogue import read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.core.questionnaire.page_flow import add_implied_answers
from pro.core.rule_language.level import Level
from pro.core.triage.verdict import ClinicalContext, FormCase, evaluate_rules

ROOT = Path(__file__).resolve().parents[2]
KNOWN = read_instruments(ROOT / "pro/data/instruments")
PLAN = read_plan(ROOT / "pro/data/plans/npc_reirradiation.yaml", KNOWN)
CHECKIN = KNOWN["npc_checkin"]
CHOICES = [item for item in CHECKIN.items.values() if item.kind == "choice"]
FORMS = st.fixed_dictionaries({}, optional={item.id: st.none() | st.sampled_from(item.codes) for item in CHOICES})
CONTEXTS = st.builds(
    ClinicalContext,
    pd1_exposed=st.none() | st.booleans(),
    ulcer_status=st.sampled_from(["none", "suspected", "confirmed"]),
    missed_consecutive=st.integers(0, 2),
    open_alert=st.integers(0, 3),
)


@settings(deadline=None, max_examples=300)
@given(FORMS, CONTEXTS, st.booleans(), st.sampled_from([item for item in CHOICES if item.id != "temp"]), st.data())
def test_raising_one_answer_never_lowers_the_level(answers, context, submitted, item, data):
    """Check forms without baseline and without D1, and without the non-ordinal code 9 of temp.

    An implied answer is raised from its implied value, which the participant would otherwise give.
    """
    before = FormCase(answers=answers, context=context, submitted=submitted)
    form = {"pd1": context.pd1_exposed is not False, "selfharm_enabled": False}
    now = add_implied_answers(CHECKIN, answers, form).get(item.id)
    higher = [code for code in item.codes if now is not None and code > now]
    if not higher:
        return
    after = replace(before, answers={**answers, item.id: data.draw(st.sampled_from(higher))})
    assert evaluate_rules(PLAN, CHECKIN, after).level >= evaluate_rules(PLAN, CHECKIN, before).level


@settings(deadline=None, max_examples=100)
@given(FORMS, FORMS, CONTEXTS, st.booleans(), st.randoms(use_true_random=False))
def test_judging_again_and_in_another_order_changes_nothing(answers, earlier, context, submitted, order):
    first = FormCase(answers=answers, baseline=earlier, previous=earlier, context=context, submitted=submitted)
    shuffled = list(answers.items())
    order.shuffle(shuffled)
    verdict = evaluate_rules(PLAN, CHECKIN, first)
    assert evaluate_rules(PLAN, CHECKIN, first) == verdict
    assert evaluate_rules(PLAN, CHECKIN, replace(first, answers=dict(shuffled))) == verdict
    assert list(verdict.fired) == sorted(verdict.fired)
    assert not set(verdict.fired) & set(verdict.unresolved)


@settings(deadline=None, max_examples=200)
@given(FORMS, CONTEXTS, FORMS)
def test_a_lowering_touches_only_urgent_verdicts_without_an_excluded_rule(answers, context, marks):
    marked = replace(context, known_stable={item: value for item, value in marks.items() if value is not None})
    plain = evaluate_rules(PLAN, CHECKIN, FormCase(answers=answers, context=context))
    verdict = evaluate_rules(PLAN, CHECKIN, FormCase(answers=answers, context=marked))
    if "D1" not in verdict.fired:
        assert verdict == plain
        return
    assert (plain.level, verdict.level) == (Level.URGENT, Level.WATCH)
    never = {"UL1", "UL2", "UL6", "U01", "U05", "U06", "U08", "U20", "U31", "U32", "U33"}
    urgent = {found.rule_id for found in plain.findings if found.level is Level.URGENT}
    assert not [rule for rule in urgent if rule in never or rule.startswith("M")]
    assert {found.rule_id for found in verdict.findings} == {found.rule_id for found in plain.findings}

"""Test changed rules on stored answers: the differences, lost alerts; nothing is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pro.core.rule_language.level import Level
from pro.core.triage.rule_comparison import WeekChange
from pro.errors import BadData
from pro.features.reports import rule_simulator
from pro.features.reports.rule_simulator import SimulationRun
from pro.models import Assessment
from tests.architecture.test_routes import everything
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Clock

FILE = Path(__file__).resolve().parents[2] / "pro" / "data" / "plans" / f"{PLAN}.yaml"
TEXT = FILE.read_text(encoding="utf-8")
U09, WITHOUT_U09 = "sores >= 3 or sores_int >= 3", "sores >= 4 and sores_int >= 4"
E05 = 'advice: general, when: "faint == 2"'
HIDES = (', hidden_by: ["UL[1-6]"],', ",")


def tried(clinic: Clinic, *changes: tuple[str, str]) -> SimulationRun:
    """Simulate the stored forms under the plan file with these texts replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    old_plan = clinic.app_context.catalogue.plans[PLAN]
    return rule_simulator.replay_stored_forms(
        clinic.app_context, old_plan, rule_simulator.parse_changed_plan(clinic.app_context, old_plan, text)
    )


@pytest.fixture
def answered(any_clinic: Clinic, clock: Clock) -> Clinic:
    """Answer a form with bad sores, a week later fainting and a bad smell, and a QLQ-C30."""
    any_clinic.start().finish(sores=3, sores_int=3)
    clock.move(days=7)
    any_clinic.start(any_clinic.send()).finish(faint=2, odor=3)
    any_clinic.start(any_clinic.qlq).finish()
    return any_clinic


def test_the_rules_in_use_change_nothing_and_find_what_was_found(answered: Clinic) -> None:
    found = tried(answered).difference
    assert (found.forms, found.broken, found.changed_forms, found.changed) == (3, 0, 0, ())
    assert all(row.before == row.after for row in found.rules)
    by_rule: dict[str, set[int]] = {}
    for form in answered.rows(Assessment):
        for rule in form.standing:
            by_rule.setdefault(rule, set()).add(form.id)
    assert {row.rule: row.before for row in found.rules} == {rule: len(forms) for rule, forms in by_rule.items()}


def test_a_quieter_rule_takes_its_form_off_the_list(answered: Clinic) -> None:
    found = tried(answered, (U09, WITHOUT_U09)).difference
    (one,) = found.changed
    assert (one.label, one.before, one.gone, one.gained, one.lost) == ("NPC-001", Level.URGENT, ("U09",), (), ())
    assert found.rules[0].rule == "U09"
    assert (found.rules[0].before, found.rules[0].after) == (1, 0)
    first, second = found.weeks
    assert (first.before - first.after, second.before - second.after) == (1, 0)
    assert isinstance(first, WeekChange)
    assert found.is_safe


def test_a_lost_emergency_is_named_first(answered: Clinic) -> None:
    found = tried(answered, (U09, WITHOUT_U09), (E05, E05.replace("2", "2 and chest == 3"))).difference
    assert found.lost_emergencies == 1
    assert not found.is_safe
    assert found.changed[0].lost == ("emergency",)
    assert found.changed[0].after is Level.URGENT


@pytest.mark.parametrize(
    "change",
    [
        ("urgent, suspects: mucosal_ulcer", "watch, suspects: mucosal_ulcer"),
        # The same rules fire at the same levels, but no ulcer would be suspected any longer.
        ("marks_ulcer: true", "marks_ulcer: false"),
    ],
)
def test_an_ulcer_that_is_no_longer_suspected_is_a_loss(any_clinic: Clinic, change: tuple[str, str]) -> None:
    any_clinic.start().finish(odor=3)
    found = tried(any_clinic, change, HIDES).difference
    assert (found.lost_ulcers, found.is_safe) == (1, False)
    assert found.changed[0].lost == ("ulcer",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (TEXT.replace("bleed == 4 or", "blood == 4 or"), "rule E01"),
        ("no plan", f"{PLAN}.yaml: "),
        (TEXT.replace("id: npc_reirradiation", "id: other"), "other"),
        ("x" * (rule_simulator.MAX_FILE_LENGTH + 1), "200000"),
        ("a: [", "YAML"),
    ],
)
def test_a_file_that_is_no_plan_gets_a_sentence(clinic: Clinic, text: str, sentence: str) -> None:
    with pytest.raises(BadData) as bad:
        rule_simulator.parse_changed_plan(clinic.app_context, clinic.app_context.catalogue.plans[PLAN], text)
    assert sentence in str(bad.value.details["sentence"])


def test_nothing_is_written(answered: Clinic) -> None:
    before = everything(answered.app_context)
    tried(answered, (U09, WITHOUT_U09))
    assert everything(answered.app_context) == before


def test_only_what_was_answered_since_and_what_time_allows(answered: Clinic, clock: Clock) -> None:
    plan = answered.app_context.catalogue.plans[PLAN]
    assert rule_simulator.replay_stored_forms(answered.app_context, plan, plan, since=clock.now).difference.forms == 2
    none = rule_simulator.replay_stored_forms(answered.app_context, plan, plan, seconds=-1.0)
    assert (none.difference.forms, none.cut) == (0, True)


def test_forms_stream_in_batches(answered: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_simulator, "BATCH_SIZE", 1)
    assert tried(answered).difference.forms == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000))
def test_invented_forms_are_the_same_for_a_seed_and_unchanged_rules_change_nothing(clinic: Clinic, seed: int) -> None:
    plan = clinic.app_context.catalogue.plans[PLAN]
    once, twice = (
        rule_simulator.simulate_generated_forms(clinic.app_context, plan, plan, 40, seed).difference for _ in range(2)
    )
    assert once == twice
    assert (once.forms, once.broken, once.changed_forms) == (40, 0, 0)
    assert len(once.weeks) <= 2
    assert once.rules


def test_changed_forms_are_counted_by_direction_and_listed_in_its_order(answered: Clinic) -> None:
    raised = ("id: U09, level: urgent,", "id: U09, level: emergency, advice: general,")
    found = tried(answered, (E05, E05.replace("2", "2 and chest == 3")), raised).difference
    assert (found.changed_forms, found.lower, found.higher, found.same_level) == (2, 1, 1, 0)
    assert [one.is_lower for one in found.changed] == [True, False]
    assert [one.is_higher for one in found.changed] == [False, True]
    before, after = found.a_week or (0.0, 0.0)
    assert before == sum(week.before for week in found.weeks) / len(found.weeks)
    assert after == sum(week.after for week in found.weeks) / len(found.weeks)


def test_all_forms_are_named_too_with_those_that_stay(answered: Clinic) -> None:
    found = tried(answered, (U09, WITHOUT_U09)).difference
    assert len(found.named) == found.forms == 3
    stays = [one for one in found.named if one.before == one.after and not one.gone and not one.gained]
    assert len(stays) == found.forms - found.changed_forms


def test_a_quieter_emergency_rule_is_named_even_if_its_form_stays_an_emergency(
    any_clinic: Clinic, clock: Clock
) -> None:
    any_clinic.start().finish(faint=2, bleed=4)
    same = tried(any_clinic).difference
    assert (same.quieter, same.is_safe) == ((), True)
    found = tried(any_clinic, (E05, E05.replace("2", "2 and chest == 3"))).difference
    assert (found.lost_emergencies, found.is_safe, found.quieter) == (0, True, ("E05",))


def test_a_quieter_urgent_rule_is_no_quieter_emergency_or_ulcer_rule(answered: Clinic) -> None:
    found = tried(answered, (U09, WITHOUT_U09)).difference
    assert (found.lower, found.quieter) == (1, ())

"""Test rule evaluation: 57 worked cases, each rule just firing and not (docs/domain.md 3)."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from pro.catalogue import read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.core.questionnaire.scoring import score
from pro.core.rule_language.level import Level
from pro.core.triage.verdict import ClinicalContext, FormCase, evaluate_rules, inputs_of, weight_loss_percent

ROOT = Path(__file__).resolve().parents[2]
KNOWN = read_instruments(ROOT / "pro/data/instruments")
PLAN = read_plan(ROOT / "pro/data/plans/npc_reirradiation.yaml", KNOWN)
CHECKIN, QLQ = KNOWN["npc_checkin"], KNOWN["qlq_c30"]
LINES = (ROOT / "tests/data/triage_cases.jsonl").read_text(encoding="utf-8").splitlines()
CASES = [json.loads(line, parse_float=Decimal) for line in LINES]
# Every question answered with "none".
WELL = {item.id: 0 for item in CHECKIN.items.values() if item.kind == "choice" and item.id != "selfharm"}
CALM = {f"Q{number}": 1 for number in range(1, 29)} | {"Q29": 7, "Q30": 7}
NO_PD1 = {"pd1_exposed": False}
ULCER = {"ulcer_status": "confirmed"}


def case(changes=None, context=None, base=None, **more):
    """Return a complete check-in without symptoms but for ``changes``.

    An item changed to "absent" was not reached.
    """
    answers = {**(WELL if base is None else base), **(changes or {})}
    answers = {item: value for item, value in answers.items() if value != "absent"}
    context = dict(context or {})
    if "baseline_weight" in context:
        context["baseline_weight"] = Decimal(context["baseline_weight"])
    return FormCase(answers=answers, context=ClinicalContext(**context), **more)


def checkin(changes=None, context=None, **more):
    return evaluate_rules(PLAN, CHECKIN, case(changes, context, **more))


def quality(changes=None, **more):
    given_case = case(changes, base=CALM, **more)
    scores = {scale: found.value for scale, found in score(QLQ, given_case.answers).items()}
    before = {scale: found.value for scale, found in score(QLQ, given_case.baseline).items()}
    return evaluate_rules(PLAN, QLQ, replace(given_case, scores=scores, baseline_scores=before))


@pytest.mark.parametrize("row", CASES, ids=[row["id"] for row in CASES])
def test_worked_case(row):
    verdict = checkin(
        row["answers"],
        row["context"],
        base={},
        baseline=row["baseline"],
        previous=row["previous"],
        submitted=row["submitted"],
    )
    expected = row["expected"]
    assert (verdict.level.word, list(verdict.fired), list(verdict.unresolved)) == (
        expected["level"],
        expected["fired"],
        expected["unresolved"],
    )


def test_all_57_cases_are_there():
    assert len(CASES) == len({row["id"] for row in CASES}) == 57


# rule, smallest input that fires it, largest that does not; each a dictionary of answers, or (answers, context), or
# with more.
ROWS = [
    ("E01", {"bleed": 4}, {"bleed": 3}),
    ("E01", {"bleed": 3, "bleed_now": 1}, {"bleed": 2, "bleed_now": 1}),
    ("E02", ({"bleed": 3}, ULCER), {"bleed": 3}),
    ("E02", ({"bleed": 2, "bleed_now": 1}, {"ulcer_status": "suspected"}), ({"bleed": 2}, ULCER)),
    ("E03", {"breath": 3}, {"breath": 2}),
    ("E04", {"chest": 3}, {"chest": 2}),
    ("E04", {"chest": 2, "faint": 1}, {"chest": 1, "faint": 1}),
    ("E04", {"chest": 2, "breath": 2}, {"chest": 2, "breath": 1, "palp": 1}),
    ("E05", {"faint": 2}, {"faint": 1}),
    ("E06", {"neuro": 1}, {"new_cn": 1}),
    ("E07", {"blister": 1, "rash": 2}, {"blister": 1, "rash": 1}),
    ("E07", {"blister": 1, "rash": 1, "temp": 9}, {"blister": 1, "rash": 1, "temp": 1}),
    ("E08", {"swallow": 4}, {"swallow": 3}),
    ("E09", {"selfharm": 2}, {"selfharm": 1}),
    ("E10", {"weak": 2, "swallow": 3}, {"weak": 2, "swallow": 2}),
    ("E10", {"weak": 2, "chest": 1}, ({"weak": 2, "chest": 1}, NO_PD1)),
    ("E11", {"temp": 2, "faint": 1}, {"temp": 9, "faint": 1}),
    ("E11", {"temp": 3, "breath": 2}, {"temp": 3, "breath": 1}),
    ("E12", {"skin": 4}, {"skin": 3}),
    ("UL1", {"discharge": 1, "tissue": 1}, {"discharge": 1}),
    ("UL2", {"odor": 3}, {"odor": 2}),
    ("UL3", {"odor": 2, "bleed": 1}, {"odor": 1, "bleed": 1}),
    ("UL3", {"odor": 2, "discharge": 2}, {"odor": 2, "discharge": 1, "headache": 1}),
    ("UL4", {"headache": 2, "nosebleed7": 2}, {"headache": 2, "nosebleed7": 1}),
    ("UL4", {"headache": 2, "bleed": 2}, {"headache": 1, "bleed": 2}),
    ("UL5", {"headache": 3, "odor": 1}, {"headache": 2, "odor": 1}),
    ("UL5", {"headache": 3, "discharge": 2}, {"headache": 3, "discharge": 1}),
    ("UL6", ({"odor": 2}, {}, {"previous": {"odor": 0}}), ({"odor": 2}, {}, {"previous": {"odor": 1}})),
    ("UL6", ({"discharge": 3}, {}, {"baseline": {"discharge": 1}}), {"discharge": 3}),
    (
        "UL6",
        ({"headache": 2, "nosebleed7": 1}, {}, {"baseline": {"headache": 0}}),
        ({"headache": 2}, {}, {"baseline": {"headache": 0}}),
    ),
    ("ULW", {"odor": 1, "nosebleed7": 1}, {"odor": 1}),
    ("ULW", {"discharge": 2}, {"discharge": 1}),
    ("ULW", {"odor": 2}, {"odor": 3}),
    ("U01", {"bleed": 2}, {"bleed": 1}),
    ("U01", {"nosebleed7": 3}, {"nosebleed7": 2}),
    ("U01", ({"bleed": 1}, ULCER), ({"nosebleed7": 1}, ULCER)),
    ("W01", {"nosebleed7": 1}, {}),
    ("W01", {"bleed": 1}, {"bleed": 2}),
    ("U02", {"breath": 2}, {"breath": 1}),
    ("W02", {"breath": 1}, {"breath": 2}),
    ("U03", {"chest": 1}, ({"chest": 1}, NO_PD1)),
    ("W03", ({"chest": 1}, NO_PD1), ({"chest": 2}, NO_PD1)),
    ("U04", {"palp": 2}, {"palp": 1}),
    ("W04", {"palp": 1}, {"palp": 2}),
    ("U05", {"faint": 1}, {"faint": 2}),
    ("U06", {"temp": 9}, {"temp": 1}),
    ("W06", {"temp": 1}, {"temp": 2}),
    ("U07", {"swallow": 3}, {"swallow": 4}),
    ("W07", {"swallow": 2}, {"swallow": 1}),
    ("U08", {"new_cn": 1}, {"neuro": 1}),
    ("U09", {"sores": 3}, {"sores": 2}),
    ("U09", {"sores": 1, "sores_int": 3}, {"sores": 1, "sores_int": 2}),
    ("W09", {"sores": 2}, {"sores": 1}),
    ("U10", {"pain": 1, "pain_int": 3}, {"pain": 2, "pain_int": 2}),
    ("W10", {"pain": 2}, {"pain": 3}),
    ("U11", {"headache": 3}, {"headache": 2, "headache_int": 2}),
    ("W11", {"headache": 2}, {"headache": 1}),
    ("U12", {"dry_mouth": 4}, {"dry_mouth": 3}),
    ("W12", {"dry_mouth": 3}, {"dry_mouth": 2}),
    ("U13", {"trismus": 3}, {"trismus": 2}),
    ("W13", {"trismus": 2}, {"trismus": 1}),
    ("U14", {"skin": 3}, {"skin": 2}),
    ("W14", {"skin": 2}, {"skin": 1}),
    ("U15", {"nausea": 3}, {"nausea": 2}),
    ("W15", {"nausea": 2}, {"nausea": 1}),
    ("U16", {"vomit": 3}, {"vomit": 2}),
    ("W16", {"vomit": 2}, {"vomit": 1}),
    ("U17", {"diarrhea": 2}, ({"diarrhea": 2}, NO_PD1)),
    ("U17", ({"diarrhea": 1, "stool_blood": 1}, NO_PD1), ({"stool_blood": 1}, NO_PD1)),
    ("W17", ({"stool_blood": 1}, NO_PD1), {"stool_blood": 1}),
    ("U18", {"fatigue": 3}, {"fatigue": 2}),
    ("W18", {"fatigue": 2}, {"fatigue": 1}),
    ("U19", {"appetite": 4}, {"appetite": 3}),
    ("W19", {"appetite": 3}, {"appetite": 2}),
    (
        "U20",
        ({"weight": Decimal("49.6")}, {"baseline_weight": 62}),
        ({"weight": Decimal("49.7")}, {"baseline_weight": 62}),
    ),
    ("W20", ({"weight": 57}, {"baseline_weight": 60}), ({"weight": Decimal("57.1")}, {"baseline_weight": 60})),
    ("U21", {"cough": 2, "temp": 9}, {"cough": 2, "temp": 1}),
    ("U21", {"cough": 3}, ({"cough": 2, "breath": 1}, NO_PD1)),
    ("W21", {"cough": 2}, {"cough": 1}),
    ("U22", {"rash": 3}, {"rash": 2}),
    ("U22", {"rash": 1, "blister": 1}, {"rash": 1}),
    ("W22", {"rash": 2}, {"rash": 1}),
    ("U23", {"itch": 3}, {"itch": 2}),
    ("W23", {"itch": 2}, {"itch": 1}),
    ("U24", {"hearing": 3}, {"hearing": 2}),
    ("W24", {"hearing": 2}, {"hearing": 1}),
    ("U25", {"tinnitus": 3}, {"tinnitus": 2}),
    ("W25", {"tinnitus": 2}, {"tinnitus": 1}),
    ("U30", {"weak": 2}, {"weak": 1}),
    ("U30", ({"weak": 3}, NO_PD1), ({"weak": 2}, NO_PD1)),
    ("W30", {"weak": 1}, {"weak": 2}),
    ("U31", {"jaundice": 1}, {"thirst": 1}),
    ("U32", {"thirst": 1}, ({"thirst": 1}, NO_PD1)),
    ("W32", ({"thirst": 1}, NO_PD1), {"thirst": 1}),
    ("U33", {"selfharm": 1}, {"selfharm": 0}),
    ("W40", ({"itch": 2}, {}, {"previous": {"itch": 0}}), ({"itch": 2}, {}, {"previous": {"itch": 1}})),
    ("W40", ({"weak": 3}, {}, {"baseline": {"weak": 1}}), ({"sores_int": 3}, {}, {"baseline": {"sores_int": 1}})),
    (
        "W41",
        (dict.fromkeys(("itch", "cough", "rash", "odor", "skin"), 1), {}, {"baseline": WELL}),
        (dict.fromkeys(("itch", "cough", "rash", "odor"), 1), {}, {"baseline": WELL}),
    ),
    ("M01", {"faint": None}, ({"faint": None}, {}, {"submitted": False, "idle": 29})),
    ("M01", ({"faint": "absent"}, {}, {"submitted": False, "idle": 30}), {"cough": None}),
    ("M01", {"bleed": 1, "bleed_now": None}, {"bleed": 0, "bleed_now": None}),
    ("M02", {"bleed": 3, "bleed_now": None}, {"bleed": 2, "bleed_now": None}),
    (
        "M02",
        ({"bleed": 3, "bleed_now": "absent"}, {}, {"submitted": False, "idle": 10}),
        ({"bleed": 3, "bleed_now": "absent"}, {}, {"submitted": False, "idle": 9}),
    ),
    ("M03", ({}, {"missed_consecutive": 2}), ({}, {"missed_consecutive": 1})),
    ("M04", ({}, {"missed_consecutive": 1, "open_alert": 2}), ({}, {"missed_consecutive": 1, "open_alert": 1})),
    ("M04", ({}, {"missed_consecutive": 1, **ULCER}), ({}, ULCER)),
    ("M05", {"odor": None, "headache": 2}, {"odor": None, "headache": 1}),
    ("M05", {"odor": None, "headache": 2}, {"odor": None, "headache": 2, "discharge": 1, "tissue": 1}),
    (
        "M05",
        ({"odor": "absent", "bleed": 1}, {}, {"submitted": False, "idle": 30}),
        ({"odor": "absent", "bleed": 1}, {}, {"submitted": False, "idle": 29}),
    ),
    ("D1", ({"pain": 3}, {"known_stable": {"pain": 3}}), ({"pain": 4}, {"known_stable": {"pain": 3}})),
]
QUALITY_ROWS = [
    ("Q01", {"Q8": 4}, {"Q8": 3}),
    ("Q01", ({"Q8": 4}, {"recent": {"breath": 48.1}}), ({"Q8": 4}, {"recent": {"breath": 48.0}})),
    ("Q02", ({"Q15": 4}, {"recent": {"breath": 1.0}}), ({"Q15": 4}, {"recent": {"vomit": 1.0}})),
    ("Q03", {"Q9": 4}, {"Q9": 3, "Q19": 3}),
    ("Q03", {"Q19": 4}, ({"Q19": 4}, {"recent": {"sores": 20.0}})),
    ("Q04", {"Q17": 4}, ({"Q17": 4}, {"recent": {"diarrhea": 20.0}})),
    ("Q10w", {"Q12": 4}, {"Q10": 3, "Q12": 3, "Q18": 3}),
    ("Q13w", {"Q13": 4}, {"Q13": 3}),
    ("Q24w", {"Q24": 4}, {"Q24": 3}),
    ("QD1", ({"Q29": 6, "Q30": 6}, {"baseline": CALM}), ({"Q29": 7, "Q30": 6}, {"baseline": CALM})),
    ("QD1", ({"Q1": 2, "Q2": 2}, {"baseline": CALM}), ({"Q1": 2}, {"baseline": CALM})),
    ("QD1", ({"Q29": 1, "Q30": 1}, {"baseline": CALM}), {"Q29": 1, "Q30": 1}),
    ("QD2", ({"Q8": 2}, {"baseline": CALM}), ({"Q28": 4}, {"baseline": CALM})),
    ("QD2", ({"Q10": 2, "Q12": 2}, {"baseline": CALM}), ({"Q10": 2}, {"baseline": CALM})),
]


def spread(row):
    return row if isinstance(row, tuple) else (row,)


def judged(row):
    answers, context, more = (*spread(row), {}, {})[:3]
    return checkin(answers, context, **more)


@pytest.mark.parametrize(("rule", "fires", "does_not"), ROWS)
def test_rule_fires_and_just_does_not(rule, fires, does_not):
    assert rule in judged(fires).fired
    assert rule not in judged(does_not).fired


@pytest.mark.parametrize(("rule", "fires", "does_not"), QUALITY_ROWS)
def test_quality_rule_fires_and_just_does_not(rule, fires, does_not):
    for row, expected in ((spread(fires), True), (spread(does_not), False)):
        assert (rule in quality(row[0], **(row[1] if len(row) > 1 else {})).fired) is expected


def test_every_rule_has_a_row():
    assert {row[0] for row in ROWS + QUALITY_ROWS} == {rule.id for rule in PLAN.rules} | {"D1"}


def test_a_quality_form_is_judged_only_when_submitted_and_alone():
    assert quality({"Q8": 4}, submitted=False).fired == ()
    verdict = quality({"Q8": None, "Q15": 4})
    assert (verdict.fired, verdict.unresolved, verdict.level) == (("Q02",), (), Level.URGENT)
    assert quality({"Q8": None}).unresolved == ("Q01",)
    assert not [rule for rule in checkin({}, base={}).unresolved if rule.startswith("Q")]


def test_nothing_from_a_quality_form_is_an_emergency():
    assert max(rule.level for rule in PLAN.rules if rule.instrument == "qlq_c30") is Level.URGENT


SHORT = frozenset(CHECKIN.page_sets["short"])


def test_what_the_short_check_in_never_asks_is_silent():
    answers = dict.fromkeys(SHORT, 0)
    assert checkin(answers, base={}, asked=SHORT) == checkin(WELL)
    verdict = checkin(answers | {"odor": None, "faint": None}, base={}, asked=SHORT)
    assert verdict.fired == ("M01",)
    assert set(verdict.unresolved) == {"E05", "U05", "UL2"}


@pytest.mark.parametrize("rule", sorted(PLAN.lowering.never if PLAN.lowering else ()))
def test_never_lowered(rule):
    """Check that stable symptoms do not lower the excluded rules."""
    more = {
        "UL6": ({"odor": 2}, {}, {"previous": {"odor": 0}}),
        "U05": ({"faint": 1},),
        "U20": ({"weight": Decimal("40.0")}, {"baseline_weight": 62}),
        "M*": ({"odor": None, "headache": 2},),
    }
    fires = more.get(rule) or next(spread(row[1]) for row in ROWS if row[0] == rule)
    answers, context, rest = (*fires, {}, {}, {})[:3]
    marks = {item: value for item, value in {**WELL, **answers}.items() if isinstance(value, int)}
    verdict = checkin(answers, {**context, "known_stable": marks}, **rest)
    assert verdict.level is Level.URGENT
    assert "D1" not in verdict.fired


@pytest.mark.parametrize(
    ("answers", "marks", "lowered"),
    [
        ({"pain": 3}, {}, False),
        ({"pain": 3}, {"odor": 1}, False),
        ({"pain": 3, "pain_int": 1}, {"pain": 3}, False),
        ({"pain": 3, "pain_int": None}, {"pain": 3, "pain_int": 4}, False),
        ({"pain": 3, "pain_int": 1}, {"pain": 4, "pain_int": 2}, True),
        ({"odor": 2, "headache": 2}, {"odor": 2, "headache": 2}, True),
        ({"odor": 2, "headache": 2, "bleed": 1}, {"odor": 2, "headache": 2}, False),
        ({"odor": 2, "headache": 2, "bleed": 1}, {"odor": 2, "headache": 2, "bleed": 1}, True),
        ({"cough": 2, "breath": 1}, {"cough": 2, "breath": 1}, True),
        ({"cough": 2, "breath": 1, "temp": 1}, {"cough": 2, "breath": 1}, False),
        ({"breath": 3}, {"breath": 3}, False),
        ({"pain": 3, "faint": 1}, {"pain": 3, "faint": 1}, False),
    ],
)
def test_known_and_stable(answers, marks, lowered):
    verdict = checkin(answers, {"known_stable": marks})
    assert ("D1" in verdict.fired) is lowered
    assert (verdict.level is Level.WATCH) is lowered
    assert any(finding.lowered for finding in verdict.findings) is lowered


def test_a_lowered_rule_stays_listed_and_its_watch_rule_hidden():
    verdict = checkin({"pain": 3, "cough": 2}, {"known_stable": {"pain": 3}, **NO_PD1})
    assert verdict.fired == ("D1", "U10", "W21")
    assert [(found.rule_id, found.level, found.lowered) for found in verdict.findings] == [
        ("U10", Level.WATCH, True),
        ("W21", Level.WATCH, False),
    ]


def test_lowering_reopens_what_is_unknown_above_watch():
    verdict = checkin({"pain": 3, "cough": None}, {"known_stable": {"pain": 3}})
    assert verdict.unresolved == ("U21",)


@pytest.mark.parametrize(
    ("baseline", "now", "lost"),
    [
        (Decimal(62), Decimal("49.6"), Decimal(20)),
        (Decimal(60), 57, Decimal(5)),
        (Decimal(50), 55, Decimal(-10)),
        (None, 57, None),
        (Decimal(60), None, None),
        (Decimal(0), 57, None),
        (Decimal(60), "57", None),
    ],
)
def test_weight_loss(baseline, now, lost):
    assert weight_loss_percent(baseline, now) == lost


def test_inputs_are_what_the_rule_saw_and_can_be_written_as_json():
    verdict = checkin({"odor": 2, "weight": Decimal("49.6")}, {"baseline_weight": 62}, previous={"odor": 0})
    assert inputs_of(PLAN.rule("UL6"), verdict.facts) == {
        "bleed": 0,
        "bleed_now": 0,
        "discharge": 0,
        "headache": 0,
        "nosebleed7": 0,
        "odor": 2,
        "previous.odor": 0,
    }
    seen = inputs_of(PLAN.rule("U20"), verdict.facts)
    assert json.dumps(seen) == '{"weight_loss_percent": "20.0"}'
    fell = quality({"Q29": 6, "Q30": 6}, baseline=CALM)
    assert inputs_of(PLAN.rule("QD1"), fell.facts)["baseline.score.QL"] == 100.0
    assert inputs_of(PLAN.rule("Q01"), quality(recent={"breath": 60.0}).facts)["recent.breath"] == 60.0

"""Test scores: the worked examples of docs/domain.md 1.5, 200 reference forms, properties."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.catalogue import read_instruments
from pro.core.questionnaire.scoring import meets_half_rule, score

ROOT = Path(__file__).resolve().parents[2]
QLQ = read_instruments(ROOT / "pro/data/instruments")["qlq_c30"]
REFERENCE = list(csv.DictReader((ROOT / "tests/data/qlqc30_reference_200.csv").read_text("utf-8").splitlines()))
OUTPUTS = [*QLQ.scales, "C30SUMMARY"]
FUNCTIONS = ("PF", "RF", "EF", "CF", "SF")
SYMPTOMS = ("FA", "NV", "PA", "DY", "SL", "AP", "CO", "DI", "FI")

COMPLETE = dict(enumerate(map(int, "231112112223211212312112212156"), 1))
A = {
    "QL": 75,
    "PF": 80,
    "RF": 83.3333,
    "EF": 83.3333,
    "CF": 83.3333,
    "SF": 83.3333,
    "FA": 44.4444,
    "NV": 0,
    "PA": 50,
    "DY": 0,
    "SL": 33.3333,
    "AP": 33.3333,
    "CO": 33.3333,
    "DI": 0,
    "FI": 0,
    "C30SUMMARY": 78.3761,
}
B = A | {"QL": 83.3333, "PF": 88.8889, "RF": 66.6667, "EF": 83.3333, "FA": 50, "SL": None, "C30SUMMARY": None}
C = dict.fromkeys(OUTPUTS) | dict.fromkeys(("NV", "DY", "SL", "AP", "CO", "DI", "FI"), 100)
BEST = dict.fromkeys(("QL", *FUNCTIONS, "C30SUMMARY"), 100) | dict.fromkeys(SYMPTOMS, 0)
WORST = dict.fromkeys(("QL", *FUNCTIONS, "C30SUMMARY"), 0) | dict.fromkeys(SYMPTOMS, 100)
GONE_IN_B = (2, 4, 7, 11, 18, 21, 23, 29)

EXAMPLES = {
    "A, complete": (COMPLETE, A),
    "B, half rule holds": ({n: v for n, v in COMPLETE.items() if n not in GONE_IN_B}, B),
    "B, skipped instead of absent": ({n: None if n in GONE_IN_B else v for n, v in COMPLETE.items()}, B),
    "C, half rule fails": ({4: 2, 5: 1, 8: 4, 11: 4, 13: 4, 14: 4, 16: 4, 17: 4, 18: 3, 24: 2, 28: 4}, C),
    "all best": (dict.fromkeys(range(1, 29), 1) | {29: 7, 30: 7}, BEST),
    "all worst": (dict.fromkeys(range(1, 29), 4) | {29: 1, 30: 1}, WORST),
    "all blank": ({}, dict.fromkeys(OUTPUTS)),
}


def answers_of(numbered):
    return {f"Q{number}": value for number, value in numbered.items()}


@pytest.mark.parametrize(("numbered", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_worked_examples(numbered, expected):
    found = {name: one.value for name, one in score(QLQ, answers_of(numbered)).items()}
    assert found == pytest.approx(expected, abs=5e-5)
    assert list(found) == OUTPUTS


@pytest.mark.parametrize("row", REFERENCE, ids=[f"{row['row_id']}-{row['design']}" for row in REFERENCE])
def test_reference_forms(row):
    answers = {item: int(row[item]) for item in QLQ.items if row[item]}
    found = {name: one.value for name, one in score(QLQ, answers).items()}
    assert found == pytest.approx({name: float(row[name]) if row[name] else None for name in OUTPUTS}, abs=1e-6)


def test_used_and_raw_are_told():
    found = score(QLQ, answers_of({1: 2, 3: 1, 5: 1, 24: 2}))
    assert (found["PF"].used, found["PF"].of) == (3, 5)
    assert found["PF"].raw == pytest.approx(4 / 3)
    assert (found["EF"].used, found["EF"].of, found["EF"].raw, found["EF"].value) == (1, 4, None, None)
    assert (found["C30SUMMARY"].used, found["C30SUMMARY"].of, found["C30SUMMARY"].raw) == (1, 13, None)


@pytest.mark.parametrize(("item", "value"), [("Q1", 5), ("Q1", 0), ("Q29", 8), ("Q1", True), ("Q1", "2"), ("Q1", 1.0)])
def test_an_answer_outside_its_codes_is_refused_not_clipped(item, value):
    with pytest.raises(ValueError, match=item):
        score(QLQ, {item: value})


@pytest.mark.parametrize(("of", "least"), [(5, 3), (4, 2), (3, 2), (2, 1), (1, 1)])
def test_half_rule_limits(of, least):
    assert [meets_half_rule(answered, of) for answered in range(of + 1)] == [
        answered >= least for answered in range(of + 1)
    ]


forms = st.fixed_dictionaries(
    {}, optional={name: st.none() | st.sampled_from(item.codes) for name, item in QLQ.items.items()}
)


@given(forms)
def test_scores_stay_in_range_and_obey_the_half_rule(answers):
    found = score(QLQ, answers)
    for name, scale in QLQ.scales.items():
        answered = sum(answers.get(item) is not None for item in scale.items)
        assert found[name].used == answered
        assert (found[name].value is None) == (2 * answered < len(scale.items) or answered == 0)
    assert all(one.value is None or 0 <= one.value <= 100 for one in found.values())
    assert QLQ.summary is not None
    needed = [found[name].value for name in QLQ.summary.scales]
    assert (found["C30SUMMARY"].value is None) == (None in needed)


@given(forms, st.sampled_from(sorted(QLQ.items)))
def test_missing_is_never_zero(answers, item):
    """Check that a missing answer never counts as the lowest code.

    The score is that of the remaining answers.
    """
    left_out = {name: value for name, value in answers.items() if name != item}
    skipped = left_out | {item: None}
    assert score(QLQ, left_out) == score(QLQ, skipped)
    for name, scale in QLQ.scales.items():
        there = [left_out[other] for other in scale.items if left_out.get(other) is not None]
        raw = score(QLQ, left_out)[name].raw
        assert raw is None or raw == pytest.approx(sum(there) / len(there))


@given(forms)
def test_the_formulas_as_published(answers):
    for name, one in score(QLQ, answers).items():
        if one.raw is None:
            continue
        scale = QLQ.scales[name]
        share = (one.raw - 1) / scale.range
        published = (1 - share) * 100 if scale.direction == "functional" else share * 100
        assert one.value == pytest.approx(published, abs=1e-9)

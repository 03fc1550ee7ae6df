"""Test ``flask triage``: JSON lines in, verdicts out, and lines that cannot be evaluated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pro.catalogue import read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.cli.file_tools.triage import triage
from pro.exports.verdict_lines import LONGEST_LINE, verdict_lines

ROOT = Path(__file__).resolve().parents[2]
KNOWN = read_instruments(ROOT / "pro/data/instruments")
PLAN = read_plan(ROOT / "pro/data/plans/npc_reirradiation.yaml", KNOWN)
CASES = ROOT / "tests/data/triage_cases.jsonl"
GOOD = b'{"id": "good", "answers": {"bleed": 4}}'


def verdicts(*lines):
    return [json.loads(line.text) for line in verdict_lines(PLAN, KNOWN, lines)]


def run(*arguments, given_input=b""):
    return CliRunner().invoke(triage, arguments, input=given_input)


def test_the_command_writes_the_expected_verdicts():
    result = run("npc_reirradiation", str(CASES))
    assert result.exit_code == 0, result.output
    expected = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"id": row["id"], **row["expected"]} for row in expected
    ]


def test_a_bad_line_is_an_error_and_the_rest_goes_on():
    bad = b'{"id": "bad", "answers": {"bleed": 5}}'
    result = run("npc_reirradiation", given_input=b"\n".join([GOOD, bad, GOOD]))
    assert result.exit_code == 1
    first, second, third = [json.loads(line) for line in result.stdout.splitlines()]
    assert first == third
    assert (first["id"], first["level"], first["fired"]) == ("good", "emergency", ["E01", "M01", "M02", "M05", "U01"])
    assert list(second) == ["id", "error"]
    assert second["error"] == "line 2: answers.bleed is 5; its codes are 0, 1, 2, 3, 4, and null is a missing answer."
    assert "1 of 3 cases" in result.stderr


@pytest.mark.parametrize("plan", ["nothing", "../plans/npc_reirradiation", ""])
def test_an_unknown_plan_is_a_sentence(plan):
    result = run(plan, given_input=GOOD)
    assert result.exit_code == 2
    assert "npc_reirradiation" in result.stderr
    assert result.stdout == ""


def test_a_file_that_is_not_there_is_a_sentence():
    result = run("npc_reirradiation", "no such file.jsonl")
    assert result.exit_code == 2
    assert "no such file.jsonl" in result.stderr


def with_answers(text):
    return '{"id": "a", "answers": {' + text + "}}"


def with_context(text):
    return '{"id": "a", "answers": {}, "context": {' + text + "}}"


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (with_answers('"bleed": 5'), "its codes are 0, 1, 2, 3, 4"),
        (with_answers('"bleed": -1'), "answers.bleed is -1"),
        (with_answers('"bleed": true'), "answers.bleed is true"),
        (with_answers('"bleed": "2"'), 'answers.bleed is "2"'),
        (with_answers('"bleed": 2.5'), "answers.bleed is 2.5"),
        (with_answers('"bleed": [2]'), "answers.bleed is [2]"),
        (with_answers('"bleed": 1e999999999'), "its codes are"),
        (with_answers('"bleed": 1e99999999999999999999999'), "too long to be read"),
        (with_answers('"bleed": ' + "9" * 5000), "too long to be read"),
        (with_answers('"bleed": NaN'), "NaN is not a number here"),
        (with_answers('"bleed": -Infinity'), "-Infinity is not a number here"),
        (with_answers('"bleed": 1, "bleed": 1'), "“bleed” appears twice"),
        (with_answers('"temp": 4'), "its codes are 0, 1, 2, 3, 9"),
        (with_answers('"odour": 1'), "answers.odour is not an item of npc_checkin"),
        (with_answers('"weight": 24.9'), "a number from 25.0 to 250.0"),
        (with_answers('"weight": "60"'), "a number from 25.0 to 250.0"),
        (with_answers('"free_text": 3'), "a text of at most 500 characters"),
        (with_answers('"other7": ["bleed"]'), "a list of its items"),
        ('{"id": "a", "answers": {}, "baseline": {"odour": 1}}', "baseline.odour is not an item"),
        ('{"id": "a", "answers": {}, "previous": {"odor": 7}}', "previous.odor is 7"),
        ('{"id": "a", "answers": {}, "submitted": null}', "submitted is true or false"),
        ('{"id": "a", "answers": {}, "submitted": 1}', "submitted is true or false"),
        ('{"id": "a", "answers": {}, "idle": -1}', "idle is -1"),
        ('{"id": "a", "answers": {}, "instrument": "ctcae"}', "not evaluated by npc_reirradiation"),
        ('{"id": "a", "answers": {}, "instrument": 3}', "not evaluated by npc_reirradiation"),
        ('{"id": "a", "answers": {"bleed": 1}, "instrument": "qlq_c30"}', "not an item of qlq_c30"),
        ('{"id": "a", "answers": {}, "recent": {"zzz": 1}}', "recent.zzz"),
        ('{"id": "a", "answers": {}, "recent": {"breath": "1"}}', "hours since"),
        ('{"id": "a", "answers": []}', "answers must be an object"),
        ('{"id": "a", "answers": {}, "context": 3}', "context must be an object"),
        ('{"id": "a"}', "“answers” is missing"),
        (with_context('"pd1": true'), "context.pd1 is not a known fact"),
        (with_context('"pd1_exposed": 1'), "true, false or null"),
        (with_context('"ulcer_status": "healed"'), "one of confirmed, none, suspected"),
        (with_context('"ulcer_status": ["none"]'), "one of confirmed, none, suspected"),
        (with_context('"open_alert": 4'), "a level from 0 to 3"),
        (with_context('"missed_consecutive": 1.5'), "a whole number from 0"),
        (with_context('"baseline_weight": 0'), "a number from 25.0 to 250.0"),
        (with_context('"known_stable": {"odour": 1}'), "context.known_stable.odour is not an item"),
        (with_context('"known_stable": {"odor": 4}'), "context.known_stable.odor is 4"),
        (with_context('"known_stable": {"odor": null}'), "context.known_stable.odor is null"),
        (with_context('"known_stable": {"weight": 60}'), "only items with codes"),
    ],
)
def test_what_cannot_be_judged_has_its_id_and_a_sentence(line, part):
    (found,) = verdicts(line.encode())
    assert list(found) == ["id", "error"]
    assert found["id"] == "a"
    assert part in found["error"]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b'{"id": "a"', "not JSON at column 11"),
        (b"bleed=3", "not JSON at column 1"),
        (b"[1, 2]", "must be a JSON object"),
        (b'{"id": "\xff"}', "not UTF-8"),
        (b'\xff\xfe{\x00"\x00', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"answers": {}}', "needs an “id”"),
        (b'{"id": null, "answers": {}}', "needs an “id”"),
        (b'{"id": true, "answers": {}}', "needs an “id”"),
        (b'{"id": {"a": 1}, "answers": {}}', "needs an “id”"),
        (b" " * 10 + b"0" * (LONGEST_LINE + 1), "longer than"),
    ],
)
def test_what_cannot_be_read_has_no_id_but_its_line(line, part):
    blank, (found, after) = b"\n", verdicts(b"\n", line, GOOD)
    assert found["id"] is None
    assert found["error"].startswith("line 2: ")
    assert part in found["error"]
    assert after == verdicts(blank, blank, GOOD)[0]


@pytest.mark.parametrize(
    "lines",
    [
        [b"\xef\xbb\xbf" + GOOD + b"\r\n", b"\r\n", b"  \n"],
        [b'{"id": "good", "answers": {"bleed": 4.0}, "title": "x", "expected": {"level": "none"}, "colour": [1]}'],
        [b'{"id": "good", "answers": {"bleed": 4, "odor": null}, "context": {"pd1_exposed": null}}'],
        [b'{"id": "good", "answers": {"bleed": 4}, "context": {"ulcer_status": null}, "submitted": true}'],
    ],
)
def test_harmless_differences_are_taken_as_meant(lines):
    assert verdicts(*lines) == verdicts(GOOD)


def test_submitted_unless_said():
    form = b'{"id": 7, "answers": {"bleed": 3}%s}'
    said, absent, idle, open_form = verdicts(
        form % b', "submitted": true',
        form % b"",
        form % b', "submitted": false, "idle": 10',
        form % b', "submitted": false',
    )
    assert said == absent
    assert "M02" in said["fired"]
    assert "M02" in idle["fired"]
    assert "M01" not in idle["fired"]
    assert open_form["fired"] == ["U01"]


def test_a_quality_form_is_scored_and_judged():
    line = (
        b'{"id": "q", "instrument": "qlq_c30", "answers": {"Q8": 4, "Q29": 1, "Q30": 1},'
        b' "baseline": {"Q29": 7, "Q30": 7}%s}'
    )
    endings = (b"", b', "recent": {"breath": 12.5}', b', "submitted": false')
    fresh, covered, unsent = verdicts(*(line % ending for ending in endings))
    assert fresh["fired"] == ["Q01", "QD1"]
    assert covered["fired"] == ["QD1"]
    assert unsent == {"id": "q", "level": "none", "fired": [], "unresolved": []}


def test_an_id_comes_back_as_it_was():
    found = [row["id"] for row in verdicts('{"id": "病人一", "answers": {}}'.encode(), b'{"id": 12, "answers": {}}')]
    assert found == ["病人一", 12]
    (line,) = verdict_lines(PLAN, KNOWN, [b'{"id": "\\ud800", "answers": {}}'])
    assert json.loads(line.text.encode("utf-8"))["id"] == "\ud800"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("id", "answers", "baseline", "previous", "context", "submitted", "instrument", "idle", "recent")


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.binary(max_size=40))
def test_whatever_stands_on_a_line_one_line_comes_out(row, noise):
    raw = json.dumps(row).encode()
    lines = [raw, noise.replace(b"\n", b"") + b"x", GOOD]
    found = list(verdict_lines(PLAN, KNOWN, lines))
    assert len(found) == 3
    for line in found:
        assert line.bad is ("error" in json.loads(line.text))
        assert line.bad is ("level" not in json.loads(line.text))
    assert found[1].bad
    assert not found[2].bad


def test_judging_needs_no_database_and_no_web():
    code = (
        "import sys, pro.catalogue, pro.exports.verdict_lines;"
        "sys.exit(bool({'sqlalchemy', 'flask', 'pro.config'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0

"""Test the plan and its wording: content, and the position of each error."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest
import yaml

from pro.catalogue import read_instruments
from pro.catalogue.plan_files.plan import read_plan
from pro.catalogue.plan_files.plan_words import read_plan_words
from pro.catalogue.plan_files.stopping_rule import check_terms
from pro.catalogue.yaml_source import CatalogueError
from pro.core.clinical.adverse_events import Term, TermList
from pro.core.rule_language.level import Level

ROOT = Path(__file__).resolve().parents[2]
KNOWN = read_instruments(ROOT / "pro/data/instruments")
FILE = ROOT / "pro/data/plans/npc_reirradiation.yaml"
PLAN = read_plan(FILE, KNOWN)
WORD_FILES = {path.parents[1].name: path for path in ROOT.glob("translations/*/plans/npc_reirradiation.yaml")}
HEADACHE = Term("headache", "Headache", (1, 2, 3))
WORDS = {language: read_plan_words(path, PLAN) for language, path in WORD_FILES.items()}


def changed(tmp_path, old, new, source=FILE):
    """Return a copy of ``source`` in which ``old``, which must occur once, is ``new``."""
    text = source.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    copy = tmp_path / source.name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return copy


def test_every_rule_of_the_domain_document_is_there():
    table = (ROOT / "docs/domain.md").read_text(encoding="utf-8").split("## 3.5")[1].split("## 3.6")[0]
    named = set()
    for row in table.splitlines():
        if row.startswith("|"):
            named |= set(re.findall(r"\b(?:[EUWM][0-9]{2}|UL[1-6W]|D1)\b", row.split("|")[1]))
    named |= {"Q01", "Q02", "Q03", "Q04", "Q10w", "Q13w", "Q24w", "QD1", "QD2"}
    assert len(named) == 90
    assert PLAN.lowering is not None
    assert {rule.id for rule in PLAN.rules} | {PLAN.lowering.id} == named


def test_levels_follow_the_ids():
    for rule in PLAN.rules:
        if rule.id[0] in "EU":
            assert rule.level is {"E": Level.EMERGENCY, "U": Level.URGENT}[rule.id[0]] or rule.id == "ULW"
        if rule.id[0] == "W" or rule.id.endswith("w") or rule.id in ("ULW", "QD1", "QD2", "M01", "M03"):
            assert rule.level is Level.WATCH
        if rule.id in ("M04", "M05", "Q01", "Q02", "Q03", "Q04"):
            assert rule.level is Level.URGENT
    assert PLAN.rule("M02").level is Level.EMERGENCY


def test_each_watch_of_a_pair_is_hidden_by_its_urgent():
    for rule in PLAN.rules:
        pair = f"U{rule.id[1:]}"
        paired = rule.id.startswith("W") and any(other.id == pair for other in PLAN.rules)
        assert rule.hidden_by == ((pair,) if paired else ("UL[1-6]",) if rule.id == "ULW" else ())


def test_marks():
    assert {rule.id for rule in PLAN.rules if rule.marks_ulcer} == {f"UL{number}" for number in range(1, 7)}
    assert {rule.id for rule in PLAN.rules if rule.two_valued} == {"M01", "M02", "M03", "M04", "M05"}
    assert {rule.id for rule in PLAN.rules if rule.advice == "bleeding"} == {"E01", "E02", "M02"}
    assert {rule.id for rule in PLAN.rules if rule.advice == "crisis"} == {"E09"}
    assert {rule.id for rule in PLAN.rules if rule.closes_itself} == {"M01"}


def test_an_idle_form_is_judged_at_every_moment_that_a_rule_waits_for():
    waits = {int(minutes) for rule in PLAN.rules for minutes in re.findall(r"idle\(([0-9]+)\)", rule.when.source)}
    assert waits == set(PLAN.idle_minutes)


def test_the_escalation_steps_of_an_emergency():
    steps = [(step.minutes, step.to, step.channel) for step in PLAN.escalation_steps if step.level is Level.EMERGENCY]
    assert steps == [
        (0, ("on_call", "investigator"), "email"),
        (15, ("on_call", "investigator"), "email"),
        (30, ("backup",), "email"),
        (45, ("investigator",), "sms"),
    ]


def test_the_escalation_steps_of_an_urgent_alert():
    steps = [step for step in PLAN.escalation_steps if step.level is Level.URGENT]
    assert [(step.name, step.to, step.working_hours, step.next_day) for step in steps] == [
        ("0m", ("on_call", "investigator"), 0, None),
        ("4h", ("on_call",), 4, time(12)),
    ]


def test_words_in_every_language_have_the_same_shape():
    assert set(WORDS) == set(PLAN.languages)
    shapes = {
        language: [(key, len(block.steps), block.crisis, bool(block.title)) for key, block in words.advice.items()]
        for language, words in WORDS.items()
    }
    assert shapes["zh_Hans"] == shapes["en"]
    assert list(WORDS["zh_Hans"].rules) == list(WORDS["en"].rules)
    assert WORDS["zh_Hans"].suspects.keys() == WORDS["en"].suspects.keys()


def test_each_suspected_term_keeps_its_english_beside_the_chinese():
    for term in WORDS["zh_Hans"].suspects.values():
        assert re.search(r"[\u4e00-\u9fff]", term)
        assert re.search(r"[A-Za-z]{3}", term)


def test_a_grade_is_only_ever_suspected():
    for sentence in WORDS["zh_Hans"].rules.values():
        assert "疑似" in sentence or not re.search(r"[1-4]级(?!或以上$)", sentence), sentence
    for sentence in WORDS["en"].rules.values():
        assert "suspected" in sentence.lower() or "grade" not in sentence, sentence


@pytest.mark.parametrize(
    ("old", "new", "where", "part"),
    [
        ('when: "breath == 3"', 'when: "breth == 3"', "rule E03, column 1", "did you mean “breath”"),
        ('when: "breath == 3"', 'when: "breath == 4"', "rule E03, column 11", "no code 4"),
        ('when: "breath == 3"', 'when: "breath === 3"', "rule E03, column", "not a condition"),
        ('when: "breath == 3"', 'when: "Q8 == 3"', "rule E03, column 1", "not a known"),
        ('when: "breath == 3"', 'when: "submitted"', "rule E03, column 1", "only in M rules"),
        ('when: "breath == 3"', "when: breath == 3, extra: 1", "rules.", "Extra"),
        ("{id: E05,", "{id: E03,", "rule E03", "Two rules have this id"),
        ("{id: E05,", "{id: e5,", "rules.", "pattern"),
        ("hidden_by: [U24]", "hidden_by: [U99]", "rule W24", "no rule matches “"),
        (
            "hidden_by: [U24]",
            "hidden_by: [W25]",
            "rule W24",
            "only a rule of a higher level in the same instrument can suppress it",
        ),
        (
            "hidden_by: [U24]",
            "hidden_by: [Q01]",
            "rule W24",
            "only a rule of a higher level in the same instrument can suppress it",
        ),
        (
            "{id: E12, level: emergency, suspects: dermatitis_radiation, basis: [C, E], advice: general,",
            "{id: E12, level: emergency, suspects: dermatitis_radiation, basis: [C, E],",
            "rule E12",
            "An emergency rule must name the advice shown to the participant",
        ),
        (
            "{id: U31, level: urgent,",
            "{id: U31, advice: general, level: urgent,",
            "rule U31",
            "Only emergency rules may show advice",
        ),
        ("{id: U31, level: urgent,", "{id: U31, level: none,", "rules.", "'watch'"),
        ("{id: U31, level: urgent,", "{id: U31, instrument: other, level: urgent,", "rule U31", "“other”"),
        ("suspects: hepatitis, basis: [L]", "suspects: hepatitis, basis: [L, L]", "rule U31", "twice"),
        ("suspects: hepatitis, basis: [L]", "suspects: hepatitis, basis: [X]", "rules.", "'L'"),
        ('fever: "temp in', 'odor: "temp in', "named.odor", "This name already has another meaning"),
        ('fever: "temp in', 'fever: "tmp in', "named.fever, column 1", "did you mean “temp”"),
        ('M*"]', 'Z*"]', "lowering D1", "no rule matches “Z*”"),
        (
            "  from: urgent",
            "  from: emergency",
            "lowering D1",
            "It must lower to a lower level, and never lower an emergency",
        ),
        ("  to: watch", "  to: urgent", "lowering D1", "It must lower to a lower level, and never lower an emergency"),
        ("  id: D1", "  id: U01", "lowering U01", "same id"),
        ("to: [backup]", "to: [director]", "escalation_steps.", "'backup'"),
        (
            "- {level: watch, minutes: 0, to: [coordinator], channel: digest}",
            "- {level: watch, minutes: 5, to: [coordinator], channel: email}",
            "escalation_steps",
            "Level watch notifies nobody at minute 0",
        ),
        (
            "{level: watch, minutes: 0,",
            "{level: watch, minutes: 5,",
            "escalation_steps",
            "it can only be used at minute 0",
        ),
        ('working_hours: 4, next_day: "12:00",', 'next_day: "12:00",', "escalation_steps", "write one of them"),
        ("working_hours: 4,", "working_hours: 4, minutes: 0,", "escalation_steps", "write one of them"),
        (
            "minutes: 15,",
            'minutes: 15, next_day: "12:00",',
            "escalation_steps",
            "next_day can be used only with working_hours",
        ),
        ("minutes: 30,", "minutes: 15,", "escalation_steps", "at the same time"),
        ('closes: "17:30"', 'closes: "7:30"', "settings.closes", "is not after the opening time"),
        ("minutes: 15", "minutes: 40", "escalation_steps", "order of time"),
        (
            "{level: urgent, minutes: 0, to: [on_call, investigator], channel: email}",
            "{level: urgent, minutes: 0, to: [on_call], channel: digest}",
            "escalation_steps",
            "is too urgent for the daily digest",
        ),
        ("instruments: [npc_checkin, qlq_c30]", "instruments: [npc_checkin, other]", "instruments", "“other”"),
        ("submitted_only: [qlq_c30]", "submitted_only: [other]", "submitted_only", "“other”"),
        ("facts: [pd1,", "facts: [pd2,", "facts", "“pd2”"),
        ("facts: [pd1,", "facts: [", "rule E10, column 1", "“pd1”"),
        ("time_zone: Asia/Shanghai", "time_zone: Asia/Nanchang", "settings.time_zone", "not a time zone"),
        ('emergency: "120"', 'emergency: "12O"', "settings.emergency", "pattern"),
        ('closes: "17:30"', 'closes: "25:30"', "settings.closes", "pattern"),
        ("id: npc_reirradiation", "id: other", "id", "they must be the same"),
        ("idle_minutes: [10, 30]", "idle_minutes: [0, 30]", "idle_minutes", "greater than 0"),
        ("unknown('UL[1-6]')", "unknown('M0[1-4]')", None, None),
        (
            'two_valued: true, when: "missed_consecutive >= 2"',
            "two_valued: true, when: \"unknown('M05')\"",
            "rule M03",
            ", which itself uses other rules’ outcomes",
        ),
    ],
)
def test_a_dubious_plan_is_refused_with_its_place(tmp_path, old, new, where, part):
    copy = changed(tmp_path, old, new)
    if where is None:
        assert read_plan(copy, KNOWN)
        return
    with pytest.raises(CatalogueError) as refused:
        read_plan(copy, KNOWN)
    assert refused.value.file == str(copy)
    assert refused.value.where.startswith(where)
    assert part in refused.value.sentence


@pytest.mark.parametrize(
    ("change", "where", "part"),
    [
        (lambda data: data["rules"].pop("E01"), "rules.E01", "wording is missing"),
        (lambda data: data["rules"].pop("D1"), "rules.D1", "wording is missing"),
        (lambda data: data["rules"].update(E99="x"), "rules.E99", "nothing with this name"),
        (lambda data: data["rules"].update(E01=""), "rules.E01", "at least 1"),
        (lambda data: data["suspects"].pop("mucosal_ulcer"), "suspects.mucosal_ulcer", "wording is missing"),
        (lambda data: data["suspects"].update(gout="x"), "suspects.gout", "nothing with this name"),
        (lambda data: data["advice"].pop("crisis"), "advice.crisis", "wording is missing"),
        (lambda data: data["advice"].update(other={"title": "x"}), "advice.other", "nothing with this name"),
        (lambda data: data["advice"]["general"].update(colour="red"), "advice.general.colour", "Extra"),
        (lambda data: data["columns"].update(gone="x"), "columns.gone", "nothing with this name"),
        (lambda data: data["columns"].update(rt_end="{day}"), "columns.rt_end", "are filled in"),
        (lambda data: data.update(plan_version="0.9"), "plan_version", "the plan is"),
        (lambda data: data.update(plan="other"), "plan_version", "is for other"),
        (lambda data: data.update(language="fr"), "language", "“fr”"),
        (lambda data: data.update(hours="9:00-17:00"), "hours", "8:00 to 17:30"),
        (lambda data: data.pop("study_team"), "study_team", "required"),
    ],
)
def test_dubious_words_are_refused_with_their_place(tmp_path, change, where, part):
    data = yaml.safe_load(WORD_FILES["en"].read_text(encoding="utf-8"))
    change(data)
    copy = tmp_path / "npc_reirradiation.yaml"
    copy.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_plan_words(copy, PLAN)
    assert refused.value.file == str(copy)
    assert refused.value.where.startswith(where)
    assert part in refused.value.sentence


def test_a_plan_under_another_name_is_refused(tmp_path):
    copy = tmp_path / "other.yaml"
    shutil.copy(FILE, copy)
    with pytest.raises(CatalogueError, match="they must be the same"):
        read_plan(copy, KNOWN)


@pytest.mark.parametrize(
    ("old", "new", "where", "sentence"),
    [
        ("{bleed: 4, bleed_now: 1}", "{bleeding: 4}", "test_alert.answers.bleeding", "no item of this name"),
        ("{bleed: 4, bleed_now: 1}", "{bleed: 7}", "test_alert.answers.bleed", "7 is not a possible answer to bleed"),
        ("{bleed: 4, bleed_now: 1}", "{bleed: 2, bleed_now: 1}", "test_alert.answers", "must be an emergency"),
        ("{bleed: 4, bleed_now: 1}", "{}", "test_alert.answers", ""),
        (
            "confirm_minutes: 60, instrument: npc_checkin",
            "confirm_minutes: 60, instrument: sf_36",
            "test_alert",
            "is not a known instrument of this plan",
        ),
        (
            'weekday: wednesday, at: "10:00"',
            'weekday: wednesday, at: "7:59"',
            "test_alert.at",
            "must start and be confirmed (60 minutes) within working hours",
        ),
        (
            'weekday: wednesday, at: "10:00"',
            'weekday: wednesday, at: "16:31"',
            "test_alert.at",
            "must start and be confirmed (60 minutes) within working hours",
        ),
        ('weekday: wednesday, at: "10:00"', 'weekday: sunday, at: "10:00"', "test_alert.weekday", ""),
        ("confirm_minutes: 60", "confirm_minutes: 0", "test_alert.confirm_minutes", ""),
    ],
)
def test_an_invalid_test_alert_is_refused(tmp_path, old, new, where, sentence):
    with pytest.raises(CatalogueError) as refused:
        read_plan(changed(tmp_path, old, new), KNOWN)
    assert where in str(refused.value)
    assert sentence in str(refused.value)


def test_a_test_alert_is_as_the_file_says(tmp_path):
    assert PLAN.test_alert_settings is not None
    assert (
        PLAN.test_alert_settings.weekday,
        PLAN.test_alert_settings.at,
        PLAN.test_alert_settings.confirm_minutes,
    ) == (2, time(10), 60)
    assert dict(PLAN.test_alert_settings.answers) == {"bleed": 4, "bleed_now": 1}
    latest = read_plan(changed(tmp_path, 'at: "10:00"', 'at: "16:30"'), KNOWN)
    assert latest.test_alert_settings is not None
    assert latest.test_alert_settings.at == time(16, 30)
    none = changed(tmp_path, "test_alert:\n  {weekday", "# {weekday")
    assert read_plan(none, KNOWN).test_alert_settings is None


@pytest.mark.parametrize(
    ("old", "new", "where", "sentence"),
    [
        (
            "treated: induction_day1",
            "treated: first_day",
            "stopping_rule.treated",
            "The visit schedule has no anchor “",
        ),
        ("decision: cr_decision", "decision: ct", "stopping_rule.decision", "The visit schedule has no anchor “"),
        ("ulcers: 3, of_first: 10", "ulcers: 11, of_first: 10", "stopping_rule.steps pause_study", "cannot be reached"),
        ("ulcers: 6, of_first: 23", "ulcers: 6, of_first: 24", "stopping_rule.steps stop_study", "cannot be reached"),
        (
            "ulcers: 6, of_first: 23",
            "ulcers: 3, of_first: 23",
            "stopping_rule.steps stop_study",
            "Steps must be in ascending order",
        ),
        (
            "ulcers: 6, of_first: 23",
            "ulcers: 6, of_first: 9",
            "stopping_rule.steps stop_study",
            "Steps must be in ascending order",
        ),
        ("id: stop_study", "id: pause_study", "stopping_rule.steps pause_study", "This name is already used"),
        ("id: stop_study", "id: cleared", "stopping_rule.steps cleared", "This name is already used"),
        ("  ctcae_grade: 3", "  ctcae_grade: 6", "stopping_rule.ctcae_grade", ""),
        ("ulcers: 3, of_first", "ulcers: 0, of_first", "stopping_rule.steps", ""),
        (
            "sets: {ulcer_status: confirmed}",
            "sets: {ulcer_status: suspected}",
            "stopping_rule",
            "It counts confirmed ulcers, but the visit schedule has no anchor that confirms one",
        ),
    ],
)
def test_a_stopping_rule_that_cannot_be_is_refused(tmp_path, old, new, where, sentence):
    with pytest.raises(CatalogueError) as refused:
        read_plan(changed(tmp_path, old, new), KNOWN)
    assert where in str(refused.value)
    assert sentence in str(refused.value)


def test_a_term_without_grades_is_refused():
    rule = PLAN.stopping_rule
    assert rule is not None
    with pytest.raises(CatalogueError, match="no term “ulcer”"):
        check_terms(
            Path("terms.yaml"), replace(rule, ctcae_terms=("ulcer",)), TermList("list", terms={"headache": HEADACHE})
        )
    check_terms(Path("terms.yaml"), None, TermList())


def test_the_stopping_rule_is_what_stands_in_the_file_and_a_demonstration():
    rule = PLAN.stopping_rule
    assert rule is not None
    assert (rule.demonstration, rule.of, rule.ctcae_grade) == (True, 23, 3)
    assert rule.ctcae_terms == ("pharyngeal_necrosis",)
    assert [(step.id, step.ulcers, step.of_first) for step in rule.steps] == [
        ("pause_study", 3, 10),
        ("stop_study", 6, 23),
    ]
    assert (
        WORDS["en"].stopping_rule.keys()
        == WORDS["zh_Hans"].stopping_rule.keys()
        >= {"suspected", "stop_study", "response"}
    )

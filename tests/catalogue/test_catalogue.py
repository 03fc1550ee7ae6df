"""Test the data files: their content, and that an invalid one prevents the start.

The error names file and position.
"""

from __future__ import annotations

import shutil
from dataclasses import FrozenInstanceError, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from pro.catalogue import CatalogueError, read_catalogue, read_instruments
from pro.catalogue.instrument_files.licensed_wording import WordingRefused, licence_problems, parse_csv, template_csv
from pro.catalogue.instrument_files.words import read_words, with_checksum
from pro.catalogue.json_schemas import json_schemas
from pro.catalogue.yaml_source import load_yaml

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 22)
KNOWN = read_instruments(ROOT / "pro/data/instruments")
CHECKIN, QLQ = KNOWN["npc_checkin"], KNOWN["qlq_c30"]


def whole():
    return read_catalogue(ROOT / "pro/data/instruments", ROOT / "translations", [ROOT / "pro/data/plans"])


def test_everything_shipped_is_read():
    catalogue = whole()
    assert set(catalogue.instruments) == {"npc_checkin", "qlq_c30"}
    assert catalogue.languages == ("en", "zh_Hans")
    assert set(catalogue.words) == {(name, spoken) for name in catalogue.instruments for spoken in ("en", "zh_Hans")}
    assert "npc_reirradiation" in catalogue.plans
    assert {key[1] for key in catalogue.plan_words} == {"en", "zh_Hans"}


def test_what_was_read_cannot_be_changed():
    catalogue = whole()
    with pytest.raises(FrozenInstanceError):
        catalogue.languages = ()
    with pytest.raises(TypeError):
        catalogue.instruments["other"] = CHECKIN
    with pytest.raises(TypeError):
        CHECKIN.items["bleed"] = CHECKIN.items["breath"]  # type: ignore[index]


def test_the_questionnaire_is_version_three():
    assert (QLQ.version, len(QLQ.items), len(QLQ.scales), QLQ.licence_required) == ("3.0", 30, 15, True)
    assert sorted(item for scale in QLQ.scales.values() for item in scale.items) == sorted(QLQ.items)
    assert {scale.id: scale.range for scale in QLQ.scales.values() if scale.range != 3} == {"QL": 6}
    assert QLQ.summary is not None
    assert len(QLQ.summary.scales) == 13
    assert not {"QL", "FI"} & set(QLQ.summary.scales)
    assert [item.recall_period for item in QLQ.items.values()] == [""] * 5 + ["days7"] * 25


def test_the_check_in_is_that_of_clinical_md():
    items = CHECKIN.items
    assert len(items) == 42
    assert items["temp"].codes == (0, 1, 2, 3, 9)
    assert items["temp"].ordinal_codes == (0, 1, 2, 3)
    assert {name for name, item in items.items() if item.implied == 0} == {
        "bleed_now",
        "tissue",
        "headache_int",
        "sores_int",
        "pain_int",
        "blister",
        "weak",
        "jaundice",
        "thirst",
    }
    assert (items["weight"].minimum, items["weight"].maximum) == (Decimal("25.0"), Decimal("250.0"))
    assert items["free_text"].max_length == 500
    assert items["selfharm"].implied is None
    assert len(CHECKIN.groups["graded"]) == 23
    assert len(CHECKIN.page_sets["short"]) == 16
    assert (CHECKIN.channels, QLQ.channels) == (("web", "chat", "sms"), ("web",))
    assert CHECKIN.sms_pages == "short"


def copy(tmp_path):
    for folder in ("pro/data/instruments", "pro/data/plans", "translations"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def read_copy(root):
    return read_catalogue(root / "pro/data/instruments", root / "translations", [root / "pro/data/plans"])


CHECKIN_FILE, QLQ_FILE = "pro/data/instruments/npc_checkin.yaml", "pro/data/instruments/qlq_c30.yaml"
ZH, EN_QLQ = "translations/zh_Hans/instruments/npc_checkin.yaml", "translations/en/instruments/qlq_c30.yaml"
BROKEN = [
    (CHECKIN_FILE, 'ask_if: "bleed >= 1"', 'ask_if: "bled >= 1"', "items.bleed_now.ask_if", "“bled”"),
    (CHECKIN_FILE, 'ask_if: "bleed >= 1"', 'ask_if: "bleed >= 7"', "items.bleed_now.ask_if", "no code 7"),
    (CHECKIN_FILE, 'ask_if: "bleed >= 1"', 'ask_if: "bleed >="', "items.bleed_now.ask_if", "column"),
    (CHECKIN_FILE, 'ask_if: "bleed >= 1"', 'ask_if: "bleed_now >= 1"', "items.bleed_now.ask_if", "earlier"),
    (CHECKIN_FILE, 'ask_if: "bleed >= 1"', 'ask_if: "breath >= 1"', "items.bleed_now.ask_if", "earlier"),
    (CHECKIN_FILE, 'bleed >= 1", implied: 0', 'bleed >= 1", implied: 5', "items.bleed_now.implied", "5"),
    (CHECKIN_FILE, "faint: {recall", "faint: {implied: 0, recall", "items.faint.implied", "ask_if"),
    (CHECKIN_FILE, "not_ordinal: [9]", "not_ordinal: [8]", "items.temp.not_ordinal", "8"),
    (CHECKIN_FILE, "[0, 1, 2, 3, 9]", "[0, 1, 2, 9, 9]", "items.temp.codes", "2 times"),
    (CHECKIN_FILE, "[hearing, tinnitus, pain, dry", "[hearing, tinitus, pain, dry", "items.other7.lists", "“tinitus”"),
    (CHECKIN_FILE, "[hearing, tinnitus, pain, dry", "[hearing, hearing, pain, dry", "items.other7.lists", "2 times"),
    (CHECKIN_FILE, "minimum: 25.0", "minimum: 251", "items.weight", "minimum below"),
    (CHECKIN_FILE, "max_length: 500", "max_length: 0", "items.free_text", "max_length"),
    (CHECKIN_FILE, "max_length: 500, optional: true", "max_length: 500", "pages.last", "optional"),
    (CHECKIN_FILE, "   selfharm,\n", "", "pages", "“selfharm” is on no page"),
    (CHECKIN_FILE, "   selfharm,\n", "   selfharm, bleed2,\n", "pages", "“bleed2”"),
    (CHECKIN_FILE, "   selfharm,\n", "   selfharm, selfharm,\n", "pages", "2 times"),
    (
        CHECKIN_FILE,
        "[bleed, bleed_now, breath, chest, palp, faint, temp, swallow, neuro,\n   nose",
        "[bleed_now, bleed, breath, chest, palp, faint, temp, swallow, neuro,\n   nose",
        "pages.bleed_now",
        "after it",
    ),
    (CHECKIN_FILE, "kind: list, items: [other7]", "items: [other7]", "pages.other7", "list page"),
    (CHECKIN_FILE, "block_a: [bleed,", "block_a: [blood,", "groups.block_a", "“blood”"),
    (CHECKIN_FILE, "  short:\n    [bleed,", "  short:\n    [blood,", "page_sets.short", "“blood”"),
    (CHECKIN_FILE, "  breath: {", "  bleed: {recall_period: now, codes: [0]}\n  breath: {", "line 1", "appears twice"),
    (CHECKIN_FILE, "channels:", "chanels:", "chanels", "Extra"),
    (CHECKIN_FILE, "sms_pages: short", "sms_pages: long", "sms_pages", "“long”"),
    (CHECKIN_FILE, "sms_pages: short\n", "", "sms_pages", "needs sms_pages"),
    (CHECKIN_FILE, "channels: [web, chat, sms]", "channels: [chat, sms]", "channels", "on the web"),
    (
        CHECKIN_FILE,
        "tissue, headache, headache_int, new_cn]\n",
        "tissue, headache, headache_int, new_cn, other7]\n",
        "sms_pages",
        "too long for a text",
    ),
    (QLQ_FILE, "channels: [web]", "channels: [web, chat]", "channels", "Licensed wording"),
    (CHECKIN_FILE, "id: npc_checkin", "id: checkin", "id", "same name"),
    (CHECKIN_FILE, "items:", "items: [", "line", "YAML"),
    (QLQ_FILE, 'version: "3.0"', 'version: "2.0"', "version", "3.0"),
    (QLQ_FILE, "items: [Q29, Q30]", "items: [Q29, Q31]", "scales.QL", "“Q31”"),
    (QLQ_FILE, "items: [Q6, Q7], range: 3", "items: [Q6, Q7], range: 4", "scales.RF", "range 4"),
    (QLQ_FILE, "scales: [PF, RF", "scales: [XX, RF", "summary.scales", "“XX”"),
    (QLQ_FILE, "reversed: [FA", "reversed: [QL", "summary.reversed", "“QL”"),
    (QLQ_FILE, "id: C30SUMMARY", "id: QL", "summary.id", "already"),
    (QLQ_FILE, "eortc-linear-1", "magic", "scoring", "eortc-linear-1"),
    (ZH, "  bleed_now: {", "  bleed_then: {", "items", "“bleed_now” are missing"),
    (ZH, "  chest:\n", "  extra: {question: 有吗？, short: 有}\n  chest:\n", "items.extra", "no item called “extra”"),
    (ZH, "      4: 很多（满口、一杯，或湿透毛巾）\n", "", "items.bleed.options", "option 4"),
    (ZH, "      4: 很多（满口", "      5: 很多（满口", "items.bleed.options.5", "no option 5"),
    (ZH, "short: 出血\n", "short: ' '\n", "items.bleed.short", "empty"),
    (ZH, "short: 出血\n", "short: <b>出血</b>\n", "items.bleed.short", "markup"),
    (ZH, "now: 现在, ", "", "recall_periods", "“now”"),
    (ZH, "options: severity3", "options: severity9", "items.palp.options", "severity9"),
    (ZH, "language: zh_Hans", "language: zh", "language", "zh_Hans"),
    (ZH, "instrument: npc_checkin", "instrument: qlq_c30", "instrument", "qlq_c30"),
    (ZH, "licence: own", "licence: stolen", "licence", "own"),
    (EN_QLQ, 'instrument_version: "3.0"', 'instrument_version: "2.0"', "instrument_version", "3.0"),
    (EN_QLQ, "ends: {1: Worst, 7: Best}", "ends: {1: Worst, 6: Best}", "items.Q29.options", "option 7"),
]


@pytest.mark.parametrize(("file", "old", "new", "where", "says"), BROKEN, ids=[f"{b[3]}-{b[4]}" for b in BROKEN])
def test_a_dubious_file_stops_the_start(tmp_path, file, old, new, where, says):
    root = copy(tmp_path)
    text = (root / file).read_text("utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_copy(root)
    assert refused.value.file == str(root / file)
    assert refused.value.where.startswith(where)
    assert says in refused.value.sentence
    assert str(refused.value).startswith(f"{root / file}: ")


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("translations/en/instruments/other.yaml", "a: 1", "no instrument called “other”"),
        ("translations/en/plans/other.yaml", "a: 1", "no plan called “other”"),
        ("pro/data/instruments/empty.yaml", "", "valid dictionary"),
        ("pro/data/instruments/list.yaml", "[1, 2]", "valid dictionary"),
        ("pro/data/instruments/code.yaml", "!!python/object/apply:os.system [ls]", "YAML"),
        ("pro/data/instruments/time.yaml", "a: !!timestamp noon", "YAML"),
        ("pro/data/instruments/bool.yaml", "a: !!bool maybe", "YAML"),
        ("pro/data/instruments/key.yaml", "? [a]\n: 1", "YAML"),
        ("pro/data/instruments/bytes.yaml", b"a: \xff", "cannot be read"),
        ("pro/data/instruments/deep.yaml", "[" * 100_000, "YAML"),
    ],
)
def test_strange_files(tmp_path, path, text, says):
    root = copy(tmp_path)
    (root / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CatalogueError, match=says):
        read_copy(root)


def test_words_in_no_language_at_all_are_named(tmp_path):
    root = copy(tmp_path)
    for path in root.glob("translations/*/instruments/npc_checkin.yaml"):
        path.unlink()
    with pytest.raises(CatalogueError, match=r"npc_checkin.*has words in no language"):
        read_copy(root)


def test_yaml_means_what_people_mean(tmp_path):
    (tmp_path / "a.yaml").write_text("{a: No, b: 3.0, c: 2026-11-22, d: 12, e: true, f: ~, g: 1:30, h: 010}", "utf-8")
    assert load_yaml(tmp_path / "a.yaml") == {
        "a": "No",
        "b": "3.0",
        "c": "2026-11-22",
        "d": 12,
        "e": True,
        "f": None,
        "g": "1:30",
        "h": "010",
    }


def test_the_committed_schemas_are_the_generated_ones():
    for path, text in json_schemas().items():
        assert (ROOT / path).read_text("utf-8") == text, f"{path} is out of date: run flask schema"


def test_the_files_obey_their_schemas():
    own = [(f"pro/data/{folder}", "*.yaml") for folder in ("importance", "instruments", "plans", "terms")]
    for folder, pattern in (*own, ("translations", "*/*/*.yaml")):
        schema = yaml.safe_load((ROOT / folder / "schema.json").read_text("utf-8"))
        files = sorted((ROOT / folder).glob(pattern))
        assert files
        for path in files:
            # JSON has text keys only, and editors check option codes as such.
            jsonschema.validate(text_keys(load_yaml(path)), schema)
            first = path.read_text("utf-8").splitlines()[0]
            named = first.removeprefix("# yaml-language-server: $schema=")
            assert (path.parent / named).resolve() == ROOT / folder / "schema.json"


def text_keys(value):
    if isinstance(value, dict):
        return {str(key): text_keys(inner) for key, inner in value.items()}
    return [text_keys(inner) for inner in value] if isinstance(value, list) else value


def test_the_checksum_follows_every_character():
    words = read_words(ROOT / ZH, CHECKIN, "zh_Hans")
    assert len(words.checksum) == 64
    assert with_checksum(words).checksum == words.checksum
    item = words.items["bleed"]
    for other in (
        replace(words, title=words.title + "。"),
        replace(words, recall_periods={**words.recall_periods, "now": "此刻"}),
        replace(words, items={**words.items, "bleed": replace(item, hint=".")}),
        replace(words, items={**words.items, "bleed": replace(item, options={**item.options, 0: "无"})}),
    ):
        assert with_checksum(other).checksum != words.checksum
    assert with_checksum(replace(words, minutes=9)).checksum == words.checksum, "only text counts"


# Licensed wording. The texts are invented: the real ones are never in this repository.
FIELDS = {
    "holder": "The holder",
    "reference": "A-1",
    "study": "NPC",
    "languages": "zh_Hans en",
    "expires": "2027-12-31",
    "label": "V3 test",
    "instrument_version": "3.0",
    "version": "1",
    "title": "问卷",
    "minutes": "10",
    "days7": "过去一周",
}


def filled(**changed):
    """Return the template, filled in.

    ``changed`` gives a field or a row ("Q1", "Q1_4") another text, None removes it.
    """
    lines = []
    for line in template_csv(QLQ, "zh_Hans").splitlines():
        item, code, _, _ = line.split(",")
        key = code if item in ("licence", "form", "recall_period") else "_".join(filter(None, (item, code)))
        text = {**FIELDS, **changed}.get(key, f"题{key}" if key != "item_code" else "text")
        if text is not None:
            lines.append(f"{item},{code},{text},{'short' if key == 'item_code' else ''}")
    return "\n".join(lines) + "\n"


def test_the_template_has_one_row_for_each_item_and_option():
    lines = template_csv(QLQ, "en").splitlines()
    assert lines[0] == "item,code,text,short"
    assert len([line for line in lines if line.startswith("Q")]) == 30 + 28 * 4 + 2 * 7
    assert "form,instrument_version,3.0," in lines
    with pytest.raises(WordingRefused) as refused:
        parse_csv(QLQ, "en", "\n".join(lines), TODAY)
    assert len(refused.value.sentences) > 100, "an empty template lacks everything"


@pytest.mark.parametrize("change", [str, lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_filled_template_is_read(change):
    words = parse_csv(QLQ, "zh_Hans", change(filled()), TODAY)
    assert words.licence.languages == ("zh_Hans", "en")
    assert (words.status, words.title, words.minutes, words.recall_periods["days7"]) == (
        "licensed",
        "问卷",
        10,
        "过去一周",
    )
    item = words.items["Q1"]
    assert (item.question, item.short, item.options[4]) == ("题Q1", "题Q1", "题Q1_4")
    assert words.checksum == parse_csv(QLQ, "zh_Hans", filled(), TODAY).checksum
    assert licence_problems(words.licence, "zh_Hans", TODAY) == []


def test_the_middle_of_a_long_scale_may_stay_without_text():
    middle = {f"Q{item}_{code}": "" for item in (29, 30) for code in range(2, 7)}
    assert list(parse_csv(QLQ, "en", filled(**middle), TODAY).items["Q29"].options) == [1, 7]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"Q7": None}, "“Q7” are missing"),
        ({"Q7": ""}, "items.Q7.question: The text is empty"),
        ({"Q7_3": None}, "option 3 of “Q7” is missing"),
        ({"Q7_3": ""}, "items.Q7.options.3: The text is empty"),
        ({"Q29_7": ""}, "items.Q29.options.7"),
        ({"days7": ""}, "recall_periods.days7"),
        ({"holder": ""}, "licence,holder"),
        ({"expires": None}, "licence,expires"),
        ({"expires": "31.12.2027"}, "not a date"),
        ({"expires": "2026-11-21"}, "ended on 2026-11-21"),
        ({"languages": "en"}, "not zh_Hans"),
        ({"instrument_version": "2.0"}, "version 3.0"),
        ({"instrument_version": ""}, "form,instrument_version"),
        ({"minutes": "ten"}, "whole number"),
        ({"minutes": "-5"}, "whole number"),
        ({"title": ""}, "form,title"),
        ({"Q7": "<script>"}, "markup"),
    ],
)
def test_a_wording_file_that_is_not_whole_is_refused(changed, says):
    with pytest.raises(WordingRefused) as refused:
        parse_csv(QLQ, "zh_Hans", filled(**changed), TODAY)
    assert any(says in sentence for sentence in refused.value.sentences)
    assert len(refused.value.sentences) <= 2


@pytest.mark.parametrize(
    ("added", "says"),
    [
        ("Q31,,多,", "“Q31”"),
        ("Q7,9,多,", "no option 9"),
        ("Q7,x,多,", "no option x"),
        ("Q7,,再,", "appears twice"),
        ("Q99,1,多,", "“Q99”"),
        ("licence,colour,red,", "licence,colour"),
        ("recall_period,days9,九天,", "“days9”"),
        ("Q7,5," + "长" * 3000 + ",", "2000"),
    ],
)
def test_rows_too_many_are_refused(added, says):
    with pytest.raises(WordingRefused) as refused:
        parse_csv(QLQ, "zh_Hans", filled() + added + "\n", TODAY)
    assert any(says in sentence for sentence in refused.value.sentences)


@pytest.mark.parametrize("text", ["", "hello", "item;code;text;short\n", filled()[5:], "\x00", '"' + "x" * 300_000])
def test_another_file_is_refused(text):
    with pytest.raises(WordingRefused):
        parse_csv(QLQ, "zh_Hans", text, TODAY)


def test_unlicensed_wording_is_never_usable():
    words = read_words(ROOT / EN_QLQ, QLQ, "en")
    assert licence_problems(words.licence, "en", TODAY) == [
        "This wording has no licence: load the licensed wording, or stay in demonstration mode."
    ]


def test_a_sites_plan_takes_the_place_of_the_built_in_one(tmp_path: Path) -> None:
    built_in = ROOT / "pro" / "data" / "plans" / "npc_reirradiation.yaml"
    text = built_in.read_text(encoding="utf-8").replace("demonstration: true", "demonstration: false")
    (tmp_path / built_in.name).write_text(text, encoding="utf-8")
    found = read_catalogue(ROOT / "pro/data/instruments", ROOT / "translations", [ROOT / "pro/data/plans", tmp_path])
    assert found.plans["npc_reirradiation"].settings.demonstration is False


def test_a_second_study_is_a_second_file_with_its_words_beside_it(tmp_path: Path) -> None:
    built_in = ROOT / "pro" / "data" / "plans" / "npc_reirradiation.yaml"
    text = built_in.read_text(encoding="utf-8").replace("id: npc_reirradiation", "id: second_study")
    (tmp_path / "second_study.yaml").write_text(text, encoding="utf-8")
    for language in ("zh_Hans", "en"):
        words = ROOT / "translations" / language / "plans" / "npc_reirradiation.yaml"
        beside = tmp_path / "words" / language / "second_study.yaml"
        beside.parent.mkdir(parents=True)
        renamed = words.read_text(encoding="utf-8").replace("npc_reirradiation", "second_study")
        beside.write_text(renamed, encoding="utf-8")
    found = read_catalogue(ROOT / "pro/data/instruments", ROOT / "translations", [ROOT / "pro/data/plans", tmp_path])
    assert set(found.plans) == {"npc_reirradiation", "second_study"}
    assert found.plan_words["second_study", "zh_Hans"].title == found.plan_words["npc_reirradiation", "zh_Hans"].title

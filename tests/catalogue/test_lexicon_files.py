"""Test lexicon files: the built-in ones, a site's own, and the errors of invalid ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from pro.catalogue import CatalogueError, read_catalogue
from pro.catalogue.json_schemas import json_schemas
from pro.catalogue.lexicon_files import read_lexicon
from pro.catalogue.yaml_source import load_yaml
from pro.core.rule_language.level import Level
from pro.core.text.red_flag_screening import screen

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "pro/data/lexicons/npc_freetext.yaml"
FOLDERS = (ROOT / "pro/data/instruments", ROOT / "translations")


def test_the_catalogue_holds_the_shipped_lexicon():
    lexicons = read_catalogue(*FOLDERS, [ROOT / "pro/data/plans"]).lexicons
    assert {name: lexicon.version for name, lexicon in lexicons.items()} == {"npc_freetext": "2.1.0-draft"}
    with pytest.raises(TypeError):
        lexicons["other"] = lexicons["npc_freetext"]  # type: ignore[index]


def test_a_site_lays_its_own_over_it(tmp_path):
    own = tmp_path / "site" / "lexicons" / SHIPPED.name
    own.parent.mkdir(parents=True)
    shutil.copy(ROOT / "pro/data/plans/npc_reirradiation.yaml", tmp_path / "site")
    text = SHIPPED.read_text("utf-8").replace("2.1.0-draft", "2.1.1-site").replace("[大出血, ", "[大出血, 红灾, ", 1)
    own.write_text(text, "utf-8")
    lexicon = read_catalogue(*FOLDERS, [ROOT / "pro/data/plans", tmp_path / "site"]).lexicons["npc_freetext"]
    assert lexicon.version == "2.1.1-site"
    assert screen("红灾", lexicon).level is Level.EMERGENCY
    assert screen("红灾", read_lexicon(SHIPPED)).level is Level.WATCH


def test_the_lexicon_that_a_plan_names_must_be_there(tmp_path):
    with pytest.raises(CatalogueError, match="There is no"):
        read_catalogue(*FOLDERS, [ROOT / "pro/data/plans"], lexicons=tmp_path)
    shutil.copytree(ROOT / "pro/data/instruments", tmp_path / "instruments")
    with pytest.raises(CatalogueError, match="no lexicon called “npc_freetext”"):
        read_catalogue(tmp_path / "instruments", ROOT / "translations", [ROOT / "pro/data/plans"])


BROKEN = [
    ("id: npc_freetext", "id: other", "id", "use one name"),
    (
        "      emergency: [blood",
        "      loud: [blood",
        "classes.bleed.frames.loud.[key]",
        "'watch', 'urgent' or 'emergency'",
    ),
    ("    resolved: watch\n", "    resolved: quiet\n", "classes.fever.resolved", "'watch', 'urgent' or 'emergency'"),
    ("version: 2", "unknown: 1\nversion: 2", "unknown", "Extra inputs"),
    (
        "emergency: [blood + much",
        "emergency: [blood + mucha",
        "classes.bleed.frames.emergency, number 1",
        "no concept “mucha”",
    ),
    (
        "emergency: [blood + much",
        "emergency: [~blood + much",
        "classes.bleed.frames.emergency, number 1",
        "has no mark",
    ),
    ("overrides: [bleed,", "overrides: [blood,", "classes.death.overrides", "no class “blood”"),
    (
        "  blood_picture:\n    zh_Hans: [",
        "  blood_picture:\n    zh_Hans: [血光, 血光, ",
        "words.blood_picture.zh_Hans, number 2",
        "appears twice",
    ),
    (
        "  blood_picture:\n    zh_Hans: [",
        '  blood_picture:\n    zh_Hans: ["{flood} 光", ',
        "words.blood_picture.zh_Hans, number 1",
        "no group “flood”",
    ),
    (
        "  blood_picture:\n    zh_Hans: [",
        "  blood_picture:\n    zh_Hans: [光?, ",
        "words.blood_picture.zh_Hans, number 1",
        "means nothing here",
    ),
    (
        "  blood_picture:\n    zh_Hans: [",
        "  blood_picture:\n    zh_Hans: [光//血, ",
        "words.blood_picture.zh_Hans, number 1",
        "is empty",
    ),
    (
        "  blood_picture:\n    zh_Hans: [",
        "  blood_picture:\n    zh_Hans: [-/-, ",
        "words.blood_picture.zh_Hans, number 1",
        "at least one letter",
    ),
    (
        "  blood_picture:\n    zh_Hans: [",
        '  blood_picture:\n    zh_Hans: ["{num} {num} {num} {num} {num}", ',
        "words.blood_picture.zh_Hans, number 1",
        "more than",
    ),
    ("  ceased_end:\n", "  ceased_ends:\n", "words", "The concept ceased_end has no words"),
    ("  num: [", '  num: ["{ten_up}", ', "groups.num", "cannot hold a group"),
    ("by_sound: [", "by_sound: [sounds, ", "by_sound", "no concept “sounds”"),
    ("alike: {疼: 痛,", "alike: {疼: 痛, 痛: 病,", "alike.疼", "itself replaced"),
    ("alike: {疼: 痛,", "alike: {疼: 疼痛,", "alike.疼", "at most 1 character"),
]


@pytest.mark.parametrize(("old", "new", "where", "sentence"), BROKEN)
def test_a_dubious_lexicon_is_refused(tmp_path, old, new, where, sentence):
    text = SHIPPED.read_text("utf-8")
    assert old in text
    path = tmp_path / SHIPPED.name
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CatalogueError) as caught:
        read_lexicon(path)
    assert (caught.value.file, caught.value.where) == (str(path), where)
    assert sentence in caught.value.sentence


def test_the_shipped_file_obeys_its_schema():
    name = "pro/data/lexicons/schema.json"
    assert (ROOT / name).read_text("utf-8") == json_schemas()[name], f"{name} is out of date: run flask schema"
    jsonschema.validate(load_yaml(SHIPPED), yaml.safe_load((ROOT / name).read_text("utf-8")))
    assert SHIPPED.read_text("utf-8").startswith("# yaml-language-server: $schema=schema.json\n")

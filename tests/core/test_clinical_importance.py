"""Test the meaning of a score and its change (docs/domain.md 1.7, 1.8), and file errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from pro.catalogue import CatalogueError, read_instruments
from pro.catalogue.instrument_files.clinical_importance import read_importance
from pro.core.questionnaire import clinical_importance

ROOT = Path("pro/data")
KNOWN = read_instruments(ROOT / "instruments")
QLQ = KNOWN["qlq_c30"]
FILE = ROOT / "importance" / "qlq_c30.yaml"
MEANS = read_importance(FILE, KNOWN)


def test_the_thresholds_are_those_published_and_not_verified():
    assert dict(MEANS.thresholds) == {
        "PF": 83,
        "RF": 58,
        "EF": 71,
        "CF": 75,
        "SF": 58,
        "FA": 39,
        "NV": 8,
        "PA": 25,
        "DY": 17,
        "SL": 50,
        "AP": 50,
        "CO": 50,
        "DI": 17,
        "FI": 17,
    }
    sources = (MEANS.threshold_source, MEANS.points_source, MEANS.change_source)
    assert [source.name for source in sources] == ["Giesinger 2020", "Osoba 1998", "Cocks 2012"]
    assert not any(source.verified for source in sources)


@pytest.mark.parametrize(
    ("scale", "value", "important"),
    [
        ("PF", 80, True),
        ("PF", 86.7, False),
        ("NV", 16.7, True),
        ("NV", 0, False),
        ("QL", 0, None),
        ("C30SUMMARY", 0, None),
    ],
)
def test_important_is_below_for_functions_and_above_for_symptoms(scale, value, important):
    assert clinical_importance.is_important(MEANS, QLQ, scale, value) is important


@pytest.mark.parametrize(
    ("scale", "before", "after", "way", "size"),
    [
        ("PF", 93.3, 73.3, "worse", "large"),
        ("PF", 80, 75, "same", "small"),
        ("PF", 80, 70, "worse", "small"),  # the upper figure belongs to the smaller class
        ("PF", 80, 69, "worse", "medium"),
        ("QL", 75, 79, "same", "trivial"),
        ("QL", 50, 60, "better", "medium"),
        ("FA", 22.2, 55.6, "worse", "large"),
        ("PA", 50, 33.3, "better", "large"),
        ("EF", 100, 25, "worse", "medium"),  # no large change was published
        ("FI", 66.7, 0, "better", "small"),
        ("C30SUMMARY", 94, 66, "worse", ""),
        ("DY", 0, 0, "same", "trivial"),
    ],
)
def test_a_change_has_a_way_and_the_published_class(scale, before, after, way, size):
    found = clinical_importance.score_change(MEANS, QLQ, scale, before, after)
    assert (found.way, found.size, found.points) == (way, size, after - before)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("instrument: qlq_c30", "instrument: npc_checkin", "instrument"),
        ('instrument_version: "3.0"', 'instrument_version: "2.0"', "instrument_version"),
        ("{PF: 83", "{XX: 83", "thresholds.scales.XX"),
        ("QL: [5, 8]", "QL: [8, 5]", "changes.better.QL"),
        ("points: 10", "points: 0", "shown.points"),
        ("verified: false", "verified: perhaps", "thresholds.verified"),
    ],
)
def test_a_dubious_file_is_refused_with_its_place(tmp_path, old, new, where):
    path = Path(shutil.copy(FILE, tmp_path / "qlq_c30.yaml"))
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(CatalogueError) as refused:
        read_importance(path, KNOWN)
    assert refused.value.where == where


def test_the_file_is_valid_yaml_for_any_reader():
    assert yaml.safe_load(FILE.read_text("utf-8"))["instrument"] == "qlq_c30"

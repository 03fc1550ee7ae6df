"""Test languages that plans, instruments or terms lack: another one is read, and the gap is listed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro.catalogue import Catalogue, CatalogueError, read_catalogue
from pro.i18n import LANGUAGES, choose_language

ROOT = Path(__file__).resolve().parents[2]
PLAN = "npc_reirradiation"
codes = st.sampled_from(["zh_Hans", "en", "ar", "en_GB", "zh_Hant", "de"])


@given(codes, st.sets(codes, min_size=1))
def test_the_language_is_one_that_is_there(wished: str, available: set[str]) -> None:
    found = choose_language(wished, available)
    assert found in available
    assert found == wished or wished not in available


@pytest.mark.parametrize(
    ("wished", "available", "found"),
    [
        ("en", {"ar", "en"}, "en"),
        ("en_GB", {"ar", "en", "zh_Hans"}, "en"),
        ("fr", {"ar", "en"}, "en"),
        ("fr", {"en", "zh_Hans"}, "zh_Hans"),
        ("fr", {"ar", "de"}, "ar"),
        ("", {"de"}, "de"),
    ],
)
def test_which_language_is_read_instead(wished: str, available: set[str], found: str) -> None:
    assert choose_language(wished, available) == found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a copy of the data files."""
    shutil.copytree(ROOT / "pro/data", tmp_path / "pro/data")
    shutil.copytree(ROOT / "translations", tmp_path / "translations")
    return tmp_path


def read(root: Path) -> Catalogue:
    return read_catalogue(root / "pro/data/instruments", root / "translations", [root / "pro/data/plans"])


def test_nothing_is_missing_in_what_is_shipped(catalogue: Catalogue) -> None:
    assert catalogue.gaps == ()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file", [f"plans/{PLAN}.yaml", "instruments/npc_checkin.yaml", "terms/ctcae_v5.yaml"])
def test_a_file_that_is_missing_in_one_language_is_a_gap(root: Path, language: str, file: str) -> None:
    (root / "translations" / language / file).unlink()
    found = read(root)
    other = next(one for one in LANGUAGES if one != language)
    assert [(gap.language, gap.shown_in) for gap in found.gaps] == [(language, other)]
    assert language in found.gaps[0].sentence
    assert found.plan_words[PLAN, language].title
    assert found.words["npc_checkin", language].items["bleed"].question
    assert found.term_words[language][
        "oral_mucositis" if "oral_mucositis" in found.terms.terms else next(iter(found.terms.terms))
    ]


def test_a_language_that_sorts_first_and_has_instruments_only(root: Path) -> None:
    shutil.copytree(root / "translations/en/instruments", root / "translations/ar/instruments")
    for path in (root / "translations/ar/instruments").glob("*.yaml"):
        path.write_text(path.read_text("utf-8").replace("language: en", "language: ar"), encoding="utf-8")
    found = read(root)
    assert found.languages[0] == "ar"
    assert found.plan_words[PLAN, "ar"].language in LANGUAGES
    assert found.plan_words[PLAN, "en"].language == "en"


def test_an_empty_folder_is_no_language(root: Path) -> None:
    (root / "translations/ar/instruments").mkdir(parents=True)
    assert read(root).languages == ("en", "zh_Hans")


def test_a_plan_offers_a_language_that_the_interface_lacks(root: Path) -> None:
    path = root / f"pro/data/plans/{PLAN}.yaml"
    text = path.read_text("utf-8")
    assert "languages: [zh_Hans, en]" in text
    path.write_text(text.replace("languages: [zh_Hans, en]", "languages: [zh_Hans, en, ar]"), encoding="utf-8")
    assert {(gap.part, gap.language) for gap in read(root).gaps} == {
        ("plan", "ar"),
        ("instrument", "ar"),
        ("interface", "ar"),
    }


def test_a_plan_with_words_in_no_language_prevents_a_start(root: Path) -> None:
    for language in LANGUAGES:
        (root / "translations" / language / "plans" / f"{PLAN}.yaml").unlink()
    with pytest.raises(CatalogueError, match="words in none of these"):
        read(root)


def test_an_invalid_file_still_prevents_a_start(root: Path) -> None:
    path = root / f"translations/en/plans/{PLAN}.yaml"
    path.write_text(path.read_text("utf-8").replace("rules:", "rules_:"), encoding="utf-8")
    with pytest.raises(CatalogueError, match=rf"en/plans/{PLAN}\.yaml"):
        read(root)


def test_what_is_gone_is_shown_by_its_name(catalogue: Catalogue) -> None:
    words = catalogue.words["gone_instrument", "en"]
    assert (words.title, words.items["q1"].short, dict(words.items)) == ("gone_instrument", "q1", {})
    plan = catalogue.plan_words["gone_plan", "en"]
    assert (plan.title, plan.rules["U01"], plan.visit("week", 3)) == ("gone_plan", "U01", "week 3")
    # Who reads the answers of another study, and when, is not said.
    assert (plan.study_team, plan.hours) == ("", "")
    assert catalogue.plan_words.get(("gone_plan", "en")) is None
    assert ("gone_plan", "en") not in catalogue.plan_words
    assert catalogue.plan_or_none("gone_plan") is None
    shown = catalogue.shown_plan("gone_plan")
    assert (shown.version, shown.rules, shown.visit_schedule) == ("", (), None)
    # Nothing by which a form is issued or judged, and no telephone number of another study.
    assert (shown.instruments, shown.idle_minutes, shown.checkin) == ((), (), "")
    settings = shown.settings
    assert (settings.hotline, settings.hotline_shown, settings.it_department, dict(settings.sender)) == ("", "", "", {})
    assert settings.emergency == catalogue.plans[PLAN].settings.emergency
    assert catalogue.shown_instrument("gone_instrument").items == {}
    assert catalogue.term_words["en"]["gone_term"].name == "gone_term"
    assert catalogue.plan_words[PLAN, "en"].advice["gone_block"].steps == ()

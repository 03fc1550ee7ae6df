"""Licensed words: kept for ever, pinned to a form, and needed in production."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pro.app_context import AppContext
from pro.core.questionnaire.instrument import Licence, Words
from pro.errors import NotAllowed
from pro.features.forms import licensed_wording
from pro.models import Assessment, Wording
from tests.support import form_browser
from tests.support.alert_ward import Ward

LICENCE = Licence(
    "licensed", holder="Holder", reference="R-1", study="S", languages=("zh_Hans", "en"), expires="2026-12-31"
)


def licensed(house: AppContext, language: str = "en", version: str = "1", **changes: Any) -> Words:
    own = house.catalogue.words["qlq_c30", language]
    return replace(
        own,
        version=version,
        status="licensed",
        licence=replace(LICENCE, **changes),
        title=f"Licensed {version}",
        checksum=f"{language}-{version}".ljust(64, "0"),
    )


def load(house: AppContext, *texts: Words) -> None:
    with form_browser.working(house) as work:
        for words in texts:
            licensed_wording.load(work, words, "received by post")


def in_production(ward: Ward) -> Ward:
    return replace(ward, house=replace(ward.house, config=replace(ward.house.config, production=True)))


def test_without_a_licence_our_own_words_are_current(ward):
    with form_browser.working(ward.house) as work:
        assert licensed_wording.current(work, "qlq_c30", "en") is ward.house.catalogue.words["qlq_c30", "en"]
        assert not licensed_wording.is_licensed(work, licensed_wording.current(work, "qlq_c30", "en"))
        assert licensed_wording.is_licensed(work, licensed_wording.current(work, "npc_checkin", "en"))


def test_the_newest_text_is_issued_and_an_older_one_stays_with_its_forms(any_ward):
    load(any_ward.house, licensed(any_ward.house, version="1"))
    any_ward.start(any_ward.qlq).finish()
    first = any_ward.start(any_ward.send("qlq_c30"), language="en")
    load(any_ward.house, licensed(any_ward.house, version="2"))
    assert first.form().words.title == "Licensed 1"
    first.submit()
    second = any_ward.start(any_ward.send("qlq_c30"), language="en")
    assert second.form().words.title == "Licensed 2"
    assert first.form().words.title == "Licensed 1"
    assert first.form().words.items == any_ward.house.catalogue.words["qlq_c30", "en"].items
    assert [row.version for row in any_ward.rows(Wording)] == ["1", "2"]
    (one, _two) = any_ward.events("wording.loaded")
    assert (one.new["version"], one.reason) == ("1", "received by post")


def test_a_form_of_before_keeps_the_words_of_before(ward):
    load(ward.house, licensed(ward.house))
    old = next(row for row in ward.rows(Assessment) if row.instrument == "qlq_c30")
    assert old.wordings["en"] == ward.house.catalogue.words["qlq_c30", "en"].checksum
    assert ward.start(ward.qlq, language="en").form().words.status != "licensed"


def test_production_needs_every_language_licensed(any_ward):
    strict = in_production(any_ward)
    with form_browser.working(strict.house) as work:
        assert len(licensed_wording.missing_licences(work)) == 2
    load(strict.house, licensed(strict.house, "en"))
    with form_browser.working(strict.house) as work:
        (problem,) = licensed_wording.missing_licences(work)
        assert "qlq_c30 has no licensed wording in zh_Hans" in problem
        with pytest.raises(NotAllowed) as refused:
            licensed_wording.issuable(work, "qlq_c30")
        assert refused.value.details == {"instrument": "qlq_c30", "language": "zh_Hans"}
    load(strict.house, licensed(strict.house, "zh_Hans"))
    with form_browser.working(strict.house) as work:
        assert licensed_wording.missing_licences(work) == []
        assert set(licensed_wording.issuable(work, "qlq_c30")) == {"en", "zh_Hans"}


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({"expires": "2026-03-02"}, True),
        ({"expires": "2026-03-01"}, False),
        ({"expires": ""}, True),
        ({"expires": "next year"}, False),
        ({"languages": ("zh_Hans",)}, False),
        ({"kind": "demonstration"}, False),
        ({"kind": "own"}, False),
    ],
)
def test_a_licence_that_does_not_cover_it_is_none(ward, changes, valid):
    with form_browser.working(ward.house) as work:
        assert licensed_wording.is_licensed(work, licensed(ward.house, **changes)) is valid


def test_a_pinned_text_that_is_nowhere_falls_back_to_our_own(ward):
    with form_browser.working(ward.house) as work:
        own = ward.house.catalogue.words["qlq_c30", "en"]
        assert licensed_wording.by_checksum(work, "qlq_c30", "en", "f" * 64) is own
        assert licensed_wording.by_checksum(work, "qlq_c30", "en", "") is own


def test_what_was_loaded_can_be_listed(ward):
    load(ward.house, licensed(ward.house, "en"), licensed(ward.house, "zh_Hans"))
    with form_browser.working(ward.house) as work:
        assert [row.language for row in licensed_wording.loaded(work)] == ["en", "zh_Hans"]

"""Test licensed wording: kept permanently, pinned to a form, required in production."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pro.app_context import AppContext
from pro.core.questionnaire.instrument import Licence, Words
from pro.errors import NotAllowed
from pro.features.forms import licensed_wording
from pro.models import Assessment, LicensedWording
from tests.support import form_browser
from tests.support.alert_clinic import Clinic

LICENCE = Licence(
    "licensed", holder="Holder", reference="R-1", study="S", languages=("zh_Hans", "en"), expires="2026-12-31"
)


def licensed(app_context: AppContext, language: str = "en", version: str = "1", **changes: Any) -> Words:
    own = app_context.catalogue.words["qlq_c30", language]
    return replace(
        own,
        version=version,
        status="licensed",
        licence=replace(LICENCE, **changes),
        title=f"Licensed {version}",
        checksum=f"{language}-{version}".ljust(64, "0"),
    )


def load(app_context: AppContext, *texts: Words) -> None:
    with form_browser.unit_of_work(app_context) as work:
        for words in texts:
            licensed_wording.load_wording(work, words, "received by post")


def in_production(clinic: Clinic) -> Clinic:
    return replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, production=True))
    )


def test_without_a_licence_our_own_words_are_current(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert (
            licensed_wording.current_words(work, "qlq_c30", "en") is clinic.app_context.catalogue.words["qlq_c30", "en"]
        )
        assert not licensed_wording.is_licensed(work, licensed_wording.current_words(work, "qlq_c30", "en"))
        assert licensed_wording.is_licensed(work, licensed_wording.current_words(work, "npc_checkin", "en"))


def test_the_newest_text_is_issued_and_an_older_one_stays_with_its_forms(any_clinic):
    load(any_clinic.app_context, licensed(any_clinic.app_context, version="1"))
    any_clinic.start(any_clinic.qlq).finish()
    first = any_clinic.start(any_clinic.send("qlq_c30"), language="en")
    load(any_clinic.app_context, licensed(any_clinic.app_context, version="2"))
    assert first.form().words.title == "Licensed 1"
    first.submit()
    second = any_clinic.start(any_clinic.send("qlq_c30"), language="en")
    assert second.form().words.title == "Licensed 2"
    assert first.form().words.title == "Licensed 1"
    assert first.form().words.items == any_clinic.app_context.catalogue.words["qlq_c30", "en"].items
    assert [row.version for row in any_clinic.rows(LicensedWording)] == ["1", "2"]
    (one, _two) = any_clinic.events("licensed_wording.loaded")
    assert (one.new["version"], one.reason) == ("1", "received by post")


def test_a_form_of_before_keeps_the_words_of_before(clinic):
    load(clinic.app_context, licensed(clinic.app_context))
    old = next(row for row in clinic.rows(Assessment) if row.instrument == "qlq_c30")
    assert old.wordings["en"] == clinic.app_context.catalogue.words["qlq_c30", "en"].checksum
    assert clinic.start(clinic.qlq, language="en").form().words.status != "licensed"


def test_production_needs_every_language_licensed(any_clinic):
    strict = in_production(any_clinic)
    with form_browser.unit_of_work(strict.app_context) as work:
        assert len(licensed_wording.missing_licences(work)) == 2
    load(strict.app_context, licensed(strict.app_context, "en"))
    with form_browser.unit_of_work(strict.app_context) as work:
        (problem,) = licensed_wording.missing_licences(work)
        assert "qlq_c30 has no licensed wording in zh_Hans" in problem
        with pytest.raises(NotAllowed) as refused:
            licensed_wording.checksums_to_pin(work, "qlq_c30")
        assert refused.value.details == {"instrument": "qlq_c30", "language": "zh_Hans"}
    load(strict.app_context, licensed(strict.app_context, "zh_Hans"))
    with form_browser.unit_of_work(strict.app_context) as work:
        assert licensed_wording.missing_licences(work) == []
        assert set(licensed_wording.checksums_to_pin(work, "qlq_c30")) == {"en", "zh_Hans"}


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
def test_a_licence_that_does_not_cover_it_is_none(clinic, changes, valid):
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert licensed_wording.is_licensed(work, licensed(clinic.app_context, **changes)) is valid


def test_a_pinned_text_that_is_nowhere_falls_back_to_our_own(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        own = clinic.app_context.catalogue.words["qlq_c30", "en"]
        assert licensed_wording.find_words(work, "qlq_c30", "en", "f" * 64) is own
        assert licensed_wording.find_words(work, "qlq_c30", "en", "") is own


def test_what_was_loaded_can_be_listed(clinic):
    load(clinic.app_context, licensed(clinic.app_context, "en"), licensed(clinic.app_context, "zh_Hans"))
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert [row.language for row in licensed_wording.list_wordings(work)] == ["en", "zh_Hans"]

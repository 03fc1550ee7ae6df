"""Test languages: negotiated from the request, and used without a request."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pro.i18n import HTML_CODES, LANGUAGE_NAMES, LANGUAGES, negotiate_language
from pro.web.refusals import NP_


@pytest.mark.parametrize(
    ("wishes", "spoken"),
    [
        ((), "zh_Hans"),
        ((None, ""), "zh_Hans"),
        (("en",), "en"),
        (("zh_Hans",), "zh_Hans"),
        (("zh-CN,zh;q=0.9,en;q=0.8",), "zh_Hans"),
        (("en-GB,en;q=0.9,zh;q=0.8",), "en"),
        (("fr-FR,fr;q=0.9,en;q=0.5",), "en"),
        (("de,fr",), "zh_Hans"),
        (("zh-Hant-TW",), "zh_Hans"),
        (("EN-us",), "en"),
        ((None, "en", "zh-CN"), "en"),
        (("fr", "en"), "en"),
        (("*",), "zh_Hans"),
        ((";q=,,;",), "zh_Hans"),
        (("en_US.UTF-8",), "en"),
    ],
)
def test_the_first_wish_that_is_spoken(wishes, spoken):
    assert negotiate_language(*wishes) == spoken


def test_every_language_has_its_names():
    assert set(HTML_CODES) == set(LANGUAGE_NAMES) == set(LANGUAGES)


def test_a_translator_leads_to_the_other_language(catalogs):
    assert [catalogs.translator(language).other for language in LANGUAGES] == list(reversed(LANGUAGES))
    assert catalogs.translator("zh_Hans").html_code == "zh-Hans-CN"


def test_a_language_that_is_not_spoken_falls_back(catalogs):
    """Found: a colleague whose language the interface lacks got no alert."""
    assert catalogs.translator("fr").language == "zh_Hans"
    assert catalogs.translator("en_GB").language == "en"


def test_an_unknown_text_is_shown_as_it_is_and_percent_signs_stay(catalogs):
    for language in LANGUAGES:
        words = catalogs.translator(language)
        assert words.gettext("No such text, 100 %") == "No such text, 100 %"
        assert words.gettext("No such %(thing)s", thing="血%s") == "No such 血%s"
        assert words.ngettext("%(num)s odd thing", "%(num)s odd things", 2) == "2 odd things"


def test_a_text_with_several_meanings_has_one_translation_for_each(catalogs):
    """Found: the state "Open" of a form was translated like the button "Open", a failed message like a failed test."""
    chinese, english = catalogs.translator("zh_Hans"), catalogs.translator("en")
    assert chinese.gettext(NP_("form state", "Open")) != chinese.gettext("Open")
    assert chinese.gettext(NP_("message", "Failed")) != chinese.gettext(NP_("test alert", "Failed"))
    assert english.gettext(NP_("form state", "Open")) == english.gettext("Open") == "Open"
    for words in (chinese, english):
        assert words.gettext(NP_("no such context", "Open")) == "Open"


def test_a_time_is_shown_where_the_study_is(catalogs):
    at = datetime(2026, 3, 2, 17, 30, tzinfo=UTC)
    assert catalogs.translator("en").when(at, "Asia/Shanghai", "y-MM-dd HH:mm") == "2026-03-03 01:30"
    assert catalogs.translator("en").when(at, "UTC", "d MMMM y") == "2 March 2026"
    assert catalogs.translator("zh_Hans").when(at, "UTC", "MMMM d") == "三月 2"

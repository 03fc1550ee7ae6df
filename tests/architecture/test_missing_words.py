"""No page and no message fails for a language, a plan or an instrument that is missing, and staff see what is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.catalogue.absent_words import absent_plan_words, absent_words
from pro.catalogue.language_fallback import ByLanguage, LanguageGap, WordsByLanguage, find_gaps, reader_languages
from pro.db import transaction
from pro.features.duty_roster import staff_messages
from pro.features.operations import start_check
from pro.models import Participant, StaffMember
from tests.architecture.conftest import InstalledFullStudy
from tests.support import nasty_requests
from tests.support.factories import PLAN
from tests.support.participant_browser import ParticipantBrowser
from tests.support.source_files import MODULES, PRO, nodes_of, place, report
from tests.support.staff_browser import signed_in_browser

Found = TypeVar("Found")
ANY = ("zh_Hans", "en", "ar")
languages = st.sets(st.sampled_from(ANY), min_size=1).map(frozenset)
# Only staff who act may sign out, and a PDF of this page takes seconds.
SLOW = {"/staff/participants/<int(max=2147483647):participant_id>/pre-dose.pdf"}
# They judge or are demonstrations: without the plan there is nothing to do, and they say so loudly themselves.
MAY_FAIL = {
    "pro.features.alerts.evaluation",
    "pro.features.alerts.alert_service",
    "pro.features.operations.worker_steps",
    "pro.features.operations.demo_participants",
    "pro.features.operations.demo_stories",
    "pro.features.operations.demo_forms",
    "pro.features.operations.demo_study",
    # An id that the same function has just checked.
    "pro.features.schedule.enrolment",
    "pro.cli.wording",
}


def spoken(catalogue: Catalogue, plans: Iterable[str], instruments: Iterable[str], terms: Iterable[str]) -> Catalogue:
    """Return ``catalogue`` with words in these languages only; Arabic is English under another name."""

    def words_in(known: WordsByLanguage[Found], wanted: Iterable[str]) -> dict[tuple[str, str], Found]:
        names = dict.fromkeys(name for name, _language in known)
        source = {"ar": "en"}
        return {
            (name, one): replace(known[name, source.get(one, one)], language=one)  # type: ignore[type-var]
            for name in names
            for one in sorted(wanted)
        }

    assert isinstance(catalogue.words, WordsByLanguage)
    assert isinstance(catalogue.plan_words, WordsByLanguage)
    of_plans = words_in(catalogue.plan_words, plans)
    first = next(iter(of_plans.values()))
    plan_words = WordsByLanguage(of_plans, lambda name, _language: absent_plan_words(first, name))
    words = WordsByLanguage(words_in(catalogue.words, instruments), absent_words)
    readers = reader_languages()
    gaps: list[LanguageGap] = [
        *find_gaps("plan", plan_words, dict.fromkeys(catalogue.plans, readers)),
        *find_gaps("instrument", words, dict.fromkeys(catalogue.instruments, readers)),
    ]
    return replace(
        catalogue,
        words=words,
        plan_words=plan_words,
        term_words=ByLanguage({one: catalogue.term_words["en" if one == "ar" else one] for one in sorted(terms)}),
        languages=tuple(sorted(instruments)),
        gaps=tuple(gaps),
    )


def use(installed: InstalledFullStudy, catalogue: Catalogue) -> AppContext:
    """Let the application of ``installed`` read ``catalogue``."""
    changed = replace(installed.app_context, catalogue=catalogue)
    installed.app.extensions["app_context"] = replace(installed.app.extensions["app_context"], catalogue=catalogue)
    return changed


def broken_pages(installed: InstalledFullStudy, role: str, language: str) -> list[str]:
    """Return the staff pages that fail for ``role`` in ``language``, and check that no page is empty."""
    browser = signed_in_browser(installed.app, installed.study.staff[role])
    known = {name: str(number) for name, number in installed.full_study.ids.items()} | {
        "instrument": "npc_checkin",
        "plan": PLAN,
        "message_id": "1",
    }
    found = []
    for rule in nasty_requests.rules(installed.app, "GET"):
        if rule.startswith("/staff") and rule not in SLOW:
            address = re.sub(r"<(?:[^<>:]+:)?(\w+)>", lambda gap: known.get(gap[1], "1"), rule)
            answer = browser.client.get(f"{address}?lang={language}")
            if answer.status_code >= 500:
                found.append(f"{answer.status_code} {address}")
    return found


def participant_walks(installed: InstalledFullStudy, language: str) -> None:
    """Let the participant open the form, report heavy bleeding, understand, and go on."""
    person = installed.study.chinese
    phone = ParticipantBrowser(installed.app)
    assert phone.open(f"{person.qlq.path}?lang={language}").status_code == 200
    assert phone.press(by="self").status_code == 303
    assert phone.open(f"{person.qlq.path}?lang={language}").status_code == 200
    assert phone.open(f"{person.checkin.path}?lang={language}").status_code in (200, 409, 410)


@given(
    plans=languages,
    instruments=languages,
    terms=languages,
    role=st.sampled_from(["investigator", "administrator"]),
    language=st.sampled_from(["en", "zh_Hans"]),
)
@example(
    plans=frozenset({"zh_Hans"}),
    instruments=frozenset({"zh_Hans"}),
    terms=frozenset({"zh_Hans"}),
    role="investigator",
    language="en",
)
@example(
    plans=frozenset({"en"}),
    instruments=frozenset({"ar"}),
    terms=frozenset({"ar"}),
    role="investigator",
    language="zh_Hans",
)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_page_fails_for_a_language(
    installed: InstalledFullStudy,
    catalogue: Catalogue,
    plans: frozenset[str],
    instruments: frozenset[str],
    terms: frozenset[str],
    role: str,
    language: str,
) -> None:
    use(installed, spoken(catalogue, plans, instruments, terms))
    assert broken_pages(installed, role, language) == []
    participant_walks(installed, language)
    browser = signed_in_browser(installed.app, installed.study.staff[role])
    missing = {"en", "zh_Hans"} - (plans & instruments)
    browser.open("/staff/me?lang=en")
    assert ("shown in another one" in browser.page) == ("en" in missing)


@pytest.mark.parametrize("language", ["ar", "", "en_GB", "tlh"])
def test_a_colleague_whose_language_the_interface_lacks_is_told(installed: InstalledFullStudy, language: str) -> None:
    with transaction(installed.app_context.engine) as session:
        person = session.get_one(StaffMember, installed.study.staff["nurse"].id)
        person.language = language
        work = installed.app_context.unit_of_work(session)
        params = {
            "participant_number": "NPC-001",
            "level": "emergency",
            "link": "https://epro.example.org/staff/alerts/1",
        }
        assert staff_messages.queue_staff_message(work, person, "alert", params, "key") is not None
    assert broken_pages(installed, "nurse", "") == []
    browser = signed_in_browser(installed.app, installed.study.staff["administrator"])
    browser.open("/staff/accounts?lang=en")
    assert "not available: shown in Chinese" in browser.page
    assert any("Staff who read" in said for said in start_check.find_warnings(installed.app_context))


@pytest.fixture
def without_plan(installed: InstalledFullStudy) -> InstalledFullStudy:
    """Return the study after the plan of the Chinese participant was removed."""
    with transaction(installed.app_context.engine) as session:
        session.get_one(Participant, installed.study.chinese.id).plan = "removed"
    return installed


@pytest.mark.parametrize("role", ["investigator", "administrator"])
def test_no_page_fails_for_a_plan_that_is_gone(without_plan: InstalledFullStudy, role: str) -> None:
    assert broken_pages(without_plan, role, "zh_Hans") == []


def test_staff_see_that_a_plan_is_gone(without_plan: InstalledFullStudy) -> None:
    browser = signed_in_browser(without_plan.app, without_plan.study.staff["coordinator"])
    browser.open(f"/staff/participants/{without_plan.study.chinese.id}?lang=en")
    assert "is no longer installed" in browser.page
    [said] = [one for one in start_check.find_warnings(without_plan.app_context) if "removed" in one]
    assert "which is not installed: 1" in said


@pytest.mark.parametrize("gone", ["npc_checkin", "qlq_c30"])
def test_no_page_fails_for_an_instrument_that_is_gone(installed: InstalledFullStudy, gone: str) -> None:
    """The plans that need it would refuse the start, so they are left without it here."""
    catalogue = installed.app_context.catalogue
    left = {name: one for name, one in catalogue.instruments.items() if name != gone}
    kept = {key: one for key, one in catalogue.words.items() if key[0] != gone}
    plans = {
        name: replace(
            plan,
            instruments=tuple(left),
            rules=tuple(rule for rule in plan.rules if rule.instrument in left),
            pre_dose_summary=None,
            lowering=None,
            visit_schedule=None,
            test_alert_settings=None,
        )
        for name, plan in catalogue.plans.items()
    }
    changed = use(
        installed,
        replace(
            catalogue,
            instruments=MappingProxyType(left),
            plans=MappingProxyType(plans),
            words=WordsByLanguage(kept, absent_words),
        ),
    )
    assert broken_pages(installed, "investigator", "en") == []
    phone = ParticipantBrowser(installed.app)
    way = installed.study.chinese.qlq
    answer = phone.open(f"{way.path}?lang=en")
    if gone == "qlq_c30":
        assert answer.status_code == 410
        assert "This form cannot be shown" in phone.page
        assert any("Open forms of “qlq_c30”" in one for one in start_check.find_warnings(changed))


def test_only_what_judges_asks_for_a_plan_or_instrument_that_must_be_there() -> None:
    """Elsewhere a record may belong to one that is gone: shown_plan, plan_or_none and their brothers."""
    wrong = [
        place(path, node.lineno)
        for name, path in MODULES.items()
        if path.is_relative_to(PRO) and not name.startswith("pro.catalogue") and name not in MAY_FAIL
        for node in nodes_of(path)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in ("plans", "instruments")
        and isinstance(node.value.value, ast.Attribute | ast.Name)
        and "catalogue" in ast.unparse(node.value.value)
    ]
    assert not wrong, report(wrong)

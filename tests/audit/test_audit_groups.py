"""Test the groups of the audit trail: changes first, forms folded, and what is not shown is counted."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import func, select

from pro.app_context import Actor, AppContext
from pro.db import transaction
from pro.features.audit import audit_chain, audit_groups, audit_trail
from pro.features.audit.audit_groups import GROUPS, NAMED_GROUPS, GroupedPage
from pro.features.audit.audit_trail import AuditFilter
from pro.features.audit.pages.labels import GROUP_WORDS, SENTENCES
from pro.models import AuditEntry, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Study
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

PATH = "/staff/audit"


def read(
    clinic: Clinic, group: str, before: int | None = None, who: Actor | None = None, **pick: object
) -> GroupedPage:
    with form_browser.unit_of_work(clinic.app_context, who or clinic.investigator.actor) as work:
        return audit_groups.read_page(work, AuditFilter(**pick), group, "en", before)  # type: ignore[arg-type]


def entries(clinic: Clinic) -> int:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return work.session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def test_each_named_action_is_one_that_is_recorded_and_is_in_one_group() -> None:
    named = [action for actions in NAMED_GROUPS.values() for action in actions]
    assert len(named) == len(set(named))
    assert set(named) <= set(SENTENCES)
    assert list(GROUP_WORDS) == list(GROUPS)
    # What a person decided or signed is never hidden by default.
    for action in ("alert.closed", "data_correction.approved", "signed_decision.made", "freeze.set", "signature.given"):
        assert audit_groups.group_of(action) == audit_groups.CHANGES
    assert audit_groups.group_of("something.new") == audit_groups.CHANGES


def test_every_entry_is_counted_once_and_what_is_hidden_is_told(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=2, bleed_now=0)
    whole = entries(any_clinic)
    for group in GROUPS:
        found = read(any_clinic, group)
        assert found.counts[audit_groups.ALL] == whole
        assert sum(found.counts[name] for name in GROUPS[:-1]) == whole
        assert found.hidden == whole - found.counts[group]
    everything = read(any_clinic, audit_groups.ALL)
    assert everything.hidden == 0
    assert (everything.start, everything.end, everything.number) == (1, min(whole, 50), whole)
    only = {line.action for line in read(any_clinic, audit_groups.CHANGES).page.lines}
    assert "assessment.submitted" in only
    assert not only & {action for actions in NAMED_GROUPS.values() for action in actions}


def test_a_received_form_unfolds_into_its_answers_with_old_and_new(any_clinic: Clinic) -> None:
    here = any_clinic.start(language="en")
    here.save(bleed=2)
    here.save(bleed=0)
    here.finish(bleed=0)
    found = read(any_clinic, audit_groups.CHANGES)
    (received,) = (line for line in found.page.lines if line.action == "assessment.submitted")
    folded = found.folded[received.id]
    assert list(found.folded) == [received.id]
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        query = select(func.count()).where(
            AuditEntry.subject == "assessment",
            AuditEntry.subject_id == any_clinic.checkin.assessment_id,
            AuditEntry.action.in_(audit_groups.FORM_ACTIONS),
        )
        assert folded.entries == work.session.scalar(query)
    changed = [fact for fact in folded.answers if fact.old is not None and fact.old != fact.new]
    assert changed
    assert folded.first <= folded.last
    administrator = Actor("staff", any_clinic.nurse.id, "administrator", "A")
    hidden = read(any_clinic, audit_groups.CHANGES, who=administrator)
    assert all(form.answers == () for form in hidden.folded.values())


def test_one_answered_form_is_one_row_in_the_group_of_forms(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=0)
    any_clinic.start(any_clinic.qlq).finish()
    found = read(any_clinic, audit_groups.FORMS)
    about = [line.form_id for line in found.page.lines]
    assert len(about) == len(set(about)) == found.number
    assert {any_clinic.checkin.assessment_id, any_clinic.qlq.assessment_id} <= set(about)
    assert sum(form.entries for form in found.folded.values()) == found.counts[audit_groups.FORMS]
    assert [line.id for line in found.page.lines] == sorted((line.id for line in found.page.lines), reverse=True)


def test_pages_of_forms_follow_each_other_without_a_gap_or_a_double(
    any_clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "PAGE_SIZE", 2)
    for _one in range(5):
        any_clinic.start(any_clinic.send()).save(bleed=1)
    for group in (audit_groups.FORMS, audit_groups.CHANGES):
        found: list[int] = []
        before, start = None, 1
        while True:
            part = read(any_clinic, group, before)
            assert part.start == start
            found += [line.id for line in part.page.lines]
            before, start = part.page.before, part.end + 1
            if before is None:
                break
        assert len(found) == len(set(found)) == part.number == part.end, group


def test_the_filter_narrows_every_count(any_clinic: Clinic) -> None:
    any_clinic.start().finish(bleed=0)
    found = read(any_clinic, audit_groups.CHANGES, participant_id=any_clinic.participant_id)
    assert 0 < found.counts[audit_groups.ALL] < entries(any_clinic)
    alerts = read(any_clinic, audit_groups.CHANGES, actions=("assessment.submitted",))
    assert (alerts.number, alerts.hidden) == (1, entries(any_clinic) - 1)


def chips(page: str) -> dict[str, int]:
    """Return the words and numbers of the chips."""
    part = page.partition('<ul class="counts">')[2].partition("</ul>")[0]
    return {text: int(number) for text, number in re.findall(r">([^<>]+)<b[^>]*>(\d+)</b>", part)}


def test_the_page_begins_with_changes_and_names_what_it_does_not_show(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"/staff/participants/{seeded.chinese.id}")
    desk.open(f"{PATH}?lang=en")
    assert "Alert raised" in desk.page
    for hidden in ("Signed in", "Answers saved", "Participant pages viewed"):
        assert f"<b>{hidden}</b>" not in desk.page
    found = chips(desk.page)
    assert list(found) == [
        "Changes and decisions",
        "Forms answered",
        "Messages",
        "Looking and signing in",
        "Everything",
    ]
    hidden_number = found["Everything"] - found["Changes and decisions"]
    assert f"{hidden_number} entries of other kinds are not shown." in desk.page
    desk.open(f"{PATH}?show=looking&lang=en")
    assert "<b>Signed in</b>" in desk.page
    assert "<b>Participant pages viewed</b>" in desk.page
    desk.open(f"{PATH}?show=forms&lang=en")
    assert "<b>Answers saved</b>" in desk.page
    assert "<details><summary>" in desk.page.partition('<table class="st')[2]
    desk.open(f"{PATH}?show=all&lang=en")
    assert "Nothing is left out." in desk.page
    for unknown in ("nothing", "", "ALL"):
        desk.open(f"{PATH}?show={unknown}&lang=en")
        assert "aria-current=true>Changes and decisions" in desk.page


def test_a_filter_keeps_the_group_and_a_kind_replaces_it(app: Flask, app_context: AppContext, seeded: Study) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"{PATH}?show=forms")
    typed = {"do": "pick", "number": "NPC-001", "ref": "", "who": "", "since": "", "until": ""}
    kept = desk.post(f"{PATH}?show=forms", kind="", **typed)
    assert kept.location == f"{PATH}?participant={seeded.chinese.id}&show=forms"
    desk.open(kept.location)
    assert f"participant={seeded.chinese.id}&show=looking" in desk.page
    assert "Only entries that match the filter are counted." in desk.page
    replaced = desk.post(f"{PATH}?show=forms", kind="alerts", **typed)
    assert replaced.location == f"{PATH}?participant={seeded.chinese.id}&kind=alerts"
    desk.open(f"{replaced.location}&lang=en")
    assert "Alert raised" in desk.page
    assert "aria-current=true>Changes" not in desk.page


def test_an_export_leaves_nothing_out_whatever_the_page_shows(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    said = desk.post(f"{PATH}?show=messages", do="export").data.decode("utf-8-sig")
    for key in ("answers.saved", "alert.raised", "staff.signed_in"):
        assert key in said


def test_the_first_line_is_the_state_of_the_chain(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"{PATH}?lang=en")
    assert "The hash chain has not been verified yet." in desk.page
    with transaction(app_context.engine) as session:
        audit_chain.seal_entries(app_context.unit_of_work(session))
    desk.post(PATH, do="verify")
    desk.open(f"{PATH}?lang=en")
    assert "The hash chain is intact: all " in desk.page
    assert desk.page.index("The hash chain is intact") < desk.page.index('<ul class="counts">')
    with transaction(app_context.engine) as session:
        audit_chain.seal_entries(app_context.unit_of_work(session))
    desk.open(f"{PATH}?lang=en")
    assert "The hash chain is intact up to position" in desk.page
    with app_context.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_stays_update")
        connection.exec_driver_sql("UPDATE audit_entry SET role = 'x' WHERE id = 2")
    desk.post(PATH, do="verify_anew")
    desk.open(f"{PATH}?lang=en")
    assert "The last verification found problems" in desk.page


def statements(desk: StaffBrowser, path: str) -> int:
    desk.open(path)
    with record_queries(desk.app.extensions["app_context"].engine) as asked:
        assert desk.open(path).status_code == 200
    return len(asked)


def test_a_page_needs_as_many_statements_for_many_forms(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["monitor"])
    paths = [f"{PATH}?show={group}" for group in GROUPS]

    def answer(number: int) -> None:
        with form_browser.unit_of_work(app_context) as work:
            person = work.session.get_one(Participant, seeded.chinese.id)
            ways = [factories.form(work, person) for _one in range(number)]
        for way in ways:
            form_browser.press_start(app_context, way).finish(bleed=0)

    answer(2)
    few = [statements(desk, path) for path in paths]
    answer(6)
    assert [statements(desk, path) for path in paths] == few

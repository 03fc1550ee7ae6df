"""Test the audit trail as staff read it: filters, pages, export, and who may see answers."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, text

from pro.app_context import Actor
from pro.errors import BadData, NotAllowed
from pro.features.audit import audit_chain, audit_trail
from pro.features.audit.audit_trail import AuditFilter
from pro.models import AuditEntry, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic


def read(
    clinic: Clinic, pick: AuditFilter, who: Actor | None = None, before: int | None = None
) -> audit_trail.AuditPage:
    with form_browser.unit_of_work(clinic.app_context, who or clinic.investigator.actor) as work:
        return audit_trail.audit_page(work, pick, "en", before)


def answered(clinic: Clinic) -> None:
    here = clinic.start(language="en")
    here.save(bleed=2)
    here.save(bleed=3)


def test_old_and_new_answers_stand_in_words(any_clinic):
    answered(any_clinic)
    lines = read(any_clinic, AuditFilter(actions=("answers.saved",))).lines
    newest = lines[0].facts[0]
    assert newest.is_item
    assert newest.old != newest.new
    assert "?" in newest.key
    assert lines[0].participant_number == "NPC-001"
    assert lines[0].ref == any_clinic.checkin.ref


def test_a_list_is_named_in_words_and_not_by_its_key(any_clinic):
    any_clinic.start(language="en").save(other7=())
    (fact,) = (
        one
        for one in read(any_clinic, AuditFilter(actions=("answers.saved",))).lines[0].facts
        if one.new == "none_of_these"
    )
    assert " " in fact.key


def test_who_may_not_see_answers_sees_only_that_something_was_done(any_clinic):
    answered(any_clinic)
    administrator = Actor("staff", any_clinic.nurse.id, "administrator", "A")
    lines = read(any_clinic, AuditFilter(actions=("answers.saved", "staff.added")), administrator).lines
    about_answers = [line for line in lines if line.action == "answers.saved"]
    assert about_answers
    assert all(line.withheld and line.facts == () for line in about_answers)
    assert all(line.facts for line in lines if line.action == "staff.added")


def test_pages_follow_each_other_without_a_gap_or_a_double(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        for number in range(2 * audit_trail.PAGE_SIZE + 7):
            work.record("participant.seen", person, participant_id=person.id, new=number)
    pick = AuditFilter(participant_id=any_clinic.participant_id, actions=("participant.seen",))
    found: list[int] = []
    before = None
    while True:
        part = read(any_clinic, pick, before=before)
        found += [line.facts[0].new for line in part.lines]
        before = part.before
        if before is None:
            break
    assert found == list(reversed(range(2 * audit_trail.PAGE_SIZE + 7)))


def test_each_way_of_picking(any_clinic):
    answered(any_clinic)
    everything = {line.id for line in read(any_clinic, AuditFilter()).lines}
    nurse = {line.action for line in read(any_clinic, AuditFilter(who=str(any_clinic.coordinator.id))).lines}
    assert "participant.enrolled" in nurse
    assert {line.actor for line in read(any_clinic, AuditFilter(who="participant")).lines} == {"participant"}
    form = read(any_clinic, AuditFilter(ref=any_clinic.checkin.ref)).lines
    assert {line.ref for line in form} == {any_clinic.checkin.ref}
    assert "alert.raised" in {line.action for line in form}
    today, tomorrow = date(2026, 3, 2), date(2026, 3, 3)
    assert {line.id for line in read(any_clinic, AuditFilter(since=today, until=today)).lines} == everything
    assert read(any_clinic, AuditFilter(since=tomorrow)).lines == []
    assert read(any_clinic, AuditFilter(until=date(2026, 3, 1))).lines == []


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"number": "NPC-999"}, {"number": "no_participant"}),
        ({"ref": "nothing"}, {"ref": "no_form"}),
        ({"since": date(2026, 3, 2), "until": date(2026, 3, 1)}, {"until": "days_swapped"}),
    ],
)
def test_what_cannot_be_picked_is_refused(clinic, asked, wrong):
    given = {"number": "", "ref": "", "who": "", "since": None, "until": None, "actions": ()} | asked
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(BadData) as caught:
        audit_trail.make_filter(work, **given)
    assert caught.value.details["fields"] == wrong


def test_an_export_is_recorded_and_holds_the_seals(any_clinic):
    answered(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        audit_chain.seal_entries(work)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.investigator.actor) as work:
        lines = audit_trail.export_lines(work, AuditFilter(participant_id=any_clinic.participant_id), "en")
    assert [line.id for line in lines] == sorted(line.id for line in lines)
    assert all(len(line.digest) == 64 for line in lines)
    (event,) = any_clinic.events("audit.exported")
    assert event.new["rows"] == len(lines)
    assert event.actor_id == any_clinic.investigator.id


def test_more_than_can_be_exported_is_refused_and_not_cut_off(clinic, monkeypatch):
    monkeypatch.setattr(audit_trail, "MAX_EXPORTED", 3)
    with (
        form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work,
        pytest.raises(NotAllowed, match="too_many"),
    ):
        audit_trail.export_lines(work, AuditFilter(), "en")
    assert clinic.events("audit.exported") == []


def checked(clinic: Clinic, *, anew: bool = False, most: int = 100) -> audit_chain.PartialVerification:
    with form_browser.unit_of_work(clinic.app_context) as work:
        while audit_chain.seal_entries(work):
            work.session.flush()
    with form_browser.unit_of_work(clinic.app_context, clinic.investigator.actor) as work:
        return audit_chain.verify_next_part(work, anew=anew, most=most)


def test_a_long_chain_is_verified_in_parts_that_follow_each_other(any_clinic):
    answered(any_clinic)
    first = checked(any_clinic, most=5)
    assert (first.after, first.verified.sealed, first.verified.found, first.is_complete) == (0, 5, (), False)
    second = checked(any_clinic)
    assert (second.after, second.verified.found, second.is_complete) == (5, (), True)
    assert checked(any_clinic, anew=True).after == 0
    assert [event.new["after"] for event in any_clinic.events("audit.verified")] == [0, 5, 0]


def test_what_was_changed_is_named_and_looked_at_again_the_next_time(any_clinic):
    answered(any_clinic)
    checked(any_clinic, most=5)
    with any_clinic.app_context.engine.begin() as connection:
        if any_clinic.app_context.engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER audit_entry_stays_update"))
        connection.execute(text("UPDATE audit_entry SET reason = 'x' WHERE id = 7"))
    for _twice in range(2):
        found = checked(any_clinic)
        assert found.after == 5
        assert [problem.key for problem in found.verified.found] == ["changed"]
        assert found.verified.found[0].values["event"] == 7
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        said = work.session.scalars(select(AuditEntry.new).where(AuditEntry.action == "audit.verified")).all()
    assert [one["problems"] for one in said] == [0, 1, 1]

"""The audit trail as staff read it: picked, paged, exported; answers only for those who may see them."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, text

from pro.app_context import Actor
from pro.errors import BadData, NotAllowed
from pro.features.audit import audit_chain, audit_trail
from pro.features.audit.audit_trail import Pick
from pro.models import Event, Participant
from tests.support import form_browser
from tests.support.alert_ward import Ward


def read(ward: Ward, pick: Pick, who: Actor | None = None, before: int | None = None) -> audit_trail.Trail:
    with form_browser.working(ward.house, who or ward.investigator.actor) as work:
        return audit_trail.audit_page(work, pick, "en", before)


def answered(ward: Ward) -> None:
    here = ward.start(language="en")
    here.save(bleed=2)
    here.save(bleed=3)


def test_old_and_new_answers_stand_in_words(any_ward):
    answered(any_ward)
    lines = read(any_ward, Pick(actions=("answers.saved",))).lines
    newest = lines[0].facts[0]
    assert newest.is_item
    assert newest.old != newest.new
    assert "?" in newest.key
    assert lines[0].study_number == "NPC-001"
    assert lines[0].ref == any_ward.checkin.ref


def test_a_list_is_named_in_words_and_not_by_its_key(any_ward):
    any_ward.start(language="en").save(other7=())
    (fact,) = (
        one for one in read(any_ward, Pick(actions=("answers.saved",))).lines[0].facts if one.new == "none_of_these"
    )
    assert " " in fact.key


def test_who_may_not_see_answers_sees_only_that_something_was_done(any_ward):
    answered(any_ward)
    administrator = Actor("staff", any_ward.nurse.id, "administrator", "A")
    lines = read(any_ward, Pick(actions=("answers.saved", "staff.added")), administrator).lines
    about_answers = [line for line in lines if line.action == "answers.saved"]
    assert about_answers
    assert all(line.withheld and line.facts == () for line in about_answers)
    assert all(line.facts for line in lines if line.action == "staff.added")


def test_pages_follow_each_other_without_a_gap_or_a_double(any_ward):
    with form_browser.working(any_ward.house) as work:
        person = work.session.get_one(Participant, any_ward.participant_id)
        for number in range(2 * audit_trail.PAGE + 7):
            work.record("participant.seen", person, participant_id=person.id, new=number)
    pick = Pick(participant_id=any_ward.participant_id, actions=("participant.seen",))
    found: list[int] = []
    before = None
    while True:
        part = read(any_ward, pick, before=before)
        found += [line.facts[0].new for line in part.lines]
        before = part.before
        if before is None:
            break
    assert found == list(reversed(range(2 * audit_trail.PAGE + 7)))


def test_each_way_of_picking(any_ward):
    answered(any_ward)
    everything = {line.id for line in read(any_ward, Pick()).lines}
    nurse = {line.action for line in read(any_ward, Pick(who=str(any_ward.coordinator.id))).lines}
    assert "participant.enrolled" in nurse
    assert {line.actor for line in read(any_ward, Pick(who="participant")).lines} == {"participant"}
    form = read(any_ward, Pick(ref=any_ward.checkin.ref)).lines
    assert {line.ref for line in form} == {any_ward.checkin.ref}
    assert "alert.raised" in {line.action for line in form}
    today, tomorrow = date(2026, 3, 2), date(2026, 3, 3)
    assert {line.id for line in read(any_ward, Pick(since=today, until=today)).lines} == everything
    assert read(any_ward, Pick(since=tomorrow)).lines == []
    assert read(any_ward, Pick(until=date(2026, 3, 1))).lines == []


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        ({"number": "NPC-999"}, {"number": "no_participant"}),
        ({"ref": "nothing"}, {"ref": "no_form"}),
        ({"since": date(2026, 3, 2), "until": date(2026, 3, 1)}, {"until": "days_swapped"}),
    ],
)
def test_what_cannot_be_picked_is_refused(ward, asked, wrong):
    given = {"number": "", "ref": "", "who": "", "since": None, "until": None, "actions": ()} | asked
    with form_browser.working(ward.house) as work, pytest.raises(BadData) as caught:
        audit_trail.picked(work, **given)
    assert caught.value.details["fields"] == wrong


def test_an_export_is_recorded_and_holds_the_seals(any_ward):
    answered(any_ward)
    with form_browser.working(any_ward.house) as work:
        audit_chain.seal_events(work)
    with form_browser.working(any_ward.house, any_ward.investigator.actor) as work:
        lines = audit_trail.export(work, Pick(participant_id=any_ward.participant_id), "en")
    assert [line.id for line in lines] == sorted(line.id for line in lines)
    assert all(len(line.digest) == 64 for line in lines)
    (event,) = any_ward.events("audit.exported")
    assert event.new["rows"] == len(lines)
    assert event.actor_id == any_ward.investigator.id


def test_more_than_can_be_exported_is_refused_and_not_cut_off(ward, monkeypatch):
    monkeypatch.setattr(audit_trail, "EXPORTED_AT_MOST", 3)
    with form_browser.working(ward.house, ward.investigator.actor) as work, pytest.raises(NotAllowed, match="too_many"):
        audit_trail.export(work, Pick(), "en")
    assert ward.events("audit.exported") == []


def checked(ward: Ward, *, anew: bool = False, most: int = 100) -> audit_chain.Checked:
    with form_browser.working(ward.house) as work:
        while audit_chain.seal_events(work):
            work.session.flush()
    with form_browser.working(ward.house, ward.investigator.actor) as work:
        return audit_chain.verify_on(work, anew=anew, most=most)


def test_a_long_chain_is_verified_in_parts_that_follow_each_other(any_ward):
    answered(any_ward)
    first = checked(any_ward, most=5)
    assert (first.after, first.verified.sealed, first.verified.found, first.is_whole) == (0, 5, (), False)
    second = checked(any_ward)
    assert (second.after, second.verified.found, second.is_whole) == (5, (), True)
    assert checked(any_ward, anew=True).after == 0
    assert [event.new["after"] for event in any_ward.events("audit.verified")] == [0, 5, 0]


def test_what_was_changed_is_named_and_looked_at_again_the_next_time(any_ward):
    answered(any_ward)
    checked(any_ward, most=5)
    with any_ward.house.engine.begin() as connection:
        if any_ward.house.engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE event DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER event_stays_update"))
        connection.execute(text("UPDATE event SET reason = 'x' WHERE id = 7"))
    for _twice in range(2):
        found = checked(any_ward)
        assert found.after == 5
        assert [problem.key for problem in found.verified.found] == ["changed"]
        assert found.verified.found[0].values["event"] == 7
    with form_browser.working(any_ward.house) as work:
        said = work.session.scalars(select(Event.new).where(Event.action == "audit.verified")).all()
    assert [one["problems"] for one in said] == [0, 1, 1]

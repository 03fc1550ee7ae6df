"""Test the unit of work: one time, one actor, and its audit entries."""

from __future__ import annotations

from datetime import UTC, timedelta

from pro.app_context import SYSTEM, Actor, utc_now
from pro.models import Heartbeat, Participant
from tests.support import form_browser


def person(work) -> Participant:
    return Participant(plan="p", participant_number="N", language="en", time_zone="UTC", enrolled_at=work.now)


def test_the_clock_tells_an_aware_time_in_utc():
    assert utc_now().tzinfo is UTC


def test_now_stands_still_within_a_work(app_context):
    with form_browser.unit_of_work(app_context) as work:
        before = work.now
        app_context.clock.move(minutes=5)
        assert work.now == before
    with form_browser.unit_of_work(app_context) as work:
        assert work.now == before + timedelta(minutes=5)


def test_a_unit_of_work_passes_on_the_app_context(app_context):
    with form_browser.unit_of_work(app_context) as work:
        assert (work.catalogue, work.vault, work.config) == (
            app_context.catalogue,
            app_context.vault,
            app_context.config,
        )
        assert work.actor == SYSTEM


def test_what_is_recorded_names_who_and_what(any_app_context, clock):
    with form_browser.unit_of_work(any_app_context, Actor("staff", 7, "nurse", "Zhou Min")) as work:
        row = person(work)
        work.session.add(row)
        event = work.record("thing.done", row, participant_id=3, old=[1], new={"a": None}, reason="because")
        assert event.subject_id is not None
        assert event.subject_id == row.id
    assert (event.actor, event.actor_id, event.role, event.at) == ("staff", 7, "nurse", clock.now)
    assert (event.action, event.subject, event.participant_id, event.reason) == (
        "thing.done",
        "participant",
        3,
        "because",
    )
    assert "Zhou Min" not in str({column.key: getattr(event, column.key) for column in event.__mapper__.columns})


def test_a_role_is_never_empty_and_a_row_may_have_no_number(app_context):
    with form_browser.unit_of_work(app_context, Actor("participant", 1)) as work:
        beat = Heartbeat(name="x", at=work.now)
        work.session.add(beat)
        event = work.record("beat", beat)
    assert (event.role, event.subject_id) == ("participant", None)


def test_a_row_that_is_locked_is_read_again(any_app_context):
    with form_browser.unit_of_work(any_app_context) as work:
        work.session.add(person(work))
    with form_browser.unit_of_work(any_app_context) as work:
        row = work.session.query(Participant).one()
        row.language = "zh_Hans"
        work.lock(row)
        assert row.language == "zh_Hans"


def test_two_works_that_hold_the_same_row_follow_one_another(any_app_context):
    with form_browser.unit_of_work(any_app_context) as work:
        row = person(work)
        row.participant_number = "0"
        work.session.add(row)
        work.session.flush()
        number = row.id

    def count() -> None:
        with form_browser.unit_of_work(any_app_context) as work:
            row = work.session.get_one(Participant, number)
            work.lock(row)
            row.participant_number = str(int(row.participant_number) + 1)

    form_browser.run_concurrently(*[count] * 8)
    with form_browser.unit_of_work(any_app_context) as work:
        assert work.session.get_one(Participant, number).participant_number == "8"

"""Test date changes and opt-outs during a worker round about the same participant."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from pro.app_context import UnitOfWork
from pro.features.schedule import schedule_service
from pro.messaging import outbox
from pro.models import ExpectedForm, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.calendar_participant import CalendarParticipant, change, enrol


@contextmanager
def round_has_begun(clinic: Clinic, person: CalendarParticipant) -> Iterator[UnitOfWork]:
    """Start a round that has locked the participant and is about to read the expected forms."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        query = select(Participant).where(Participant.id == person.id)
        work.session.execute(query.with_for_update(key_share=True))
        yield work


def test_who_previews_and_sets_in_one_breath_does_not_cross_the_round(postgresql_clinic):
    """Check that preview and set take locks in the order of the round.

    In another order, the page would wait for the participant and the round for the expected forms, for ever.
    """
    clinic = postgresql_clinic
    person = enrol(clinic)
    wish = change("induction_day1", "2026-03-09", planned=True)

    def press() -> None:
        with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
            found = schedule_service.preview_changes(work, person.row(work), [wish])
            schedule_service.set_anchors(work, person.row(work), [wish], seen=found.digest)

    page = threading.Thread(target=press)
    with round_has_begun(clinic, person) as work:
        page.start()
        page.join(1)
        assert page.is_alive()
        work.session.execute(text("SET LOCAL lock_timeout = '2s'"))
        lines = select(ExpectedForm).where(ExpectedForm.participant_id == person.id).order_by(ExpectedForm.id)
        assert work.session.scalars(lines.with_for_update()).all()
    page.join(20)
    assert ("induction_week.1", "npc_checkin") in person.lines()


@pytest.mark.parametrize(
    ("template", "dropped", "told"), [("confirmed", False, True), ("reminder", True, True), ("reminder", False, False)]
)
def test_only_texts_about_forms_that_went_out_use_up_the_day(any_clinic, template, dropped, told):
    person = enrol(any_clinic)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for number in range(3):
            message = outbox.queue(
                work,
                outbox.MessageDraft(
                    dedupe_key=f"{template}:{number}",
                    channel="sms",
                    template=template,
                    params={},
                    language="en",
                    address="+8613700137000",
                    body="Thank you.",
                    participant_id=person.id,
                    repeat="prefer_silence",
                    not_after=work.now + timedelta(hours=1),
                ),
            )
            assert message is not None
            if dropped:
                message.dropped_at = work.now
    person.look()
    assert (len(person.messages()) > 3) is told

"""Test that pages need as many queries for many participants as for few.

Covers the to-do list and a participant's page; entries beyond the limit are counted.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from pro.app_context import AppContext, UnitOfWork
from pro.db import Base, transaction
from pro.features.schedule import outstanding_forms
from pro.features.text_messages import failed_messages
from pro.models import (
    Alert,
    Assessment,
    CallTask,
    Endoscopy,
    ExpectedForm,
    Handover,
    IncomingMessage,
    Message,
    Participant,
    ParticipantCard,
)
from tests.reports.test_study_overview import alert, counted, line, people, scored
from tests.support import factories
from tests.support.factories import PLAN, Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser


def asked(desk: StaffBrowser, path: str) -> int:
    """Return how many queries a page needs."""
    desk.open(path)
    with counted(desk.app.extensions["app_context"].engine) as ran:
        assert desk.open(path).status_code == 200
    return len(ran)


def busy(app_context: AppContext, clock: Clock, number: int, first: int) -> None:
    """Add this many participants, each with one entry of every list."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        ids = [factories.participant(work, f"B-{first + n:03}", phone="").id for n in range(number)]
        for person in ids:
            session.add_all(waiting(work, person))
            way = factories.form(work, session.get_one(Participant, person))
            paper = session.get_one(Assessment, way.assessment_id)
            paper.completion_mode, paper.submitted_at, paper.entered_by = "paper", work.now, 1
    for person in ids:
        alert(app_context, person, "E01", 3, clock.now - timedelta(minutes=person))
        alert(app_context, person, "E01", 3, clock.now, acknowledged_at=clock.now, acknowledged_by=1)
        line(app_context, person, missed_at=clock.now)
    with transaction(app_context.engine) as session:
        for one in session.scalars(select(Alert).where(Alert.participant_id.in_(ids), Alert.acknowledged_by == 1)):
            taken = {"source": one.source, "participant_id": one.participant_id, "from_id": 1, "staff_id": 2}
            session.add(Handover(at=clock.now, **taken))


def waiting(work: UnitOfWork, person: int) -> list[Base]:
    """Store one entry of each list.

    A call task, a failed reminder, a text, an unknown sender's text, a locked card and an overdue endoscopy.
    """
    now, mine = work.now, {"participant_id": person}
    sealed = {name: work.vault.seal("x") for name in ("address_sealed", "params_sealed", "body_sealed")}
    message = {"channel": "sms", "template": "reminder", "language": "en", "repeat": "prefer_silence"}
    text = {"channel": "sms", "kind": "text", "received_at": now, "address_sealed": work.vault.seal("+8613800138000")}
    text |= {"text_sealed": work.vault.seal("Hello"), "fingerprint": "f"}
    card = {"made_at": now, "locked_at": now, "fingerprint": f"c{person}", "link_fingerprint": f"l{person}"}
    return [
        CallTask(dedupe_key=f"t{person}", kind="call_missed", made_at=now, due_at=now, **mine),
        Message(dedupe_key=f"m{person}", queued_at=now, next_try_at=now, failed_at=now, **mine, **message, **sealed),
        IncomingMessage(**mine, **text),
        IncomingMessage(**text),
        ParticipantCard(**mine, **card),
        Endoscopy(
            requested_on=now.date() - timedelta(days=30), requested_at=now - timedelta(days=30), requested_by=1, **mine
        ),
    ]


def test_the_to_do_list(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    busy(app_context, clock, 2, 0)
    few = asked(desk, "/staff/")
    busy(app_context, clock, 8, 2)
    assert asked(desk, "/staff/") == few
    page = desk.page
    for chip in ("alerts", "texts", "calls", "cards", "endoscopies", "messages", "papers", "missed"):
        assert re.search(rf'show={chip}"[^>]*>[^<]*<b>(10|20)</b>', page), chip


def test_a_participant(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    path = f"/staff/participants/{seeded.english.id}"
    scored(app_context, seeded.english.id, 20.0)
    few = asked(desk, path)
    for _ in range(5):
        scored(app_context, seeded.english.id, 20.0, 30.0)
    assert asked(desk, path) == few


def test_the_list_of_participants(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    busy(app_context, clock, 2, 0)
    few = asked(desk, "/staff/participants")
    busy(app_context, clock, 8, 2)
    assert asked(desk, "/staff/participants") == few


def test_entries_beyond_the_limit_are_counted(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outstanding_forms, "MAX_ROWS", 3)
    monkeypatch.setattr(failed_messages, "MAX_SHOWN", 3)
    for person in people(app_context, 5):
        line(app_context, person, missed_at=clock.now)
        with transaction(app_context.engine) as session:
            session.add_all(waiting(app_context.unit_of_work(session), person)[1:2])
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open("/staff/?lang=en")
    with transaction(app_context.engine) as session:
        now = outstanding_forms.read_outstanding_forms(app_context.unit_of_work(session), "en")
        of_plan = outstanding_forms.read_outstanding_forms(app_context.unit_of_work(session), "en", PLAN)
        missed = (
            session.query(ExpectedForm.participant_id).filter(ExpectedForm.missed_at.is_not(None)).distinct().count()
        )
    assert (len(now.unexplained), now.unexplained_number, missed) == (3, 5, 5)
    assert (len(now.forms), now.number, now.today) == (3, 4, 0)
    assert of_plan == now
    counted = re.findall(r"(Missed, no reason|Undelivered)<b>(\d+)</b>", desk.page)
    assert dict(counted) == {"Missed, no reason": "5", "Undelivered": "5"}
    assert "2 more participants have missed forms without a reason." in desk.page
    assert "4 more forms are open and need nothing today." in desk.page
    assert desk.page.count("first 3 shown") == 1
    for show, title in (("missed", "Missed, no reason<b>5</b>"), ("forms", "Forms awaiting completion 4")):
        desk.open(f"/staff/?show={show}")
        assert title in desk.page
        assert desk.page.count("first 3 shown") == 1


def test_what_closes_today_is_counted_by_the_days_of_those_who_answer(
    app_context: AppContext, seeded: Study, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check by the participants' time zones.

    At 09:00 in Shanghai it is the evening before in Chicago, where the day ends in five hours.
    """
    monkeypatch.setattr(outstanding_forms, "MAX_ROWS", 1)
    with transaction(app_context.engine) as session:
        ends = [clock.now + timedelta(hours=hours) for hours in (4, 5, 15, 16)]
        for form, end in zip(session.scalars(select(Assessment).order_by(Assessment.id)), ends, strict=True):
            form.closes_at = end
    with transaction(app_context.engine) as session:
        assert outstanding_forms.read_outstanding_forms(app_context.unit_of_work(session), "en").today == 3
        session.execute(update(Participant).values(time_zone="America/Chicago"))
    with transaction(app_context.engine) as session:
        assert outstanding_forms.read_outstanding_forms(app_context.unit_of_work(session), "en").today == 2

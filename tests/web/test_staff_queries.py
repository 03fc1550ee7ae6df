"""The board and a participant's page ask the database as often for many as for few; what is cut off is counted."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from pro.db import transaction
from pro.models import Expected, Message, Participant, Task
from pro.services import todo
from pro.work import House
from tests import make
from tests.make import Clock, Study
from tests.services.test_cohort import alert, counted, line, people, scored
from tests.web.desk import Desk, at_desk


def asked(desk: Desk, path: str) -> int:
    """How many queries a page needs."""
    desk.open(path)
    with counted(desk.app.extensions["pro"].engine) as ran:
        assert desk.open(path).status_code == 200
    return len(ran)


def busy(house: House, clock: Clock, number: int, first: int) -> None:
    """So many more participants with an alert, a phone task, a failed reminder, and a miss without a reason."""
    with transaction(house.engine) as session:
        work = house.work(session)
        ids = [make.participant(work, f"B-{first + n:03}", phone="").id for n in range(number)]
        for person in ids:
            session.add(
                Task(
                    dedupe_key=f"t{person}",
                    participant_id=person,
                    kind="call_missed",
                    made_at=work.now,
                    due_at=work.now,
                )
            )
            session.add(
                Message(
                    dedupe_key=f"m{person}",
                    channel="sms",
                    template="reminder",
                    language="en",
                    participant_id=person,
                    address_sealed="",
                    params_sealed="",
                    body_sealed="",
                    repeat="prefer_silence",
                    queued_at=work.now,
                    next_try_at=work.now,
                    failed_at=work.now,
                )
            )
    for person in ids:
        alert(house, person, "E01", 3, clock.now - timedelta(minutes=person))
        line(house, person, missed_at=clock.now)


def test_the_board(app: Flask, house: House, seeded: Study, clock: Clock) -> None:
    desk = at_desk(app, seeded.staff["coordinator"])
    busy(house, clock, 2, 0)
    few = asked(desk, "/staff/")
    busy(house, clock, 8, 2)
    assert asked(desk, "/staff/") == few


def test_a_participant(app: Flask, house: House, seeded: Study) -> None:
    desk = at_desk(app, seeded.staff["coordinator"])
    path = f"/staff/participants/{seeded.english.id}"
    scored(house, seeded.english.id, 20.0)
    few = asked(desk, path)
    for _ in range(5):
        scored(house, seeded.english.id, 20.0, 30.0)
    assert asked(desk, path) == few


def test_what_the_board_cuts_off_is_counted(
    app: Flask, house: House, seeded: Study, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(todo, "MOST", 3)
    for person in people(house, 5):
        line(house, person, missed_at=clock.now)
    desk = at_desk(app, seeded.staff["coordinator"])
    desk.open("/staff/?lang=en")
    with transaction(house.engine) as session:
        board = todo.board(house.work(session), "en")
        missed = session.query(Expected.participant_id).filter(Expected.missed_at.is_not(None)).distinct().count()
        assert session.query(Participant).count() == 7
    assert (len(board.unexplained), board.unexplained_total, missed) == (3, 5, 5)
    assert (len(board.waiting), board.waiting_total) == (3, 4)
    assert desk.page.count("the first 3 are shown") == 2
    assert re.findall(r"(?:Forms awaited|Missed, no reason)<b>(\d+)</b>", desk.page) == ["4", "5"]

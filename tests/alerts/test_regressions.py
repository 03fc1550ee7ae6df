"""What once went wrong in judging and telling, each as the story in which it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from pro.core.rule_language.level import Level
from pro.features.alerts import alert_service
from pro.features.operations import worker_steps
from pro.i18n import Catalogs
from pro.models import Alert, Answer, Assessment, Message, Staff
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.form_browser import Browser

NURSE = "nurse@example.org"


def told(ward: Ward) -> list[str]:
    """How loud each of the nurse's mails was."""
    return [mail.params["level"] for mail in ward.mails() if mail.to == NURSE]


def kept(ward: Ward) -> list[tuple[str, object]]:
    return [(row.item, row.value) for row in ward.rows(Answer)]


def form_of(ward: Ward) -> Assessment:
    return ward.rows(Assessment)[0]


@contextmanager
def refusing_alerts(ward: Ward, but: str = "") -> Iterator[None]:
    """The database takes no alert, except of the rule ``but``."""
    if ward.house.engine.dialect.name == "postgresql":
        refuse = f"ALTER TABLE alert ADD CONSTRAINT refused CHECK (rule = '{but}') NOT VALID"
        allow = "ALTER TABLE alert DROP CONSTRAINT refused"
    else:
        refuse = (
            f"CREATE TRIGGER refused BEFORE INSERT ON alert WHEN NEW.rule <> '{but}' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        allow = "DROP TRIGGER refused"
    with ward.house.engine.begin() as connection:
        connection.execute(text(refuse))
    yield
    with ward.house.engine.begin() as connection:
        connection.execute(text(allow))


# --- whatever breaks, answers stay and are judged --------------------------------------------------------------------


def test_an_account_in_a_language_that_is_not_spoken_gets_its_mail_in_another(any_ward):
    with form_browser.working(any_ward.house) as work:
        work.session.get_one(Staff, any_ward.nurse.id).language = "fr"
    any_ward.start().save(breath=3)
    assert sorted(any_ward.alerts()) == ["E03", "U02"]
    assert told(any_ward) == ["emergency"]
    assert (
        next(mail.row.language for mail in any_ward.mails() if mail.to == NURSE) in any_ward.house.catalogue.languages
    )


def test_an_alert_that_cannot_be_kept_becomes_one_that_says_so(any_ward, clock):
    phone = any_ward.start()
    phone.save(bleed=2)
    with refusing_alerts(any_ward, but=alert_service.JUDGING_FAILED):
        assert phone.save(bleed_now=0, breath=3).level is Level.URGENT
    assert kept(any_ward) == [("bleed", 2), ("bleed_now", 0), ("breath", 3)]
    assert sorted(any_ward.alerts()) == ["JUDGE", "U01"]
    assert any_ward.alerts()["JUDGE"].level == Level.URGENT
    clock.move(minutes=10)
    assert worker_steps.judge_idle(any_ward.house) == 1
    assert any_ward.alerts()["E03"].level == Level.EMERGENCY
    assert told(any_ward)[-1] == "emergency"


@pytest.mark.parametrize("sent", [False, True], ids=["abandoned", "sent"])
@pytest.mark.parametrize("what", ["table", "words"])
def test_when_not_even_that_can_be_said_the_next_round_judges(any_ward, clock, caplog, what, sent):
    """No alert can be kept, or no mail put into words."""
    phone = any_ward.start()
    phone.save(bleed=0)

    def go_on(phone: Browser) -> None:
        phone.save(breath=3)
        if sent:
            phone.submit()

    if what == "table":
        with refusing_alerts(any_ward):
            go_on(phone)
    else:
        go_on(replace(phone, house=replace(phone.house, catalogs=Catalogs({}))))
    assert kept(any_ward) == [("bleed", 0), ("breath", 3)]
    assert (any_ward.rows(Alert), any_ward.rows(Message)) == ([], [])
    assert (form_of(any_ward).judge_next_at, form_of(any_ward).submitted_at is not None) == (clock.now, sent)
    assert "no alert could say so" in caplog.text
    assert worker_steps.judge_idle(any_ward.house) == 1
    assert {"E03", "U02"} <= set(any_ward.alerts())
    assert told(any_ward) == ["emergency"]
    later = form_of(any_ward).judge_next_at
    assert (later is None) is sent
    assert worker_steps.judge_idle(any_ward.house) == 0


def test_a_form_that_was_sent_is_scored_when_it_is_judged_later(ward, clock):
    """The rules of the QLQ-C30 that compare scores need them in the later round as well."""
    ward.start(ward.qlq).finish(Q29=7, Q30=7)
    clock.move(days=21)
    second = ward.start(ward.send("qlq_c30"))
    with refusing_alerts(ward):
        second.finish(Q29=6, Q30=6)
    assert ward.alerts() == {}
    worker_steps.judge_idle(ward.house)
    assert ward.alerts()["QD1"].level == Level.WATCH


# --- what counts as told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "mails"), [("", 1), ("sent_at", 1), ("failed_at", 2), ("dropped_at", 2)], ids=str)
def test_a_mail_that_never_arrives_does_not_count_as_told(any_ward, clock, column, mails):
    phone = any_ward.start()
    phone.save(odor=3)
    with form_browser.working(any_ward.house) as work:
        for message in work.session.query(Message):
            if column:
                setattr(message, column, work.now)
    clock.move(minutes=1)
    phone.save(faint=1)
    assert told(any_ward) == ["urgent"] * mails
    # The new mail waits, so it is as good as told.
    phone.save(palp=2)
    assert told(any_ward) == ["urgent"] * mails


def test_a_worse_answer_within_one_rule_is_told_after_somebody_took_it_on(any_ward, clock):
    phone, mails = any_ward.start(), 0
    for bleed, again in ((2, True), (3, True), (2, False), (3, True)):
        clock.move(minutes=5)
        phone.save(bleed=bleed)
        mails += again
        assert told(any_ward) == ["urgent"] * mails
        found = any_ward.alerts()["U01"]
        assert (found.raised_at == clock.now, found.acknowledged_at is None) == (again, again)
        assert found.inputs["saw"]["bleed"] == (bleed if again else 3)
        phone.save(bleed_now=0)
        any_ward.acknowledge()


def test_the_same_answer_or_another_question_tells_nobody_again(ward):
    phone = ward.start()
    phone.save(bleed=2)
    ward.acknowledge()
    phone.save(bleed=2, bleed_now=0, breath=0, nosebleed7=1)
    assert told(ward) == ["urgent"]
    assert ward.alerts()["U01"].acknowledged_at is not None


def test_a_worse_answer_that_nobody_has_taken_on_yet_is_waited_for_already(ward):
    phone = ward.start()
    phone.save(bleed=2, bleed_now=0)
    phone.save(bleed=3)
    assert told(ward) == ["urgent"]


# --- known and stable: patience --------------------------------------------------------------------------------------


def known_sores(ward: Ward) -> Browser:
    """Staff know of severe sores that get in the way a good deal."""
    ward.mark("known_stable", 3, "sores", days=14)
    ward.mark("known_stable", 3, "sores_int", days=14)
    return ward.start()


@pytest.mark.parametrize(
    ("said", "quiet"),
    [
        ({"sores": 3}, True),
        ({"sores": 3, "sores_int": 3}, True),
        ({"sores": 3, "sores_int": 0}, True),
        ({"sores": 3, "sores_int": 4}, False),
        ({"sores": 3, "sores_int": None}, False),
        ({"sores": 4}, False),
        ({"sores": 3, "faint": 1}, False),
        ({"faint": 1, "sores": 3}, False),
    ],
    ids=str,
)
def test_what_is_known_waits_for_the_question_that_may_say_otherwise(any_ward, said, quiet):
    phone = known_sores(any_ward)
    phone.save(**said)
    found = any_ward.alerts()["U09"]
    assert (found.level, found.lowered) == ((Level.WATCH, True) if quiet else (Level.URGENT, False))
    assert told(any_ward) == ([] if quiet else ["urgent"])


def test_nobody_waits_for_a_form_that_was_left(any_ward, clock):
    phone = known_sores(any_ward)
    phone.save(sores=3)
    clock.move(minutes=9, seconds=59)
    worker_steps.judge_idle(any_ward.house)
    assert told(any_ward) == []
    clock.move(seconds=1)
    assert worker_steps.judge_idle(any_ward.house) == 1
    assert (any_ward.alerts()["U09"].level, any_ward.alerts()["U09"].lowered) == (Level.URGENT, False)
    assert told(any_ward) == ["urgent"]
    phone.save(sores_int=3)
    assert any_ward.alerts()["U09"].lowered
    assert told(any_ward) == ["urgent"]


def test_nobody_waits_for_a_form_that_was_sent(ward):
    phone = known_sores(ward)
    phone.save(sores=3)
    phone.submit()
    assert told(ward) == ["urgent"]


@pytest.mark.parametrize("days", [14, 20, None])
def test_a_mark_runs_out_while_the_form_is_open(any_ward, clock, days):
    """After 14 days by the plan, whatever staff wished."""
    any_ward.mark("known_stable", 1, "chest", days=days)
    clock.move(days=13, hours=23, minutes=59)
    phone = any_ward.start()
    phone.save(chest=1)
    assert any_ward.alerts()["U03"].lowered
    clock.move(minutes=1)
    phone.save(palp=0)
    found = any_ward.alerts()["U03"]
    assert (found.level, found.lowered) == (Level.URGENT, False)
    assert told(any_ward) == ["urgent"]


# --- the missing red flags -------------------------------------------------------------------------------------------


def test_missing_red_flags_are_closed_only_by_the_last_of_them(any_ward, clock):
    phone = any_ward.start()
    phone.save(bleed=0)
    clock.move(minutes=30)
    worker_steps.judge_idle(any_ward.house)
    assert any_ward.alerts()["M01"].resolved_at is None
    for item in ("breath", "chest", "palp", "faint", "temp", "swallow"):
        phone.save(**{item: 0})
        assert any_ward.alerts()["M01"].resolved_at is None, item
    phone.save(neuro=None)
    assert any_ward.alerts()["M01"].resolved_at is None
    phone.save(neuro=0)
    assert any_ward.alerts()["M01"].disposition == "closed_itself"


def test_red_flags_stay_missing_while_nobody_knows_if_it_bleeds_now(ward, clock):
    phone = ward.start()
    phone.save(bleed=1)
    clock.move(minutes=30)
    worker_steps.judge_idle(ward.house)
    phone.save(bleed_now=None, breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    assert ward.alerts()["M01"].resolved_at is None
    phone.save(bleed_now=0)
    assert ward.alerts()["M01"].disposition == "closed_itself"

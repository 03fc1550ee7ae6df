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
from pro.models import Alert, Answer, Assessment, Message, StaffMember
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.form_browser import FormBrowser

NURSE = "nurse@example.org"


def told(clinic: Clinic) -> list[str]:
    """How loud each of the nurse's mails was."""
    return [mail.params["level"] for mail in clinic.mails() if mail.to == NURSE]


def kept(clinic: Clinic) -> list[tuple[str, object]]:
    return [(row.item, row.value) for row in clinic.rows(Answer)]


def form_of(clinic: Clinic) -> Assessment:
    return clinic.rows(Assessment)[0]


@contextmanager
def refusing_alerts(clinic: Clinic, but: str = "") -> Iterator[None]:
    """The database takes no alert, except of the rule ``but``."""
    if clinic.app_context.engine.dialect.name == "postgresql":
        refuse = f"ALTER TABLE alert ADD CONSTRAINT refused CHECK (rule = '{but}') NOT VALID"
        allow = "ALTER TABLE alert DROP CONSTRAINT refused"
    else:
        refuse = (
            f"CREATE TRIGGER refused BEFORE INSERT ON alert WHEN NEW.rule <> '{but}' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        allow = "DROP TRIGGER refused"
    with clinic.app_context.engine.begin() as connection:
        connection.execute(text(refuse))
    yield
    with clinic.app_context.engine.begin() as connection:
        connection.execute(text(allow))


# --- whatever breaks, answers stay and are judged --------------------------------------------------------------------


def test_an_account_in_a_language_that_is_not_spoken_gets_its_mail_in_another(any_clinic):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.get_one(StaffMember, any_clinic.nurse.id).language = "fr"
    any_clinic.start().save(breath=3)
    assert sorted(any_clinic.alerts()) == ["E03", "U02"]
    assert told(any_clinic) == ["emergency"]
    assert (
        next(mail.row.language for mail in any_clinic.mails() if mail.to == NURSE)
        in any_clinic.app_context.catalogue.languages
    )


def test_an_alert_that_cannot_be_kept_becomes_one_that_says_so(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=2)
    with refusing_alerts(any_clinic, but=alert_service.EVALUATION_FAILED):
        assert phone.save(bleed_now=0, breath=3).level is Level.URGENT
    assert kept(any_clinic) == [("bleed", 2), ("bleed_now", 0), ("breath", 3)]
    assert sorted(any_clinic.alerts()) == ["JUDGE", "U01"]
    assert any_clinic.alerts()["JUDGE"].level == Level.URGENT
    clock.move(minutes=10)
    assert worker_steps.evaluate_idle_forms(any_clinic.app_context) == 1
    assert any_clinic.alerts()["E03"].level == Level.EMERGENCY
    assert told(any_clinic)[-1] == "emergency"


@pytest.mark.parametrize("sent", [False, True], ids=["abandoned", "sent"])
def test_when_not_even_that_can_be_said_the_next_round_judges(any_clinic, clock, caplog, sent):
    phone = any_clinic.start()
    phone.save(bleed=0)
    with refusing_alerts(any_clinic):
        phone.save(breath=3)
        if sent:
            phone.submit()
    assert kept(any_clinic) == [("bleed", 0), ("breath", 3)]
    assert (any_clinic.rows(Alert), any_clinic.rows(Message)) == ([], [])
    assert (form_of(any_clinic).evaluate_next_at, form_of(any_clinic).submitted_at is not None) == (clock.now, sent)
    assert "no alert could say" in caplog.text
    assert worker_steps.evaluate_idle_forms(any_clinic.app_context) == 1
    assert {"E03", "U02"} <= set(any_clinic.alerts())
    assert told(any_clinic) == ["emergency"]
    later = form_of(any_clinic).evaluate_next_at
    assert (later is None) is sent
    assert worker_steps.evaluate_idle_forms(any_clinic.app_context) == 0


def test_no_mail_in_words_undoes_no_alert_and_the_worker_tells_later(any_clinic):
    phone = any_clinic.start()
    wordless = replace(phone, app_context=replace(phone.app_context, catalogs=Catalogs({})))
    assert wordless.save(breath=3).level is Level.EMERGENCY
    assert wordless.form().advice == "general"
    assert (any_clinic.alerts()["E03"].level, any_clinic.rows(Message)) == (Level.EMERGENCY, [])
    worker_steps.escalate_alerts(any_clinic.app_context)
    assert told(any_clinic) == ["emergency"]


def test_a_form_that_was_sent_is_scored_when_it_is_judged_later(clinic, clock):
    """The rules of the QLQ-C30 that compare scores need them in the later round as well."""
    clinic.start(clinic.qlq).finish(Q29=7, Q30=7)
    clock.move(days=21)
    second = clinic.start(clinic.send("qlq_c30"))
    with refusing_alerts(clinic):
        second.finish(Q29=6, Q30=6)
    assert clinic.alerts() == {}
    worker_steps.evaluate_idle_forms(clinic.app_context)
    assert clinic.alerts()["QD1"].level == Level.WATCH


# --- what counts as told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "mails"), [("", 1), ("sent_at", 1), ("failed_at", 2), ("dropped_at", 2)], ids=str)
def test_a_mail_that_never_arrives_does_not_count_as_told(any_clinic, clock, column, mails):
    phone = any_clinic.start()
    phone.save(odor=3)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for message in work.session.query(Message):
            if column:
                setattr(message, column, work.now)
    clock.move(minutes=1)
    phone.save(faint=1)
    assert told(any_clinic) == ["urgent"] * mails
    # The new mail waits, so it is as good as told.
    phone.save(palp=2)
    assert told(any_clinic) == ["urgent"] * mails


def test_a_worse_answer_within_one_rule_is_told_after_somebody_took_it_on(any_clinic, clock):
    phone, mails = any_clinic.start(), 0
    for bleed, again in ((2, True), (3, True), (2, False), (3, True)):
        clock.move(minutes=5)
        phone.save(bleed=bleed)
        mails += again
        assert told(any_clinic) == ["urgent"] * mails
        found = any_clinic.alerts()["U01"]
        assert (found.raised_at == clock.now, found.acknowledged_at is None) == (again, again)
        assert found.inputs["saw"]["bleed"] == (bleed if again else 3)
        phone.save(bleed_now=0)
        any_clinic.acknowledge()


def test_the_same_answer_or_another_question_tells_nobody_again(clinic):
    phone = clinic.start()
    phone.save(bleed=2)
    clinic.acknowledge()
    phone.save(bleed=2, bleed_now=0, breath=0, nosebleed7=1)
    assert told(clinic) == ["urgent"]
    assert clinic.alerts()["U01"].acknowledged_at is not None


def test_a_worse_answer_that_nobody_has_taken_on_yet_is_waited_for_already(clinic):
    phone = clinic.start()
    phone.save(bleed=2, bleed_now=0)
    phone.save(bleed=3)
    assert told(clinic) == ["urgent"]


# --- known and stable: patience --------------------------------------------------------------------------------------


def known_sores(clinic: Clinic) -> FormBrowser:
    """Staff know of severe sores that get in the way a good deal."""
    clinic.mark("known_stable", 3, "sores", days=14)
    clinic.mark("known_stable", 3, "sores_int", days=14)
    return clinic.start()


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
def test_what_is_known_waits_for_the_question_that_may_say_otherwise(any_clinic, said, quiet):
    phone = known_sores(any_clinic)
    phone.save(**said)
    found = any_clinic.alerts()["U09"]
    assert (found.level, found.lowered) == ((Level.WATCH, True) if quiet else (Level.URGENT, False))
    assert told(any_clinic) == ([] if quiet else ["urgent"])


def test_nobody_waits_for_a_form_that_was_left(any_clinic, clock):
    phone = known_sores(any_clinic)
    phone.save(sores=3)
    clock.move(minutes=9, seconds=59)
    worker_steps.evaluate_idle_forms(any_clinic.app_context)
    assert told(any_clinic) == []
    clock.move(seconds=1)
    assert worker_steps.evaluate_idle_forms(any_clinic.app_context) == 1
    assert (any_clinic.alerts()["U09"].level, any_clinic.alerts()["U09"].lowered) == (Level.URGENT, False)
    assert told(any_clinic) == ["urgent"]
    phone.save(sores_int=3)
    # It was raised as urgent; what D1 would say now makes it no quieter.
    assert (any_clinic.alerts()["U09"].level, any_clinic.alerts()["U09"].lowered) == (Level.URGENT, False)
    assert told(any_clinic) == ["urgent"]


def test_nobody_waits_for_a_form_that_was_sent(clinic):
    phone = known_sores(clinic)
    phone.save(sores=3)
    phone.submit()
    assert told(clinic) == ["urgent"]


@pytest.mark.parametrize("days", [14, 20, None])
def test_a_mark_runs_out_while_the_form_is_open(any_clinic, clock, days):
    """After 14 days by the plan, whatever staff wished."""
    any_clinic.mark("known_stable", 1, "chest", days=days)
    clock.move(days=13, hours=23, minutes=59)
    phone = any_clinic.start()
    phone.save(chest=1)
    assert any_clinic.alerts()["U03"].lowered
    clock.move(minutes=1)
    phone.save(palp=0)
    found = any_clinic.alerts()["U03"]
    assert (found.level, found.lowered) == (Level.URGENT, False)
    assert told(any_clinic) == ["urgent"]


# --- the missing red flags -------------------------------------------------------------------------------------------


def test_missing_red_flags_are_closed_only_by_the_last_of_them(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(bleed=0)
    clock.move(minutes=30)
    worker_steps.evaluate_idle_forms(any_clinic.app_context)
    assert any_clinic.alerts()["M01"].closed_at is None
    for item in ("breath", "chest", "palp", "faint", "temp", "swallow"):
        phone.save(**{item: 0})
        assert any_clinic.alerts()["M01"].closed_at is None, item
    phone.save(neuro=None)
    assert any_clinic.alerts()["M01"].closed_at is None
    phone.save(neuro=0)
    assert any_clinic.alerts()["M01"].disposition == "closed_itself"


def test_red_flags_stay_missing_while_nobody_knows_if_it_bleeds_now(clinic, clock):
    phone = clinic.start()
    phone.save(bleed=1)
    clock.move(minutes=30)
    worker_steps.evaluate_idle_forms(clinic.app_context)
    phone.save(bleed_now=None, breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    assert clinic.alerts()["M01"].closed_at is None
    phone.save(bleed_now=0)
    assert clinic.alerts()["M01"].disposition == "closed_itself"

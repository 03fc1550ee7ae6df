"""Test sending several forms, and explaining several missed ones: each by itself, refusals named, the rest done."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.operations import worker_steps
from pro.features.schedule import missed_forms
from pro.features.text_messages import reminders
from pro.messaging import outbox
from pro.messaging.providers import provider_choice
from pro.models import Assessment, AuditEntry, ExpectedForm, FormAccess, Freeze, Message, Participant
from tests.support import form_browser
from tests.support.factories import PLAN, Clock, Study, participant
from tests.support.query_count import record_queries
from tests.support.staff_browser import StaffBrowser, signed_in_browser

FORMS, SEND = "/staff/visits/forms", "/staff/visits/forms/send"
PHONE = "+86138001390"


def run_schedule(app_context: AppContext) -> None:
    """Run the schedule job for every participant."""
    with transaction(app_context.engine) as session:
        session.execute(update(Participant).values(next_due_at=app_context.clock()))
    reminders.run_due_participants(app_context)


def rows(app_context: AppContext, *, missed: bool) -> list[ExpectedForm]:
    """Return the missed forms, or the open ones, by participant."""
    with transaction(app_context.engine) as session:
        now = app_context.clock()
        which = (
            (ExpectedForm.missed_at.is_not(None), ExpectedForm.mandatory.is_(True))
            if missed
            else (ExpectedForm.opens_at <= now, ExpectedForm.closes_at >= now, ExpectedForm.received_at.is_(None))
        )
        return list(session.scalars(select(ExpectedForm).where(*which).order_by(ExpectedForm.id)))


def texts(app_context: AppContext) -> list[Message]:
    """Return the text messages about forms, in order."""
    with transaction(app_context.engine) as session:
        query = select(Message).where(Message.channel == "sms", Message.template.like("form_message%"))
        return list(session.scalars(query.order_by(Message.id)))


def entries(app_context: AppContext, action: str) -> list[AuditEntry]:
    """Return the audit entries of ``action``."""
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)))


def accesses(app_context: AppContext) -> list[FormAccess]:
    """Return the links and codes of all forms."""
    with transaction(app_context.engine) as session:
        return list(session.scalars(select(FormAccess)))


def change(app_context: AppContext, participant_id: int, **values: object) -> None:
    """Change columns of a participant."""
    with transaction(app_context.engine) as session:
        session.execute(update(Participant).where(Participant.id == participant_id).values(**values))


@pytest.fixture
def late_desk(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> StaffBrowser:
    """Return the coordinator seventeen days after consent, with two missed forms of each participant."""
    clock.move(days=17)
    run_schedule(app_context)
    return signed_in_browser(app, seeded.staff["coordinator"])


@pytest.fixture
def open_desk(app: Flask, app_context: AppContext, seeded: Study, clock: Clock) -> StaffBrowser:
    """Return the coordinator an hour after the participants enrolled, when their first forms are open."""
    run_schedule(app_context)
    clock.move(hours=1)
    return signed_in_browser(app, seeded.staff["coordinator"])


def test_one_reason_is_recorded_for_each_chosen_form_with_its_own_audit_entry(
    late_desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    missed = rows(app_context, missed=True)
    assert len(missed) >= 4
    chosen, left = [row.id for row in missed[:3]], [row.id for row in missed[3:]]
    late_desk.open(f"{FORMS}?lang=en")
    assert late_desk.page.count('name="expected"') == len(missed)
    answer = late_desk.post(FORMS, expected=chosen, reason="too_ill", note="admitted")
    assert (answer.status_code, answer.location) == (303, f"{FORMS}?show=missed")
    late_desk.open(f"{FORMS}?lang=en")
    assert "Reason saved for 3 forms." in late_desk.page
    found = {row.id: (row.missing_reason, row.missing_note, row.reason_by) for row in rows(app_context, missed=True)}
    assert {found[number] for number in chosen} == {("too_ill", "admitted", seeded.staff["coordinator"].id)}
    assert {found[number][0] for number in left} == {""}
    assert [entry.subject_id for entry in entries(app_context, "expected_form.reason")] == sorted(
        chosen, key=lambda number: [row.id for row in missed].index(number)
    )
    assert late_desk.page.count('name="expected"') == len(left)


def test_a_reason_that_is_sent_twice_is_recorded_once_and_is_no_error(
    late_desk: StaffBrowser, app_context: AppContext
) -> None:
    chosen = [row.id for row in rows(app_context, missed=True)[:2]]
    late_desk.open(f"{FORMS}?lang=en")
    for _press in range(2):
        assert late_desk.post(FORMS, expected=chosen, reason="too_ill", note=" admitted ").status_code == 303
    assert len(entries(app_context, "expected_form.reason")) == len(chosen)
    assert late_desk.post(FORMS, expected=chosen, reason="forgot").status_code == 409, "another reason is refused"


def test_a_form_that_was_explained_or_received_meanwhile_is_named_and_the_others_are_done(
    late_desk: StaffBrowser, app_context: AppContext, clock: Clock
) -> None:
    first, second, third = rows(app_context, missed=True)[:3]
    late_desk.open(f"{FORMS}?lang=en")
    with transaction(app_context.engine) as session:
        session.get_one(ExpectedForm, first.id).missing_reason = "forgot"
        session.get_one(ExpectedForm, second.id).received_at = clock.now
    answer = late_desk.post(FORMS, expected=[first.id, second.id, third.id], reason="technical")
    assert answer.status_code == 409
    assert "No reason was recorded for 2 forms" in late_desk.page
    assert "A reason is recorded already. It was not changed." in late_desk.page
    assert "Received in the meantime." in late_desk.page
    assert "Reason saved for 1 form" in late_desk.page
    found = {row.id: row.missing_reason for row in rows(app_context, missed=True)}
    assert (found[first.id], found[second.id], found[third.id]) == ("forgot", "", "technical")
    assert len(entries(app_context, "expected_form.reason")) == 1


def test_a_frozen_record_is_named_and_the_others_are_done(
    late_desk: StaffBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    missed = rows(app_context, missed=True)
    frozen_by = seeded.staff["investigator"].id
    with transaction(app_context.engine) as session:
        session.add(
            Freeze(
                plan=PLAN, participant_id=seeded.english.id, frozen_at=clock.now, frozen_by=frozen_by, reason="audit"
            )
        )
    answer = late_desk.post(FORMS, expected=[row.id for row in missed], reason="forgot")
    assert answer.status_code == 409
    assert "The record is frozen." in late_desk.page
    found = {row.participant_id: row.missing_reason for row in rows(app_context, missed=True)}
    assert (found[seeded.english.id], found[seeded.chinese.id]) == ("", "forgot")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": "forgot"}, "Choose at least one form."),
        ({"expected": "one", "reason": ""}, "Choose a reason."),
        ({"expected": "one", "reason": "lazy"}, "Choose one of the options shown."),
        ({"expected": "one", "reason": "forgot", "note": "x" * 501}, "The note is too long"),
    ],
)
def test_nothing_is_recorded_before_everything_is_chosen(
    fields: dict[str, str], sentence: str, late_desk: StaffBrowser, app_context: AppContext
) -> None:
    number = rows(app_context, missed=True)[0].id
    late_desk.open(f"{FORMS}?lang=en")
    sent = {name: str(number) if value == "one" else value for name, value in fields.items()}
    assert late_desk.post(FORMS, **sent).status_code == 400
    assert sentence in late_desk.page
    # What was ticked is still ticked.
    assert (f'value="{number}" checked' in late_desk.page) == ("expected" in fields)
    assert entries(app_context, "expected_form.reason") == []


@pytest.mark.parametrize("number", ["x", "-1", "99999999", "9" * 30])
def test_a_form_that_does_not_exist_changes_nothing(
    number: str, late_desk: StaffBrowser, app_context: AppContext
) -> None:
    known = rows(app_context, missed=True)[0].id
    assert late_desk.post(FORMS, expected=[known, number], reason="forgot").status_code == 400
    assert late_desk.post(SEND, expected=[known, number]).status_code == 400
    assert entries(app_context, "expected_form.reason") == []


def test_each_chosen_form_is_queued_as_from_the_participants_page(
    open_desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    before, sent_before = len(texts(app_context)), len(entries(app_context, "assessment.sent"))
    waiting = rows(app_context, missed=False)
    assert {row.participant_id for row in waiting} == {seeded.chinese.id, seeded.english.id}
    open_desk.open(f"{FORMS}?lang=en&show=open")
    assert open_desk.page.count('name="expected"') == len(waiting) >= 4
    answer = open_desk.post(SEND, expected=[row.id for row in waiting])
    assert (answer.status_code, answer.location) == (303, f"{FORMS}?show=open")
    new = texts(app_context)[before:]
    assert sorted((message.participant_id, message.assessment_id) for message in new) == sorted(
        (row.participant_id, row.assessment_id) for row in waiting
    )
    # The plan of the study sends codes.
    assert {message.template for message in new} == {"form_message_code"}
    sent = entries(app_context, "assessment.sent")[sent_before:]
    assert len(sent) == len(waiting)
    assert {entry.actor_id for entry in sent} == {seeded.staff["coordinator"].id}
    open_desk.open(f"{FORMS}?lang=en&show=open")
    assert f"{len(waiting)} text messages are being sent." in open_desk.page


def test_a_button_that_is_pressed_twice_sends_and_records_once(
    open_desk: StaffBrowser, app_context: AppContext, clock: Clock
) -> None:
    chosen = [row.id for row in rows(app_context, missed=False)]
    before = len(texts(app_context)), len(entries(app_context, "assessment.sent")), len(accesses(app_context))
    for _press in range(2):
        assert open_desk.post(SEND, expected=chosen).status_code == 303
        clock.move(seconds=2)
    after = len(texts(app_context)), len(entries(app_context, "assessment.sent")), len(accesses(app_context))
    assert [new - old for old, new in zip(before, after, strict=True)] == [len(chosen)] * 3


@pytest.mark.parametrize("hours", [12.5, 20])
def test_forms_that_are_sent_together_at_night_wait_for_the_morning(
    app: Flask, open_desk: StaffBrowser, app_context: AppContext, seeded: Study, clock: Clock, hours: float
) -> None:
    """At 22:30 and at 06:00: one button must not wake fifty people."""
    waiting = [row.id for row in rows(app_context, missed=False)]
    clock.move(hours=hours)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    before = len(texts(app_context))
    assert desk.post(SEND, expected=waiting).status_code == 303
    new = texts(app_context)[before:]
    assert len(new) == len(waiting)
    # 08:00 to 21:00 in Shanghai.
    assert {message.next_try_at for message in new} == {datetime(2026, 3, 3, 0, 0, tzinfo=UTC)}
    assert all(message.not_after and message.not_after <= datetime(2026, 3, 3, 13, 0, tzinfo=UTC) for message in new)
    desk.open(f"{FORMS}?lang=en&show=open")
    day = "tomorrow 08:00" if hours < 14 else "08:00"
    assert f"Quiet hours: {len(waiting)} text messages are sent when they end ({day})." in desk.page
    assert "being sent" not in desk.page
    worker_steps.run_jobs(app_context, provider_choice.choose_senders(app_context.config), "test:1")
    assert {message.sent_at for message in texts(app_context)[before:]} == {None}
    # A second press adds no second message for the morning.
    clock.move(minutes=20)
    assert desk.post(SEND, expected=waiting).status_code == 303
    assert len(texts(app_context)) == before + len(waiting)
    clock.now = datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
    provider = provider_choice.choose_senders(app_context.config)
    outbox.deliver(app_context, provider, "test:1")
    assert all(message.sent_at for message in texts(app_context)[before:])


def test_a_form_that_closes_before_the_morning_is_named_and_can_be_sent_alone(
    app: Flask, open_desk: StaffBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    chosen, other = (
        next(row for row in rows(app_context, missed=False) if row.participant_id == person.id)
        for person in (seeded.chinese, seeded.english)
    )
    clock.move(hours=12.5)
    with transaction(app_context.engine) as session:
        row = session.get_one(ExpectedForm, chosen.id)
        row.closes_at = session.get_one(Assessment, row.assessment_id).closes_at = clock.now + timedelta(hours=2)
    desk, before = signed_in_browser(app, seeded.staff["coordinator"]), len(texts(app_context))
    desk.open(f"{FORMS}?lang=en&show=open")
    assert desk.post(SEND, expected=[chosen.id, other.id]).status_code == 409
    refused = desk.page.partition('<section class="err"')[2].partition("</section>")[0]
    assert "The visit window closes before the quiet hours end." in refused
    assert "Text message queued for 1 form" in desk.page
    assert "sent when the quiet hours end (tomorrow 08:00)" in desk.page
    assert [message.participant_id for message in texts(app_context)[before:]] == [seeded.english.id]
    path = f"/staff/participants/{seeded.chinese.id}"
    assert desk.post(f"{path}/send", instrument=chosen.instrument, by="code").status_code == 303
    assert texts(app_context)[-1].next_try_at == clock.now


def test_who_wants_no_texts_has_no_phone_died_or_left_is_named_and_the_others_are_sent(
    app: Flask, open_desk: StaffBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        others = [participant(work, f"NPC-10{n}", phone=f"{PHONE}{n:02}").id for n in range(4)]
    run_schedule(app_context)
    waiting = rows(app_context, missed=False)
    one = {row.participant_id: row.id for row in waiting}
    open_desk.open(f"{FORMS}?lang=en&show=open")
    stopped, no_phone, gone, dead = others
    change(app_context, stopped, opted_out_at=clock.now)
    change(app_context, no_phone, phone_sealed=None, phone_fingerprint=None)
    change(app_context, gone, withdrawn_at=clock.now)
    with form_browser.unit_of_work(app_context) as work:
        person = work.session.get_one(Participant, dead)
        assert missed_forms.make_call_task(work, person, missed_forms.DEATH_TASK, f"death:{dead}") is not None
    before = len(texts(app_context))
    assert open_desk.post(SEND, expected=[one[number] for number in (*others, seeded.chinese.id)]).status_code == 409
    assert [message.participant_id for message in texts(app_context)[before:]] == [seeded.chinese.id]
    assert "4 forms were not sent" in open_desk.page
    assert "1 form is being sent" in open_desk.page
    refused = open_desk.page.partition('<section class="err"')[2].partition("</section>")[0]
    for number, why in (
        ("NPC-100", "Opted out of messages."),
        ("NPC-101", "No phone number is recorded."),
        ("NPC-102", "This participant has left the study."),
        ("NPC-103", "A text message reports a death."),
    ):
        assert re.search(rf"<b>{number}</b>[^<]*{re.escape(why)}", refused), number
    # The list offers no tick for a participant who gets no text.
    open_desk.open(f"{FORMS}?lang=en&show=open")
    assert f'value="{one[stopped]}"' not in open_desk.page
    assert f'value="{one[seeded.english.id]}"' in open_desk.page


def test_a_single_form_is_not_sent_before_the_family_was_called_either(
    open_desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    with form_browser.unit_of_work(app_context) as work:
        missed_forms.report_death(work, work.session.get_one(Participant, seeded.english.id), "1")
    before, path = len(texts(app_context)), f"/staff/participants/{seeded.english.id}"
    open_desk.open(f"{path}/forms?lang=en")
    assert open_desk.post(f"{path}/send", instrument="npc_checkin", by="code").status_code == 409
    assert "A text message reports a death. Call the family; no message is sent until then." in open_desk.page
    assert len(texts(app_context)) == before


def test_a_form_that_was_received_or_closed_meanwhile_is_not_sent(
    open_desk: StaffBrowser, app_context: AppContext, clock: Clock
) -> None:
    first, second = rows(app_context, missed=False)[:2]
    before = len(texts(app_context))
    with transaction(app_context.engine) as session:
        session.get_one(ExpectedForm, first.id).received_at = clock.now
        session.get_one(ExpectedForm, second.id).closes_at = clock.now
    clock.move(minutes=1)
    assert open_desk.post(SEND, expected=[first.id, second.id]).status_code == 409
    assert "Received in the meantime" in open_desk.page
    assert "The visit window is closed" in open_desk.page
    assert len(texts(app_context)) == before


def test_a_form_that_the_study_plan_no_longer_contains_is_named_and_the_others_are_sent(
    open_desk: StaffBrowser, app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = rows(app_context, missed=False)
    gone = [row.id for row in waiting if row.instrument == "qlq_c30"]
    assert 0 < len(gone) < len(waiting)
    before = len(texts(app_context))
    catalogue = open_desk.app.extensions["app_context"].catalogue
    plan = catalogue.plans[PLAN]
    shorter = replace(plan, instruments=tuple(name for name in plan.instruments if name != "qlq_c30"))
    newer = replace(open_desk.app.extensions["app_context"], catalogue=replace(catalogue, plans={PLAN: shorter}))
    monkeypatch.setitem(open_desk.app.extensions, "app_context", newer)
    open_desk.open(f"{FORMS}?lang=en&show=open")
    assert all((f'value="{row.id}"' in open_desk.page) == (row.id not in gone) for row in waiting), "no tick is offered"
    assert open_desk.post(SEND, expected=[row.id for row in waiting]).status_code == 409
    refused = open_desk.page.partition('<section class="err"')[2].partition("</section>")[0]
    assert refused.count("The study plan no longer contains this questionnaire.") == len(gone)
    assert len(texts(app_context)) == before + len(waiting) - len(gone)


def test_two_visits_of_one_form_get_one_message(
    open_desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    mine = next(row for row in rows(app_context, missed=False) if row.participant_id == seeded.chinese.id)
    with transaction(app_context.engine) as session:
        twin = ExpectedForm(
            **{
                column.key: getattr(mine, column.key)
                for column in ExpectedForm.__mapper__.column_attrs
                if column.key not in ("id", "visit")
            },
            visit="rt_end",
        )
        session.add(twin)
        session.flush()
        number = twin.id
    before = len(texts(app_context))
    assert open_desk.post(SEND, expected=[mine.id, number]).status_code == 303
    assert len(texts(app_context)) == before + 1
    open_desk.open(f"{FORMS}?lang=en&show=open")
    assert "1 text message is being sent." in open_desk.page


def test_readers_see_the_lists_without_ticks(app: Flask, late_desk: StaffBrowser, seeded: Study) -> None:
    for role in ("monitor", "statistician"):
        desk = signed_in_browser(app, seeded.staff[role])
        desk.open(f"{FORMS}?lang=en")
        assert "NPC-001" in desk.page
        assert 'name="expected"' not in desk.page
        assert "<form" not in desk.page.partition("<main")[2].partition("</main>")[0]
    nurse = signed_in_browser(app, seeded.staff["nurse"])
    nurse.open(f"{FORMS}?lang=en")
    assert 'name="expected"' in nurse.page


def test_the_list_costs_as_many_statements_for_thirty_as_for_two(
    app_context: AppContext, late_desk: StaffBrowser, seeded: Study
) -> None:
    numbers = []
    for more in (0, 28):
        with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
            for n in range(more):
                participant(work, f"Q-{n:03}", phone="")
        run_schedule(app_context)
        for show in ("missed", "open"):
            late_desk.open(f"{FORMS}?show={show}")
            with record_queries(late_desk.app.extensions["app_context"].engine) as asked:
                late_desk.open(f"{FORMS}?show={show}")
            numbers.append(len(asked))
    assert numbers[:2] == numbers[2:]
    assert max(numbers) <= 9

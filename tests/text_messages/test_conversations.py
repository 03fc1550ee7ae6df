"""Test a conversation of texts, messages and forms; unread texts and their deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.alerts import alert_page, alert_service, message_reading
from pro.features.forms import form_issuing
from pro.features.participants.pages import participant_page
from pro.features.schedule import participation_end
from pro.features.text_messages import conversations, staff_replies
from pro.features.text_messages.conversations import Conversation, FormTextEntry, ReceivedEntry, SentEntry
from pro.features.to_do_list import to_do_list
from pro.models import IncomingMessage, Message
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account, Clock
from tests.support.stored_texts import BLEEDS, store_emergency_text, store_text


def shown(
    clinic: Clinic, reader: Account | None = None, language: str = "en", *, everything: bool = False
) -> Conversation:
    with form_browser.unit_of_work(clinic.app_context, (reader or clinic.nurse).actor) as work:
        return conversations.read_conversation(work, clinic.participant_id, language, everything=everything)


def read(clinic: Clinic, *ids: int, reader: Account | None = None) -> int:
    with form_browser.unit_of_work(clinic.app_context, (reader or clinic.nurse).actor) as work:
        return conversations.mark_read(work, clinic.participant_id, ids)


def test_both_directions_in_order_of_time(clinic: Clinic, clock: Clock) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        form_issuing.send_form(
            work, participant_page.read_participant(work, clinic.participant_id), "npc_checkin", by="link"
        )
    clock.move(minutes=1)
    store_text(clinic, "收到")
    clock.move(minutes=1)
    start = clinic.start()
    start.finish(free_text="嘴里有点味道")
    clock.move(minutes=1)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        staff_replies.send_reply(work, participant_page.read_participant(work, clinic.participant_id), "staff_soon")
    page = shown(clinic)
    assert [entry.kind for entry in page.entries] == ["out", "in", "form", "out"]
    assert [entry.at for entry in page.entries] == sorted(entry.at for entry in page.entries)
    first, text, form, last = page.entries
    assert isinstance(first, SentEntry)
    assert isinstance(text, ReceivedEntry)
    assert isinstance(form, FormTextEntry)
    assert isinstance(last, SentEntry)
    assert (first.written_by, last.written_by) == ("", "Nurse")
    assert text.text.text == "收到"
    assert (form.text, form.read_by, form.replaced) == ("嘴里有点味道", "", False)
    assert form.alert_id is not None
    clinic.acknowledge("TEXT")
    (form,) = [entry for entry in shown(clinic).entries if isinstance(entry, FormTextEntry)]
    assert form.read_by == "Nurse"


@pytest.mark.parametrize("by", ["link", "code"])
@pytest.mark.parametrize("role", ["nurse", "investigator", "coordinator"])
def test_links_and_codes_are_not_shown(clinic: Clinic, by: str, role: str) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        issued = form_issuing.send_form(
            work, participant_page.read_participant(work, clinic.participant_id), "npc_checkin", by=by
        )
    (entry,) = shown(clinic, getattr(clinic, role)).entries
    assert isinstance(entry, SentEntry)
    assert conversations.MASK in entry.text
    secret = issued.code or (issued.link or "").rpartition("/")[2]
    assert secret
    assert secret not in entry.text


def test_a_secret_is_masked_by_its_shape_where_no_parameter_names_it(clinic: Clinic) -> None:
    row = Message(
        body_sealed=clinic.app_context.vault.seal(
            "看 https://epro.example.org/a/abc_DEF-1 或 3ABC-DEFG，电话0791-0000 0000"
        ),
        params_sealed=clinic.app_context.vault.seal("{}"),
    )
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert (
            conversations.mask_secrets(work, row)
            == f"看 {conversations.MASK} 或 {conversations.MASK}，电话0791-0000 0000"
        )


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({}, "waiting", ""),
        ({"sent_at": 1}, "sent", ""),
        ({"sent_at": 1, "delivered_at": 2}, "delivered", ""),
        (
            {"sent_at": 1, "failed_at": 2, "failure": "phone_unreachable:30003"},
            "failed",
            "The phone is off or cannot be reached",
        ),
        ({"dropped_at": 1, "failure": "too_late"}, "dropped", "Too late to be useful"),
    ],
)
def test_a_message_says_what_became_of_it(
    clinic: Clinic, clock: Clock, change: dict[str, object], status: str, said: str
) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        message = staff_replies.send_reply(
            work, participant_page.read_participant(work, clinic.participant_id), "staff_call"
        )
        assert message is not None
        for name, value in change.items():
            setattr(message, name, clock.now + timedelta(minutes=value) if isinstance(value, int) else value)
    (entry,) = shown(clinic).entries
    assert isinstance(entry, SentEntry)
    assert entry.status == status
    assert said in entry.reason
    assert bool(entry.reason) == bool(said)


def test_an_answer_says_what_it_was_taken_for(clinic: Clinic) -> None:
    start = clinic.start()
    start.save(bleed=1)
    store_text(clinic, "1", what="answer", assessment_id=clinic.checkin.assessment_id, item="bleed")
    store_text(clinic, "？", what="answer", assessment_id=clinic.checkin.assessment_id, item="no_such_item")
    taken = [entry.taken_for for entry in shown(clinic).entries if isinstance(entry, ReceivedEntry)]
    assert taken == ["Did you bleed from your nose, mouth or throat? Only streaks or a few drops", ""]


def test_a_free_text_that_came_as_a_text_stands_there_once(clinic: Clinic) -> None:
    clinic.start().finish(free_text="嗓子干")
    store_text(clinic, " 嗓子干 ", what="answer", assessment_id=clinic.checkin.assessment_id, item="free_text")
    assert [entry.kind for entry in shown(clinic).entries] == ["in"]


def test_an_older_free_text_stays_and_says_that_it_was_changed(clinic: Clinic) -> None:
    start = clinic.start()
    start.finish_until("", free_text="大出血")
    start.save(free_text="小出血")
    found = [entry for entry in shown(clinic).entries if isinstance(entry, FormTextEntry)]
    assert [(entry.text, entry.replaced) for entry in found] == [("大出血", True), ("小出血", False)]


@pytest.mark.parametrize(
    ("what", "level", "unread"),
    [
        ("text", Level.NONE, True),
        ("unclear", Level.NONE, True),
        ("late", Level.NONE, True),
        ("answer", Level.NONE, False),
        ("command", Level.NONE, False),
        ("answer", Level.WATCH, True),
        ("command", Level.EMERGENCY, True),
    ],
)
def test_what_must_be_read(clinic: Clinic, what: str, level: Level, unread: bool) -> None:
    number = store_text(clinic, what=what, level=level)
    assert shown(clinic).unread == ([number] if unread else [])
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert message_reading.unread_count(work) == unread
        (row,) = conversations.read_inbox(work).conversations
        assert row.unread == unread
        assert len(conversations.read_inbox(work, unread_only=True).conversations) == unread


def test_the_first_reader_stays_and_is_recorded(any_clinic: Clinic, clock: Clock) -> None:
    one, two = store_text(any_clinic), store_text(any_clinic)
    assert read(any_clinic, one) == 1
    clock.move(minutes=5)
    assert read(any_clinic, one, two, reader=any_clinic.investigator) == 1
    rows = any_clinic.rows(IncomingMessage)
    assert [row.read_by for row in rows] == [any_clinic.nurse.id, any_clinic.investigator.id]
    assert [event.subject_id for event in any_clinic.events("incoming_message.read")] == [one, two]


def test_two_readers_at_once(any_clinic: Clinic) -> None:
    number = store_text(any_clinic)
    form_browser.run_concurrently(*(lambda who=who: read(any_clinic, number, reader=who) for who in _both(any_clinic)))
    assert len(any_clinic.events("incoming_message.read")) == 1


def _both(clinic: Clinic) -> tuple[Account, Account]:
    return clinic.nurse, clinic.investigator


def test_texts_of_another_participant_are_not_marked(clinic: Clinic) -> None:
    stranger = store_text(clinic, known=False)
    assert read(clinic, stranger) == 0


def test_unread_is_shown_however_old_and_the_rest_is_cut(clinic: Clinic, clock: Clock) -> None:
    for _ in range(70):
        store_text(clinic, what="answer")
        clock.move(minutes=1)
    assert (len(shown(clinic).entries), shown(clinic).earlier) == (conversations.MAX_ENTRIES, 10)
    assert (len(shown(clinic, everything=True).entries), shown(clinic, everything=True).earlier) == (70, 0)
    old = store_text(clinic, ago=timedelta(days=2))
    assert shown(clinic).entries[0].at == clock.now - timedelta(days=2)
    read(clinic, old)
    assert len(shown(clinic).entries) == conversations.MAX_ENTRIES


@pytest.mark.parametrize(
    ("received", "overdue_from"),
    [
        # Monday morning → Tuesday at the same time.
        (datetime(2026, 3, 2, 1, 0, tzinfo=UTC), datetime(2026, 3, 3, 1, 0, tzinfo=UTC)),
        # Friday noon → Monday noon; Saturday night → Monday at closing time, 17:30.
        (datetime(2026, 3, 6, 4, 0, tzinfo=UTC), datetime(2026, 3, 9, 4, 0, tzinfo=UTC)),
        (datetime(2026, 3, 7, 15, 0, tzinfo=UTC), datetime(2026, 3, 9, 9, 30, tzinfo=UTC)),
        # Before the holidays of 1 May, a Friday in 2026 → the first working day after them.
        (datetime(2026, 4, 30, 9, 0, tzinfo=UTC), datetime(2026, 5, 6, 9, 0, tzinfo=UTC)),
    ],
)
def test_a_working_day(clinic: Clinic, clock: Clock, received: datetime, overdue_from: datetime) -> None:
    clock.now = received
    store_text(clinic)
    clock.now = overdue_from
    assert not shown(clinic).overdue
    clock.move(seconds=1)
    assert shown(clinic).overdue
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        (row,) = to_do_list.read_to_do_list(work, "en").texts.conversations
    assert row.overdue


def test_the_inbox_puts_unread_first_and_the_highest_level_on_top(clinic: Clinic, clock: Clock) -> None:
    other = clinic.another("npc_reirradiation", "NPC-002")
    third = clinic.another("npc_reirradiation", "NPC-003")
    store_text(clinic, what="answer")
    clock.move(minutes=1)
    store_text(other)
    clock.move(minutes=1)
    store_emergency_text(third, known=True)
    with form_browser.unit_of_work(clinic.app_context) as work:
        rows = conversations.read_inbox(work).conversations
    assert [(row.participant_number, row.unread, row.level) for row in rows] == [
        ("NPC-003", 1, Level.EMERGENCY),
        ("NPC-002", 1, Level.NONE),
        ("NPC-001", 0, Level.NONE),
    ]


def test_the_to_do_list_shows_texts_to_roles_that_may_read_them(clinic: Clinic) -> None:
    store_text(clinic)
    with form_browser.unit_of_work(clinic.app_context, replace(clinic.nurse.actor, role="statistician")) as work:
        assert to_do_list.read_to_do_list(work).texts.conversations == []
    with form_browser.unit_of_work(clinic.app_context, replace(clinic.nurse.actor, role="monitor")) as work:
        assert len(to_do_list.read_to_do_list(work).texts.conversations) == 1


def test_a_monitor_reads_without_the_number(clinic: Clinic) -> None:
    store_text(clinic)
    page = shown(clinic, replace(clinic.nurse, role="monitor"))
    assert (page.phone, page.can_reply) == (None, False)
    assert shown(clinic).phone == "+8613800138000"
    assert len(clinic.events("participant.seen")) == 2


def test_unknown_conversations_are_not_found(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(NotFound):
        conversations.read_conversation(work, 99, "en")


def test_after_the_study_the_thread_stays_and_says_why_nothing_can_be_sent(clinic: Clinic) -> None:
    store_text(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work:
        participation_end.end_participation(
            work, participant_page.read_participant(work, clinic.participant_id), died=False, reason="asked"
        )
    page = shown(clinic)
    assert (page.status, page.why_not) == ("withdrawn", "reply_withdrawn")
    assert len(page.unread) == 1


def test_acknowledging_an_alert_marks_its_text_as_read(clinic: Clinic) -> None:
    clinic.start().finish(free_text="还好")
    during = store_text(
        clinic, "大出血", what="unclear", level=Level.EMERGENCY, hits=BLEEDS, assessment_id=clinic.checkin.assessment_id
    )
    quiet = store_text(clinic, "好的", what="unclear", assessment_id=clinic.checkin.assessment_id)
    alert_id = clinic.alerts()["TEXT"].id
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        page = alert_page.alert_page(work, alert_id, "en")
        assert [text.id for text in page.texts] == [during]
        assert [one.text for one in page.form_texts] == ["还好"]
        assert [(flag.class_id, flag.term, flag.status) for flag in page.flags] == [("bleed", "大出血", "affirmed")]
        alert_service.acknowledge(work, [alert_id])
    read_at = {row.id: row.read_at for row in clinic.rows(IncomingMessage)}
    assert read_at[during] is not None
    assert read_at[quiet] is None


def test_an_alert_hides_the_text_from_roles_without_access_to_answers(clinic: Clinic) -> None:
    clinic.start().finish(free_text="大出血")
    alert_id = clinic.alerts()["TEXT"].id
    with form_browser.unit_of_work(clinic.app_context, replace(clinic.nurse.actor, role="administrator")) as work:
        page = alert_page.alert_page(work, alert_id, "en")
    assert (page.texts, page.form_texts, page.flags) == ([], [], ())


def test_flags_are_read_however_they_were_kept() -> None:
    found = message_reading.red_flags_of([*BLEEDS, "fever: negated", *BLEEDS])
    assert [(flag.class_id, flag.status) for flag in found] == [("bleed", "affirmed"), ("fever", "negated")]

"""One conversation from texts, our messages and forms; what is unread, and until when that is bearable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.alerts import alert_page, alert_service, incoming_flags
from pro.features.dashboard import dashboard
from pro.features.forms import form_issuing
from pro.features.participants.pages import participant_page
from pro.features.schedule import participation_end
from pro.features.text_messages import staff_replies, threads
from pro.features.text_messages.threads import Incoming, Outgoing, Thread, Written
from pro.models import Inbound, Message
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Account, Clock
from tests.support.stored_texts import BLEEDS, emergency, texted


def shown(ward: Ward, reader: Account | None = None, language: str = "en", *, everything: bool = False) -> Thread:
    with form_browser.working(ward.house, (reader or ward.nurse).actor) as work:
        return threads.thread(work, ward.participant_id, language, everything=everything)


def read(ward: Ward, *ids: int, reader: Account | None = None) -> int:
    with form_browser.working(ward.house, (reader or ward.nurse).actor) as work:
        return threads.mark_read(work, ward.participant_id, ids)


def test_both_directions_in_order_of_time(ward: Ward, clock: Clock) -> None:
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        form_issuing.send_form(work, participant_page.participant(work, ward.participant_id), "npc_checkin", by="link")
    clock.move(minutes=1)
    texted(ward, "收到")
    clock.move(minutes=1)
    start = ward.start()
    start.finish(free_text="嘴里有点味道")
    clock.move(minutes=1)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        staff_replies.reply(work, participant_page.participant(work, ward.participant_id), "staff_soon")
    page = shown(ward)
    assert [entry.kind for entry in page.entries] == ["out", "in", "form", "out"]
    assert [entry.at for entry in page.entries] == sorted(entry.at for entry in page.entries)
    first, text, form, last = page.entries
    assert isinstance(first, Outgoing)
    assert isinstance(text, Incoming)
    assert isinstance(form, Written)
    assert isinstance(last, Outgoing)
    assert (first.written_by, last.written_by) == ("", "Nurse")
    assert text.text.text == "收到"
    assert (form.text, form.read_by, form.replaced) == ("嘴里有点味道", "", False)
    assert form.alert_id is not None
    ward.acknowledge("TEXT")
    (form,) = [entry for entry in shown(ward).entries if isinstance(entry, Written)]
    assert form.read_by == "Nurse"


@pytest.mark.parametrize("by", ["link", "code"])
@pytest.mark.parametrize("role", ["nurse", "investigator", "coordinator"])
def test_nothing_that_lets_somebody_in_is_shown(ward: Ward, by: str, role: str) -> None:
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        issued = form_issuing.send_form(
            work, participant_page.participant(work, ward.participant_id), "npc_checkin", by=by
        )
    (entry,) = shown(ward, getattr(ward, role)).entries
    assert isinstance(entry, Outgoing)
    assert threads.MASK in entry.text
    secret = issued.code or (issued.link or "").rpartition("/")[2]
    assert secret
    assert secret not in entry.text


def test_a_secret_is_masked_by_its_shape_where_no_parameter_names_it(ward: Ward) -> None:
    row = Message(
        body_sealed=ward.house.vault.seal("看 https://epro.example.org/a/abc_DEF-1 或 3ABC-DEFG，电话0791-0000 0000"),
        params_sealed=ward.house.vault.seal("{}"),
    )
    with form_browser.working(ward.house) as work:
        assert threads.masked(work, row) == f"看 {threads.MASK} 或 {threads.MASK}，电话0791-0000 0000"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({}, "waiting", ""),
        ({"sent_at": 1}, "sent", ""),
        ({"sent_at": 1, "delivered_at": 2}, "delivered", ""),
        ({"sent_at": 1, "failed_at": 2, "failure": "phone_unreachable:30003"}, "failed", "out of reach"),
        ({"dropped_at": 1, "failure": "too_late"}, "dropped", "too late"),
    ],
)
def test_a_message_says_what_became_of_it(
    ward: Ward, clock: Clock, change: dict[str, object], status: str, said: str
) -> None:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        message = staff_replies.reply(work, participant_page.participant(work, ward.participant_id), "staff_call")
        assert message is not None
        for name, value in change.items():
            setattr(message, name, clock.now + timedelta(minutes=value) if isinstance(value, int) else value)
    (entry,) = shown(ward).entries
    assert isinstance(entry, Outgoing)
    assert entry.status == status
    assert said in entry.reason
    assert bool(entry.reason) == bool(said)


def test_an_answer_says_what_it_was_taken_for(ward: Ward) -> None:
    start = ward.start()
    start.save(bleed=1)
    texted(ward, "1", what="answer", assessment_id=ward.checkin.assessment_id, item="bleed")
    texted(ward, "？", what="answer", assessment_id=ward.checkin.assessment_id, item="no_such_item")
    taken = [entry.taken_for for entry in shown(ward).entries if isinstance(entry, Incoming)]
    assert taken == ["Did you bleed from your nose, mouth or throat? Only streaks or a few drops", ""]


def test_a_free_text_that_came_as_a_text_stands_there_once(ward: Ward) -> None:
    ward.start().finish(free_text="嗓子干")
    texted(ward, " 嗓子干 ", what="answer", assessment_id=ward.checkin.assessment_id, item="free_text")
    assert [entry.kind for entry in shown(ward).entries] == ["in"]


def test_an_older_free_text_stays_and_says_that_it_was_changed(ward: Ward) -> None:
    start = ward.start()
    start.finish_until("", free_text="大出血")
    start.save(free_text="小出血")
    found = [entry for entry in shown(ward).entries if isinstance(entry, Written)]
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
def test_what_must_be_read(ward: Ward, what: str, level: Level, unread: bool) -> None:
    number = texted(ward, what=what, level=level)
    assert shown(ward).unread == ([number] if unread else [])
    with form_browser.working(ward.house) as work:
        assert incoming_flags.unread_count(work) == unread
        (row,) = threads.inbox(work).threads
        assert row.unread == unread
        assert len(threads.inbox(work, unread_only=True).threads) == unread


def test_the_first_reader_stays_and_is_recorded(any_ward: Ward, clock: Clock) -> None:
    one, two = texted(any_ward), texted(any_ward)
    assert read(any_ward, one) == 1
    clock.move(minutes=5)
    assert read(any_ward, one, two, reader=any_ward.investigator) == 1
    rows = any_ward.rows(Inbound)
    assert [row.read_by for row in rows] == [any_ward.nurse.id, any_ward.investigator.id]
    assert [event.subject_id for event in any_ward.events("inbound.read")] == [one, two]


def test_two_readers_at_once(any_ward: Ward) -> None:
    number = texted(any_ward)
    form_browser.at_once(*(lambda who=who: read(any_ward, number, reader=who) for who in _both(any_ward)))
    assert len(any_ward.events("inbound.read")) == 1


def _both(ward: Ward) -> tuple[Account, Account]:
    return ward.nurse, ward.investigator


def test_texts_of_somebody_else_are_not_marked(ward: Ward) -> None:
    stranger = texted(ward, known=False)
    assert read(ward, stranger) == 0


def test_unread_is_shown_however_old_and_the_rest_is_cut(ward: Ward, clock: Clock) -> None:
    for _ in range(70):
        texted(ward, what="answer")
        clock.move(minutes=1)
    assert (len(shown(ward).entries), shown(ward).earlier) == (threads.NEWEST, 10)
    assert (len(shown(ward, everything=True).entries), shown(ward, everything=True).earlier) == (70, 0)
    old = texted(ward, ago=timedelta(days=2))
    assert shown(ward).entries[0].at == clock.now - timedelta(days=2)
    read(ward, old)
    assert len(shown(ward).entries) == threads.NEWEST


@pytest.mark.parametrize(
    ("received", "overdue_from"),
    [
        # Monday morning → Tuesday at the same time.
        (datetime(2026, 3, 2, 1, 0, tzinfo=UTC), datetime(2026, 3, 3, 1, 0, tzinfo=UTC)),
        # Friday noon → Monday noon; Saturday night → Monday's end of work at 17:30.
        (datetime(2026, 3, 6, 4, 0, tzinfo=UTC), datetime(2026, 3, 9, 4, 0, tzinfo=UTC)),
        (datetime(2026, 3, 7, 15, 0, tzinfo=UTC), datetime(2026, 3, 9, 9, 30, tzinfo=UTC)),
        # Before the holidays of the first of May, a Friday in 2026 → the first working day after them.
        (datetime(2026, 4, 30, 9, 0, tzinfo=UTC), datetime(2026, 5, 6, 9, 0, tzinfo=UTC)),
    ],
)
def test_a_working_day(ward: Ward, clock: Clock, received: datetime, overdue_from: datetime) -> None:
    clock.now = received
    texted(ward)
    clock.now = overdue_from
    assert not shown(ward).overdue
    clock.move(seconds=1)
    assert shown(ward).overdue
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        (row,) = dashboard.board(work, "en").texts.threads
    assert row.overdue


def test_the_inbox_puts_unread_first_and_the_loudest_on_top(ward: Ward, clock: Clock) -> None:
    other = ward.another("npc_reirradiation", "NPC-002")
    third = ward.another("npc_reirradiation", "NPC-003")
    texted(ward, what="answer")
    clock.move(minutes=1)
    texted(other)
    clock.move(minutes=1)
    emergency(third, known=True)
    with form_browser.working(ward.house) as work:
        rows = threads.inbox(work).threads
    assert [(row.study_number, row.unread, row.level) for row in rows] == [
        ("NPC-003", 1, Level.EMERGENCY),
        ("NPC-002", 1, Level.NONE),
        ("NPC-001", 0, Level.NONE),
    ]


def test_the_board_shows_texts_to_those_who_may_read_them(ward: Ward) -> None:
    texted(ward)
    with form_browser.working(ward.house, replace(ward.nurse.actor, role="statistician")) as work:
        assert dashboard.board(work).texts.threads == []
    with form_browser.working(ward.house, replace(ward.nurse.actor, role="monitor")) as work:
        assert len(dashboard.board(work).texts.threads) == 1


def test_a_monitor_reads_without_the_number(ward: Ward) -> None:
    texted(ward)
    page = shown(ward, replace(ward.nurse, role="monitor"))
    assert (page.phone, page.can_reply) == (None, False)
    assert shown(ward).phone == "+8613800138000"
    assert len(ward.events("participant.seen")) == 2


def test_nobody_there(ward: Ward) -> None:
    with form_browser.working(ward.house, ward.nurse.actor) as work, pytest.raises(NotFound):
        threads.thread(work, 99, "en")


def test_after_the_study_the_thread_stays_and_says_why_nothing_can_be_sent(ward: Ward) -> None:
    texted(ward)
    with form_browser.working(ward.house) as work:
        participation_end.leave(
            work, participant_page.participant(work, ward.participant_id), died=False, reason="asked"
        )
    page = shown(ward)
    assert (page.status, page.why_not) == ("withdrawn", "reply_withdrawn")
    assert len(page.unread) == 1


def test_whoever_takes_on_the_alert_has_read_its_text(ward: Ward) -> None:
    ward.start().finish(free_text="还好")
    during = texted(
        ward, "大出血", what="unclear", level=Level.EMERGENCY, hits=BLEEDS, assessment_id=ward.checkin.assessment_id
    )
    quiet = texted(ward, "好的", what="unclear", assessment_id=ward.checkin.assessment_id)
    alert_id = ward.alerts()["TEXT"].id
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        page = alert_page.alert_page(work, alert_id, "en")
        assert [text.id for text in page.texts] == [during]
        assert page.form_texts == ["还好"]
        assert [(flag.class_id, flag.term, flag.status) for flag in page.flags] == [
            ("bleed_major", "大出血", "affirmed")
        ]
        alert_service.acknowledge(work, [alert_id])
    read_at = {row.id: row.read_at for row in ward.rows(Inbound)}
    assert read_at[during] is not None
    assert read_at[quiet] is None


def test_an_alert_hides_the_text_from_whoever_may_not_read_answers(ward: Ward) -> None:
    ward.start().finish(free_text="大出血")
    alert_id = ward.alerts()["TEXT"].id
    with form_browser.working(ward.house, replace(ward.nurse.actor, role="administrator")) as work:
        page = alert_page.alert_page(work, alert_id, "en")
    assert (page.texts, page.form_texts, page.flags) == ([], [], ())


def test_flags_are_read_however_they_were_kept() -> None:
    found = incoming_flags.flags_of([*BLEEDS, "fever: negated", *BLEEDS])
    assert [(flag.class_id, flag.status) for flag in found] == [("bleed_major", "affirmed"), ("fever", "negated")]

"""Test the participant's own page: who opens it, what it shows, and what can be chosen there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.features.forms import participant_cards
from pro.features.schedule import participation_end
from pro.models import Assessment, AuditEntry, ExpectedForm, Participant
from tests.support import factories
from tests.support.factories import Clock, FormLinks, Study
from tests.support.form_browser import press_start, unit_of_work
from tests.support.participant_browser import ParticipantBrowser, all_rows, answer_until_list

MOST_BYTES = 14_000
HEADING = "我的页面"


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """Return a phone."""
    return ParticipantBrowser(app)


def open_by_link(phone: ParticipantBrowser, way: FormLinks) -> str:
    """Open the own page from the page behind a form's link; return its address."""
    phone.open(way.path)
    assert f'action="{way.path}/my"' in phone.page
    phone.open(phone.post(f"{way.path}/my").headers["Location"])
    return phone.at


def open_by_code(phone: ParticipantBrowser, way: FormLinks) -> str:
    """Type a form's code and open the own page; return its address."""
    phone.open("/")
    phone.press(code=way.code, do="next")
    phone.open(f"/f/{way.ref}/my")
    return phone.at


def open_by_card(phone: ParticipantBrowser, app_context: AppContext, seeded: Study, participant_id: int) -> str:
    """Scan a new card of the participant, type the PIN and open the own page; return its address."""
    with unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        token = participant_cards.make_card(work, work.session.get_one(Participant, participant_id))[1].token
    phone.open(f"/c/{token}")
    phone.press(pin=factories.PIN, do="next")
    phone.open("/due/my")
    return phone.at


def person_of(app_context: AppContext, participant_id: int) -> Participant:
    """Return the participant as stored now."""
    with unit_of_work(app_context) as work:
        return work.session.get_one(Participant, participant_id)


def forms_of(app_context: AppContext, participant_id: int) -> list[Assessment]:
    """Return the participant's forms, oldest first."""
    with unit_of_work(app_context) as work:
        query = select(Assessment).where(Assessment.participant_id == participant_id).order_by(Assessment.id)
        return list(work.session.scalars(query))


def send_both(app_context: AppContext, seeded: Study) -> None:
    """Send both forms of the Chinese participant from another phone."""
    press_start(app_context, seeded.chinese.checkin).finish(sores=1, free_text="嘴里疼")
    press_start(app_context, seeded.chinese.qlq).finish()


# --- who opens it --------------------------------------------------------------------------------------------------


def test_a_link_opens_it_and_starts_nothing(phone: ParticipantBrowser, app_context: AppContext, seeded: Study) -> None:
    assert open_by_link(phone, seeded.chinese.checkin) == f"/f/{seeded.chinese.checkin.ref}/my"
    assert phone.heading == HEADING
    assert "等您填写" in phone.page
    form = forms_of(app_context, seeded.chinese.id)[0]
    assert (form.opened_at, form.answered_by) == (None, None)


def test_a_code_and_a_card_open_it_too(phone: ParticipantBrowser, app_context: AppContext, seeded: Study) -> None:
    open_by_code(phone, seeded.chinese.checkin)
    assert phone.heading == HEADING
    assert open_by_card(phone, app_context, seeded, seeded.chinese.id) == "/due/my"
    assert phone.heading == HEADING


def test_the_link_of_a_sent_form_and_the_last_page_lead_to_it(
    phone: ParticipantBrowser, app: Flask, app_context: AppContext, seeded: Study
) -> None:
    phone.start(seeded.chinese.checkin)
    answer_until_list(phone)
    phone.press(do="none")
    phone.press(weight="", free_text="", do="next")
    phone.press(do="send")
    assert f'href="/f/{seeded.chinese.checkin.ref}/my"' in phone.page
    press_start(app_context, seeded.chinese.qlq).finish()
    other = ParticipantBrowser(app)
    open_by_link(other, seeded.chinese.checkin)
    assert other.heading == HEADING


def test_it_names_no_person(phone: ParticipantBrowser, app_context: AppContext, seeded: Study) -> None:
    for _way in (
        open_by_link(phone, seeded.chinese.checkin),
        open_by_card(phone, app_context, seeded, seeded.chinese.id),
    ):
        for secret in (seeded.chinese.participant_number, factories.PHONES["zh_Hans"], factories.PIN, "鼻咽"):
            assert secret not in phone.page


def test_a_get_changes_nothing(phone: ParticipantBrowser, app_context: AppContext, seeded: Study) -> None:
    send_both(app_context, seeded)
    open_by_card(phone, app_context, seeded, seeded.chinese.id)
    before = all_rows(app_context)
    for path in ("/due/my", f"/due/my/{seeded.chinese.checkin.ref}", "/due/my?lang=en"):
        assert phone.open(path).status_code == 200
    assert all_rows(app_context) == before


def test_after_the_end_of_participation_it_is_closed(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study
) -> None:
    at = open_by_link(phone, seeded.chinese.checkin)
    with unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        participation_end.end_participation(
            work, work.session.get_one(Participant, seeded.chinese.id), died=False, reason="asked"
        )
    assert phone.open(at).status_code == 410
    assert phone.open(f"{seeded.chinese.checkin.path}").status_code == 410


def test_emergency_advice_comes_first(phone: ParticipantBrowser, seeded: Study) -> None:
    phone.start(seeded.chinese.checkin)
    phone.tap(4)
    assert 'class="sos' in phone.page
    phone.open(f"/f/{seeded.chinese.checkin.ref}/my")
    assert 'class="sos' in phone.page
    phone.press(do="understood")
    phone.open(f"/f/{seeded.chinese.checkin.ref}/my")
    assert phone.heading == HEADING


def test_the_card_is_good_for_half_an_hour(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    at = open_by_card(phone, app_context, seeded, seeded.chinese.id)
    clock.move(minutes=31)
    assert phone.open(at).status_code == 403


# --- what was sent -------------------------------------------------------------------------------------------------


def test_the_card_shows_own_answers_read_only(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study
) -> None:
    send_both(app_context, seeded)
    open_by_card(phone, app_context, seeded, seeded.chinese.id)
    assert re.findall(r'href="/due/my/([^"?]+)"', phone.page) == [seeded.chinese.qlq.ref, seeded.chinese.checkin.ref]
    phone.open(f"/due/my/{seeded.chinese.checkin.ref}")
    words = app_context.catalogue.words["npc_checkin", "zh_Hans"].items["sores"]
    assert re.search(rf"<dt>{words.short}</dt><dd>{words.options[1]}</dd>", phone.page)
    assert "嘴里疼" in phone.page
    assert "<form" not in phone.page
    phone.open(f"/due/my/{seeded.chinese.checkin.ref}?lang=en")
    english = app_context.catalogue.words["npc_checkin", "en"].items["sores"]
    assert re.search(rf"<dt>{english.short}</dt><dd>{english.options[1]}</dd>", phone.page)


@pytest.mark.parametrize("opened", [open_by_link, open_by_code])
def test_a_link_or_code_lists_what_was_sent_without_answers(
    phone: ParticipantBrowser,
    app_context: AppContext,
    seeded: Study,
    opened: Callable[[ParticipantBrowser, FormLinks], str],
) -> None:
    send_both(app_context, seeded)
    at = opened(phone, seeded.chinese.qlq)
    assert "身体情况问卷" in phone.page
    assert "用卡片和密码打开，就能看自己的回答。" in phone.page
    assert f"{at}/" not in phone.page
    for way in (seeded.chinese.checkin, seeded.chinese.qlq):
        answer = phone.client.get(f"{at}/{way.ref}")
        assert (answer.status_code, answer.headers["Location"]) == (303, at)


def test_the_browser_that_sent_a_form_shows_its_answers_for_half_an_hour(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    press_start(app_context, seeded.chinese.qlq).finish()
    phone.start(seeded.chinese.checkin)
    answer_until_list(phone, sores=1)
    phone.press(do="none")
    phone.press(weight="", free_text="嘴里疼", do="next")
    ref = seeded.chinese.checkin.ref
    # Before it is sent, the form itself shows its answers, in the review.
    assert phone.client.get(f"/f/{ref}/my/{ref}").status_code == 303
    phone.press(do="send")
    phone.open(f"/f/{ref}/my")
    assert re.findall(rf'href="/f/{ref}/my/([^"?]+)"', phone.page) == [ref]
    phone.open(f"/f/{ref}/my/{ref}")
    assert "嘴里疼" in phone.page
    assert phone.client.get(f"/f/{ref}/my/{seeded.chinese.qlq.ref}").status_code == 303
    clock.move(minutes=31)
    phone.open(f"/f/{ref}/my/{ref}")
    assert phone.heading == HEADING
    assert "嘴里疼" not in phone.page


def test_another_participant_s_form_is_never_shown(
    phone: ParticipantBrowser, app: Flask, app_context: AppContext, seeded: Study
) -> None:
    send_both(app_context, seeded)
    open_by_card(phone, app_context, seeded, seeded.english.id)
    assert "Nothing yet." in phone.page
    for way in (seeded.chinese.checkin, seeded.chinese.qlq):
        answer = phone.client.get(f"/due/my/{way.ref}")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/due/my")
    # Nor does the session of one form open the page of another.
    other = ParticipantBrowser(app)
    open_by_link(other, seeded.english.checkin)
    cookie = other.client.get_cookie(f"f_{seeded.english.checkin.ref}", path=f"/f/{seeded.english.checkin.ref}")
    assert cookie is not None
    ref = seeded.chinese.checkin.ref
    other.client.set_cookie(f"f_{ref}", cookie.value, path=f"/f/{ref}")
    assert other.open(f"/f/{ref}/my").status_code == 403


def test_what_a_proxy_answered_is_listed_and_not_shown(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study
) -> None:
    press_start(app_context, seeded.chinese.checkin, answered_by="proxy").finish(free_text="他很疼")
    open_by_card(phone, app_context, seeded, seeded.chinese.id)
    assert "别人替您答的" in phone.page
    assert phone.client.get(f"/due/my/{seeded.chinese.checkin.ref}").status_code == 303


# --- what waits, and a report at any time ----------------------------------------------------------------------------


def test_a_form_that_waits_is_opened_from_it(phone: ParticipantBrowser, app_context: AppContext, seeded: Study) -> None:
    at = open_by_code(phone, seeded.chinese.qlq)
    assert phone.post(at, do="fill", form="npc_checkin").headers["Location"] == f"/f/{seeded.chinese.checkin.ref}"
    phone.open(f"/f/{seeded.chinese.checkin.ref}")
    assert 'value="self"' in phone.page
    assert len(forms_of(app_context, seeded.chinese.id)) == 2


def test_something_wrong_now_starts_a_check_in_outside_the_plan(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    send_both(app_context, seeded)
    clock.move(hours=1)
    at = open_by_code(phone, seeded.chinese.qlq)
    assert "现在不舒服？告诉我们" in phone.page
    assert 'href="tel:120"' in phone.page
    with unit_of_work(app_context) as work:
        before = [(row.id, row.received_at, row.assessment_id) for row in work.session.scalars(select(ExpectedForm))]
    answer = phone.post(at, do="fill", form="npc_checkin")
    new = forms_of(app_context, seeded.chinese.id)[-1]
    assert answer.headers["Location"] == f"/f/{new.ref}"
    assert (new.instrument, new.visit, new.issued_by, new.opened_at) == ("npc_checkin", None, None, None)
    phone.open(answer.headers["Location"])
    phone.press(by="self")
    assert phone.shown == "bleed"
    with unit_of_work(app_context) as work:
        assert before == [
            (row.id, row.received_at, row.assessment_id) for row in work.session.scalars(select(ExpectedForm))
        ]
    # A second press leads to the same form.
    assert phone.post(at, do="fill", form="npc_checkin").headers["Location"] == f"/f/{new.ref}"


def test_no_other_form_is_started_from_it(phone: ParticipantBrowser, app_context: AppContext, seeded: Study) -> None:
    send_both(app_context, seeded)
    at = open_by_code(phone, seeded.chinese.checkin)
    for name in ("qlq_c30", "sf_36", ""):
        assert phone.post(at, do="fill", form=name).status_code == 404
    assert len(forms_of(app_context, seeded.chinese.id)) == 2


def test_the_next_time_is_told_with_its_length(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    send_both(app_context, seeded)
    with unit_of_work(app_context) as work:
        rows = work.session.scalars(select(ExpectedForm).where(ExpectedForm.participant_id == seeded.chinese.id)).all()
        for row in rows:
            row.opens_at, row.received_at = clock.now + timedelta(days=3), None
        minutes = sum(app_context.catalogue.words[row.instrument, "zh_Hans"].minutes for row in rows)
    open_by_card(phone, app_context, seeded, seeded.chinese.id)
    assert "3月5日星期四起" in phone.page
    assert f"{len(rows)}份，大约{minutes}分钟。" in phone.page
    assert "到时候给您发短信。" in phone.page


# --- choices ---------------------------------------------------------------------------------------------------------


def test_text_messages_are_stopped_and_allowed_again(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study
) -> None:
    at = open_by_link(phone, seeded.chinese.checkin)
    assert 'value="stop_texts"' in phone.page
    assert phone.post(at, do="stop_texts").headers["Location"] == at
    assert person_of(app_context, seeded.chinese.id).opted_out_at is not None
    phone.open(at)
    assert "现在没有给您发短信。" in phone.page
    phone.post(at, do="allow_texts")
    person = person_of(app_context, seeded.chinese.id)
    assert (person.opted_out_at, person.is_active) == (None, True)
    with unit_of_work(app_context) as work:
        actions = ("participant.opted_out", "participant.opted_in")
        found = work.session.scalars(select(AuditEntry).where(AuditEntry.action.in_(actions)).order_by(AuditEntry.id))
        assert [(row.action, row.actor, row.reason) for row in found] == [
            (action, "participant", "on the participant's own page") for action in actions
        ]


def test_whom_to_tell_about_the_end_of_taking_part(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study
) -> None:
    at = open_by_link(phone, seeded.chinese.checkin)
    part = phone.page[phone.page.index("不想再参加") :]
    assert 'href="tel:+8679100000000"' in part[: part.index("</details>")]
    assert "<form" not in part[: part.index("</details>")]
    phone.post(at, do="withdraw")
    assert person_of(app_context, seeded.chinese.id).is_active


def test_the_text_size_holds_for_every_page_of_this_browser_and_no_other(
    phone: ParticipantBrowser, app: Flask, seeded: Study
) -> None:
    at = open_by_link(phone, seeded.chinese.checkin)
    assert 'class="big t' not in phone.page
    for size, kept in (("3", 'class="big t3"'), ("2", 'class="big t2"')):
        phone.post(at, size=size)
        for path in (at, f"/f/{seeded.chinese.checkin.ref}", "/", seeded.english.checkin.path, "/a/nothing"):
            phone.open(path)
            assert kept in phone.page, path
    phone.post(at, size="9")
    phone.open(at)
    assert 'class="big t2"' in phone.page
    phone.post(at, size="1")
    phone.open(at)
    assert 'class="big t' not in phone.page
    assert 'value="1" aria-pressed="true"' in phone.page
    other = ParticipantBrowser(app)
    other.open("/")
    assert 'class="big t' not in other.page


def test_the_language_holds_for_pages_and_messages(
    phone: ParticipantBrowser, app: Flask, app_context: AppContext, seeded: Study
) -> None:
    at = open_by_card(phone, app_context, seeded, seeded.chinese.id)
    phone.open(phone.post(at, language="en").headers["Location"])
    assert phone.heading == "My page"
    assert person_of(app_context, seeded.chinese.id).language == "en"
    for path in ("/due/my", "/due"):
        phone.open(path)
        assert '<html lang="en"' in phone.page
    phone.post(at, language="fr")
    assert person_of(app_context, seeded.chinese.id).language == "en"
    other = ParticipantBrowser(app)
    open_by_link(other, seeded.chinese.checkin)
    assert other.heading == "My page"


def test_the_page_is_small_in_both_languages(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    send_both(app_context, seeded)
    for _week in range(8):
        clock.move(days=7)
        with unit_of_work(app_context) as work:
            way = factories.form(work, work.session.get_one(Participant, seeded.chinese.id))
        press_start(app_context, way).finish()
    open_by_card(phone, app_context, seeded, seeded.chinese.id)
    assert "看更早的" in phone.page
    for path in ("/due/my", f"/due/my/{seeded.chinese.qlq.ref}"):
        for language in ("zh_Hans", "en"):
            answer = phone.client.get(f"{path}?lang={language}", headers={"Accept-Encoding": "gzip"})
            assert answer.status_code == 200
            assert len(answer.data) <= MOST_BYTES, (path, language, len(answer.data))


def test_without_its_study_plan_no_number_of_another_study_is_shown(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study
) -> None:
    at = open_by_card(phone, app_context, seeded, seeded.chinese.id)
    with unit_of_work(app_context) as work:
        work.session.get_one(Participant, seeded.chinese.id).plan = "gone"
    assert phone.open(at).status_code == 200
    assert phone.heading == HEADING
    assert "0791" not in phone.page
    assert "研究团队给您的" in phone.page
    assert 'href="tel:120"' in phone.page
    assert 'value="fill"' not in phone.page
    assert not re.search(r"[，：]。|None", phone.page[phone.page.index("<main") : phone.page.index("</main>")])

"""Test the card pages: scanned or typed code, PIN, due forms; and cards as staff see them."""

from __future__ import annotations

import base64
import io
import re
from datetime import timedelta

import pypdfium2
import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.forms import participant_cards
from pro.features.forms.participant_cards import CardDraft
from pro.features.schedule import enrolment
from pro.models import Assessment, ExpectedForm, Participant, ParticipantCard
from tests.support import factories, form_browser
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser, all_rows
from tests.support.staff_browser import signed_in_browser

WRONG = "1357"


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """Return the participant's phone."""
    return ParticipantBrowser(app)


@pytest.fixture
def card(app_context: AppContext, seeded: Study) -> CardDraft:
    """Return the Chinese participant's card."""
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        return participant_cards.make_card(work, work.session.get_one(Participant, seeded.chinese.id))[1]


def finish(app_context: AppContext, seeded: Study, *ways: str) -> None:
    """Answer and submit the Chinese participant's forms."""
    for name in ways:
        form_browser.press_start(app_context, getattr(seeded.chinese, name)).finish()


# --- the participant -------------------------------------------------------------------------------------------------


def test_the_page_behind_the_qr_code_changes_nothing_and_shows_no_identity(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    before = all_rows(app_context)
    for _preview in range(3):
        assert phone.open(f"/c/{card.token}").status_code == 200
    assert all_rows(app_context) == before
    assert phone.heading == "请输入您的密码"
    assert seeded.chinese.participant_number not in phone.page
    assert card.code not in phone.page


def test_scan_pin_choose_answer(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    phone.open(f"/c/{card.token}")
    assert phone.press(pin=factories.PIN, do="next").status_code == 303
    assert (phone.at, phone.heading) == ("/due", "您现在想填哪一份？")
    assert phone.press(form="qlq_c30").status_code == 303
    assert phone.at == f"/f/{seeded.chinese.qlq.ref}"
    phone.press(by="self")
    assert phone.shown
    with transaction(app_context.engine) as session:
        form = session.get_one(Assessment, seeded.chinese.qlq.assessment_id)
        assert (form.identified_by, form.answered_by) == ("card", "self")
    # The list still shows the other form.
    phone.open("/due")
    assert phone.press(form="npc_checkin").status_code == 303
    assert phone.at == f"/f/{seeded.chinese.checkin.ref}"


def test_a_typed_code_leads_to_the_pin_and_straight_to_the_only_form(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    finish(app_context, seeded, "qlq")
    phone.open("/")
    assert phone.press(code=card.shown.lower(), do="next").status_code == 200
    assert phone.heading == "请输入您的密码"
    assert phone.press(pin="", do="next").status_code == 422
    assert "请先输入密码" in phone.page
    assert phone.press(pin=factories.PIN, do="next").status_code == 303
    assert phone.at == f"/f/{seeded.chinese.checkin.ref}"


def test_with_nothing_due_something_can_still_be_told(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    finish(app_context, seeded, "checkin", "qlq")
    phone.open(f"/c/{card.token}")
    phone.press(pin=factories.PIN, do="next")
    assert phone.heading == "现在没有要填的"
    assert "0791-0000 0000" in phone.page
    assert phone.press(form="npc_checkin").status_code == 303
    assert phone.at.startswith("/f/")
    phone.press(by="self")
    assert phone.shown == "bleed"


def test_the_next_form_is_named_by_its_day(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft, clock: Clock
) -> None:
    finish(app_context, seeded, "checkin", "qlq")
    with transaction(app_context.engine) as session:
        for row in session.scalars(select(ExpectedForm).where(ExpectedForm.opens_at > clock.now)):
            session.delete(row)
    phone.open(f"/c/{card.token}")
    phone.press(pin=factories.PIN, do="next")
    assert "下一次填写" not in phone.page
    with transaction(app_context.engine) as session:
        session.add(
            ExpectedForm(
                participant_id=seeded.chinese.id,
                visit="later.1",
                kind="later",
                number=1,
                instrument="npc_checkin",
                opens_at=clock.now + timedelta(days=3),
                due_at=clock.now + timedelta(days=4),
                closes_at=clock.now + timedelta(days=5),
                mandatory=True,
                basis="fact",
                rank=1,
                known_at=clock.now,
            )
        )
    phone.open("/due")
    assert "下一次填写是3月5日星期四。" in phone.page


@pytest.mark.parametrize("by", ["code", "token"])
def test_five_wrong_pins_lock_and_the_page_says_whom_to_call(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft, by: str
) -> None:
    phone.open(f"/c/{card.token}" if by == "token" else "/")
    if by == "code":
        phone.press(code=card.shown, do="next")
    for left in (4, 3, 2, 1):
        assert phone.press(pin=WRONG, do="next").status_code == 422
        assert f"密码再错{left}次" in phone.page
        assert WRONG not in phone.page
    assert phone.press(pin=WRONG, do="next").status_code == 410
    assert phone.heading == "这张卡锁住了"
    assert "0791-0000 0000" in phone.page
    assert phone.open(f"/c/{card.token}").status_code == 410
    with transaction(app_context.engine) as session:
        kept = session.scalars(select(ParticipantCard)).one()
        assert kept.locked_at is not None


def test_a_revoked_card_says_so_kindly(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    with form_browser.unit_of_work(app_context) as work:
        participant_cards.revoke_card(work, work.session.get_one(Participant, seeded.chinese.id))
    assert phone.open(f"/c/{card.token}").status_code == 410
    assert phone.heading == "这张卡停用了"
    assert "最新的那张卡" in phone.page
    phone.open("/")
    phone.press(code=card.shown, do="next")
    assert phone.press(pin=factories.PIN, do="next").status_code == 410
    assert phone.heading == "这张卡停用了"


def test_after_withdrawal_the_card_page_says_that_no_form_is_needed(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    with form_browser.unit_of_work(app_context, seeded.staff["coordinator"].actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, seeded.chinese.id), "moved away")
    assert phone.open(f"/c/{card.token}").status_code == 200
    assert phone.press(pin=factories.PIN, do="next").status_code == 410
    assert phone.heading == "您不用再填了"


def test_an_unknown_link_and_a_made_up_code(phone: ParticipantBrowser, card: CardDraft) -> None:
    assert phone.open("/c/nobody-knows-this").status_code == 404
    phone.open("/")
    assert phone.post("/c", code="3333-3333", pin=factories.PIN).status_code == 422
    assert phone.heading == "请输入填写码"
    assert phone.open("/c").status_code == 200
    assert phone.at == "/"


def test_a_chosen_language_goes_along_with_the_card(phone: ParticipantBrowser, seeded: Study, card: CardDraft) -> None:
    phone.open(f"/c/{card.token}?lang=en")
    assert phone.heading == "Enter your PIN"
    phone.press(pin=factories.PIN, do="next")
    assert phone.heading == "Which form would you like to fill in?"
    other = ParticipantBrowser(phone.app)
    other.open(f"/c/{card.token}", **{"Accept-Language": "en"})
    assert other.heading == "Enter your PIN"
    other.press(pin=factories.PIN, do="next")
    assert other.heading == "您现在想填哪一份？"


def test_typing_survives_the_language_switch(phone: ParticipantBrowser, card: CardDraft) -> None:
    phone.open("/")
    phone.press(code=card.shown, do="next")
    assert phone.post("/c?lang=en", code=card.code, pin="24", do="language").status_code == 200
    assert phone.heading == "Enter your PIN"
    assert card.code in phone.page


def test_a_form_that_was_not_offered_is_not_opened(
    phone: ParticipantBrowser, app_context: AppContext, seeded: Study, card: CardDraft
) -> None:
    phone.open(f"/c/{card.token}")
    phone.press(pin=factories.PIN, do="next")
    before = all_rows(app_context)
    assert phone.post("/due", form="another_form").status_code == 404
    assert phone.post("/due").status_code == 404
    assert all_rows(app_context) == before


# --- staff -----------------------------------------------------------------------------------------------------------


def data(page: str, kind: str) -> bytes:
    """Return a file that the page embeds."""
    found = re.search(rf'href="data:{kind};base64,([^"]+)"', page)
    assert found is not None
    return base64.b64decode(found[1])


@pytest.mark.parametrize("role", ["coordinator", "investigator", "nurse"])
def test_staff_make_a_card_and_get_its_files_once(
    app: Flask, phone: ParticipantBrowser, app_context: AppContext, seeded: Study, role: str
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open(f"/staff/participants/{seeded.chinese.id}/records")
    path = f"/staff/participants/{seeded.chinese.id}/card"
    assert f'href="{path}"' in desk.page
    assert desk.open(path).status_code == 200
    answer = desk.post(path, do="make")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    pdf, png = data(desk.page, "application/pdf"), data(desk.page, "image/png")
    [link, again] = [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))]
    assert link == again
    text = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_range()
    for words in ("NPC-001", "用微信扫一扫", "Scan this", "120", "0791-0000 0000", "127.0.0.1:8000"):
        assert words in text, words
    for secret in (factories.PIN, factories.PHONES["zh_Hans"], "鼻咽"):
        assert secret not in text
    code = re.search(r"[3-9A-Y]{4}-[3-9A-Y]{4}", text)
    assert code is not None
    assert code[0] in desk.page
    phone.open(link.removeprefix(app_context.config.base_url))
    phone.press(pin=factories.PIN, do="next")
    assert phone.at == "/due"
    desk.open(path)
    assert code[0] not in desk.page


def test_a_new_card_says_what_happens_to_the_former_one(app: Flask, seeded: Study, card: CardDraft) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    path = f"/staff/participants/{seeded.chinese.id}/card"
    desk.open(path)
    assert "The old card stops working immediately, wherever it is" in desk.page
    assert desk.post(path, do="make", pin="12").status_code == 400
    assert "The PIN must have 4 to 6 digits" in desk.page
    answer = desk.post(path, do="revoke")
    assert answer.status_code == 303
    desk.open(answer.location)
    assert "The card has been revoked and no longer works." in desk.page
    assert "Revoked" in desk.page
    assert desk.post(path, do="other").status_code == 400


def test_staff_see_a_locked_card(app: Flask, phone: ParticipantBrowser, seeded: Study, card: CardDraft) -> None:
    phone.open(f"/c/{card.token}")
    for _turn in range(5):
        phone.press(pin=WRONG, do="next")
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"/staff/participants/{seeded.chinese.id}/records")
    assert "Locked after five wrong PINs" in desk.page
    assert desk.open(f"/staff/participants/{seeded.chinese.id}/card").status_code == 403

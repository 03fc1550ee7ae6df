"""Every failure has its status and its page: what happened, what is safe, what to do, in the language of the reader."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from pro import errors
from pro.app_context import AppContext
from pro.db import transaction
from pro.models import Assessment
from pro.pages.error_pages import BROKEN, FAILURES, STATUSES, failure_of
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser, all_rows
from tests.support.query_count import record_queries
from tests.support.staff_browser import signed_in_browser

FORM = "application/x-www-form-urlencoded"
ZH, EN = {"Accept-Language": "zh-CN"}, {"Accept-Language": "en-GB"}


@pytest.fixture
def phone(app: Flask) -> ParticipantBrowser:
    """A phone."""
    return ParticipantBrowser(app)


def one_changed(token: str) -> str:
    """``token`` with its last letter but one changed."""
    return token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]


def test_every_failure_has_a_row_and_every_row_a_page(app: Flask) -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ProError)}
    for kind in kinds - {errors.ProError, errors.SignInNeeded}:
        assert failure_of(kind("never heard of")) is not BROKEN, kind
    for failure in {*FAILURES.values(), *STATUSES.values(), BROKEN}:
        assert app.jinja_env.get_template(f"errors/{failure.page}.html")
        assert 400 <= failure.status <= 500


@pytest.mark.parametrize("change", [one_changed, lambda token: token[:-1], lambda token: token + "x", str.swapcase])
def test_a_token_with_one_character_changed_opens_nothing(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, change: Callable[[str], str]
) -> None:
    before = all_rows(app_context)
    path = f"/a/{change(seeded.chinese.checkin.token)}"
    assert phone.open(path).status_code == 404
    assert phone.post(path, by="self").status_code == 404
    assert "这个链接打不开" in phone.page
    assert "This link does not work" in phone.page
    assert "NPC-001" not in phone.page
    assert all_rows(app_context) == before


def test_an_expired_link_says_so_in_both_languages(phone: ParticipantBrowser, seeded: Study, clock: Clock) -> None:
    clock.move(days=60)
    assert phone.open(seeded.chinese.checkin.path).status_code == 410
    for sentence in (
        "这个链接已经过期了",
        "没关系，您答过的都还在。",
        "This link has expired",
        "your answers are saved",
    ):
        assert sentence in phone.page
    assert 'lang="en"' in phone.page
    assert 'href="tel:120"' in phone.page
    assert 'href="tel:+8679100000000"' in phone.page
    assert 'href="/?lang=zh_Hans"' in phone.page


def test_a_cancelled_form_is_closed(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, clock: Clock
) -> None:
    with transaction(app_context.engine) as session:
        session.get_one(Assessment, seeded.chinese.checkin.assessment_id).cancelled_at = clock.now
    assert phone.open(seeded.chinese.checkin.path).status_code == 410
    assert "这份问卷已经截止了" in phone.page


def test_a_session_ends_kindly(phone: ParticipantBrowser, seeded: Study, clock: Clock, app_context: AppContext) -> None:
    phone.start(seeded.chinese.checkin)
    clock.move(days=4)
    before = all_rows(app_context)
    for answer in (phone.post(phone.at, page="bleed", value="0"), phone.open(phone.at)):
        assert answer.status_code in (403, 410)
    assert "您答过的都还在" in phone.page
    assert all_rows(app_context) == before


def test_a_form_without_its_cookie_says_how_to_get_in(phone: ParticipantBrowser, seeded: Study) -> None:
    assert phone.open(f"/f/{seeded.chinese.checkin.ref}/1").status_code == 403
    assert "这个浏览器还没有打开您的问卷" in phone.page
    assert phone.open("/f/never-was/1").status_code == 403


@pytest.mark.parametrize(("headers", "first"), [(ZH, "没有这个页面"), (EN, "This page does not exist")])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/a/", 404),
        ("GET", "/f/x/y", 404),
        ("PUT", "/", 405),
        ("DELETE", "/f/abc/1", 405),
    ],
)
def test_a_wrong_address(
    client: FlaskClient, seeded: Study, method: str, path: str, status: int, headers: dict[str, str], first: str
) -> None:
    answer = client.open(path, method=method, headers=headers)
    assert answer.status_code == status
    assert ("Allow" in answer.headers) == (status == 405)
    heading = re.search(r"<h1>(.*?)</h1>", answer.text)
    assert heading
    assert heading[1] == first
    assert answer.text.count("<h2>") == 1, "nobody chose a language, so both are there"


def test_whoever_chose_a_language_reads_one(phone: ParticipantBrowser, seeded: Study) -> None:
    phone.open("/nothing?lang=en")
    assert "This page does not exist" in phone.page
    assert "这个地址" not in phone.page


@pytest.mark.parametrize("place", ["/", "link", "form"])
def test_a_body_of_ten_megabytes(phone: ParticipantBrowser, seeded: Study, app_context: AppContext, place: str) -> None:
    phone.start(seeded.chinese.checkin)
    path = {"/": "/", "link": seeded.chinese.checkin.path, "form": phone.at}[place]
    before = all_rows(app_context)
    answer = phone.client.post(path, data=b"page=bleed&value=0&x=" + b"x" * 10_000_000, content_type=FORM)
    assert answer.status_code == 413
    assert "一次发来的太多了" in answer.text
    assert "您前面答的都还在" in answer.text
    assert all_rows(app_context) == before


def test_too_much_for_a_staff_page_says_so(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    desk.open("/staff/?lang=en")
    answer = desk.post("/staff/participants/1/calls", text="x" * 300_000)
    assert answer.status_code == 413
    assert "too much" in desk.page.lower()


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_a_body_that_is_no_form(
    phone: ParticipantBrowser, seeded: Study, app_context: AppContext, content_type: str
) -> None:
    phone.start(seeded.chinese.checkin)
    before = all_rows(app_context)
    answer = phone.client.post(phone.at, data=b'{"value": 0}', content_type=content_type)
    assert answer.status_code == 415
    assert "刚才的内容没有收全" in answer.text
    assert all_rows(app_context) == before


def test_a_proof_in_a_header_does_not_make_json_a_form(phone: ParticipantBrowser, seeded: Study) -> None:
    phone.start(seeded.chinese.checkin)
    token = re.search(r'name="csrf_token" value="([^"]+)"', phone.page)
    assert token
    answer = phone.client.post(phone.at, json={"value": 0}, headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 415


def test_a_post_from_elsewhere_is_not_taken(phone: ParticipantBrowser, seeded: Study, app_context: AppContext) -> None:
    phone.start(seeded.chinese.checkin)
    before = all_rows(app_context)
    answer = phone.client.post(phone.at, data={"page": "bleed", "value": "0"})
    assert answer.status_code == 400
    assert "请再点一次" in answer.text
    assert f'href="{phone.at}"' in answer.text
    assert all_rows(app_context) == before


def test_a_broken_page_keeps_nothing_logs_its_reference_and_no_address(
    app: Flask, seeded: Study, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False

    @app.get("/a/<token>/broken")
    def broken(token: str) -> str:
        raise ZeroDivisionError(f"inside {len(token)}")

    @app.get("/unavailable")
    def unavailable() -> str:
        abort(503)

    client = app.test_client()
    with caplog.at_level(logging.INFO, "pro.web"):
        answer = client.get("/a/my-secret-token/broken", headers=EN)
    assert answer.status_code == 500
    assert "Everything before it is saved." in answer.text
    assert "ZeroDivisionError" not in answer.text
    reference = re.search(r"Reference (\w+)", answer.text)
    assert reference
    [record] = [record for record in caplog.records if record.name == "pro.web"]
    assert record.levelno == logging.ERROR
    assert reference[1] in record.getMessage()
    assert "my-secret-token" not in record.getMessage()
    assert client.get("/unavailable").status_code == 500


def test_staff_are_led_to_the_board(phone: ParticipantBrowser, seeded: Study) -> None:
    answer = phone.open("/staff/nothing")
    assert answer.status_code == 404
    assert 'href="/staff/"' in phone.page
    assert "tel:" not in phone.page


def test_staff_stay_on_the_staff_side_when_something_is_not_there(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    assert desk.open("/staff/alerts/99999").status_code == 404
    assert 'href="/staff/inbox"' in desk.page
    assert "Coordinator · study coordinator" in desk.page
    assert "Sign out" in desk.page
    assert "Health check-in" not in desk.page
    assert "tel:" not in desk.page


@pytest.mark.parametrize(("role", "home"), [("administrator", "/staff/roster"), ("nurse", "/staff/")])
def test_the_way_on_leads_to_a_page_that_the_role_has(app: Flask, seeded: Study, role: str, home: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    assert desk.post("/staff/me", do="nothing that is known").status_code == 400
    assert f'class="btn" href="{home}"' in desk.page


def test_the_staff_page_of_a_failure_asks_the_database_nothing(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    with record_queries(app_context.engine) as asked:
        assert app.test_client().get("/staff/nothing", headers=EN).status_code == 404
    assert not asked

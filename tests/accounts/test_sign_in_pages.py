"""Test access to the staff pages: signing in, access rights, and visible identities."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import MetaData, select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.accounts import staff_accounts
from pro.features.accounts.pages import page_guard
from pro.features.alerts import test_alerts
from pro.models import AuditEntry, StaffMember, StaffSession
from tests.support.factories import PHONES, PLAN, Clock, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

OPEN = {
    "staff.sign_in",
    "staff.sign_in_now",
    "staff.sign_out",
    "staff.steps.invitation",
    "staff.steps.invitation_taken",
    "staff.steps.forgotten",
    "staff.steps.forgotten_sent",
    "staff.steps.reset",
    "staff.steps.reset_done",
    # Only where the demonstration is: tests/operations/test_demo_pages.py.
    "staff.try",
    "staff.try_form",
}
EVERYBODY = {"coordinator", "investigator", "nurse", "monitor", "statistician", "administrator"}
READERS = {"coordinator", "investigator", "nurse", "monitor"}
ACTORS = {"coordinator", "investigator", "nurse"}
LEADS = {"coordinator", "investigator"}
# (method, path) -> access right, roles with access, status: 400 because the empty form is refused, 404 because no such
# record exists. The tests fill in {alert} and {person}.
PAGES: dict[tuple[str, str], tuple[str, set[str], int]] = {
    ("GET", "/staff/"): ("see_to_do_list", READERS, 200),
    ("GET", "/staff/alerts/{alert}"): ("see_alert", READERS, 200),
    ("POST", "/staff/alerts/{alert}"): ("see_alert", READERS, 400),
    ("GET", "/staff/test-alerts/1"): ("see_test_alert", READERS | {"administrator"}, 404),
    ("POST", "/staff/test-alerts/1"): ("see_test_alert", READERS | {"administrator"}, 404),
    ("GET", "/staff/inbox"): ("see_inbox", READERS, 200),
    ("GET", "/staff/inbox/{person}"): ("see_inbox", READERS, 303),
    ("GET", "/staff/inbox/unmatched/1"): ("see_inbox", READERS, 404),
    ("POST", "/staff/inbox/unmatched/1"): ("assign_text", ACTORS, 400),
    ("GET", "/staff/participants"): ("see_participants", READERS | {"statistician"}, 200),
    ("GET", "/staff/participants/{person}"): ("see_participants", READERS | {"statistician"}, 200),
    ("GET", "/staff/participants/{person}/messages"): ("see_participants", READERS | {"statistician"}, 200),
    ("POST", "/staff/participants/{person}/messages"): ("reply_text", ACTORS, 400),
    ("GET", "/staff/participants/{person}/events"): ("see_participants", READERS | {"statistician"}, 200),
    ("GET", "/staff/participants/{person}/records"): ("see_participants", READERS | {"statistician"}, 200),
    ("GET", "/staff/participants/{person}/timeline"): ("see_answers", READERS | {"statistician"}, 200),
    ("GET", "/staff/participants/{person}/forms"): ("see_dates", READERS | {"statistician"}, 200),
    ("POST", "/staff/participants/{person}/forms"): ("set_reason", ACTORS, 400),
    ("GET", "/staff/participants/new"): ("enrol", LEADS, 200),
    ("POST", "/staff/participants/new"): ("enrol", LEADS, 400),
    ("POST", "/staff/participants/{person}/send"): ("send_form", ACTORS, 400),
    ("GET", "/staff/participants/{person}/calls"): ("see_to_do_list", READERS, 200),
    ("POST", "/staff/participants/{person}/calls"): ("log_call", ACTORS, 400),
    ("GET", "/staff/participants/{person}/enter/npc_checkin"): ("enter_answers", ACTORS, 200),
    ("POST", "/staff/participants/{person}/enter/npc_checkin"): ("enter_answers", ACTORS, 400),
    ("GET", "/staff/assessments/1/check"): ("verify_answers", ACTORS, 404),
    ("POST", "/staff/assessments/1/check"): ("verify_answers", ACTORS, 404),
    ("GET", "/staff/participants/{person}/card"): ("make_card", ACTORS, 200),
    ("POST", "/staff/participants/{person}/card"): ("make_card", ACTORS, 400),
    ("GET", "/staff/participants/{person}/dates"): ("see_dates", READERS | {"statistician"}, 200),
    ("POST", "/staff/participants/{person}/dates"): ("set_dates", ACTORS, 400),
    ("GET", "/staff/visits"): ("see_dates", READERS | {"statistician"}, 200),
    ("GET", "/staff/visits/forms"): ("see_dates", READERS | {"statistician"}, 200),
    ("POST", "/staff/visits/forms"): ("set_reason", ACTORS, 400),
    ("POST", "/staff/visits/forms/send"): ("send_form", ACTORS, 400),
    ("GET", "/staff/messages"): ("see_inbox", READERS, 200),
    ("GET", "/staff/tasks/1"): ("see_to_do_list", READERS, 404),
    ("POST", "/staff/tasks/1"): ("log_call", ACTORS, 404),
    ("POST", "/staff/messages/1"): ("log_call", ACTORS, 404),
    ("GET", "/staff/roster"): ("see_roster", READERS | {"administrator"}, 200),
    ("POST", "/staff/roster"): ("edit_roster", LEADS | {"administrator"}, 400),
    ("GET", "/staff/roster/shifts/1"): ("edit_roster", LEADS | {"administrator"}, 200),
    ("POST", "/staff/roster/shifts/1"): ("edit_roster", LEADS | {"administrator"}, 400),
    ("GET", "/staff/alerts/{alert}/assess"): ("assess", {"investigator"}, 200),
    ("POST", "/staff/alerts/{alert}/assess"): ("assess", {"investigator"}, 400),
    ("GET", "/staff/participants/{person}/adverse-events/new"): ("assess", {"investigator"}, 200),
    ("POST", "/staff/participants/{person}/adverse-events/new"): ("assess", {"investigator"}, 400),
    ("POST", "/staff/participants/{person}/stable"): ("mark_stable", {"investigator", "nurse"}, 303),
    ("GET", "/staff/adverse-events"): ("see_adverse_events", READERS | {"statistician"}, 200),
    ("GET", "/staff/adverse-events/discordance"): ("see_adverse_events", READERS | {"statistician"}, 200),
    ("GET", "/staff/adverse-events/1"): ("see_adverse_events", READERS | {"statistician"}, 404),
    ("POST", "/staff/adverse-events/1"): ("see_adverse_events", READERS | {"statistician"}, 404),
    # 303: a signed-in staff member is redirected from the sign-in steps.
    ("POST", "/staff/unsaved-text"): ("own_account", EVERYBODY, 303),
    ("GET", "/staff/code"): ("own_account", EVERYBODY, 303),
    ("POST", "/staff/code"): ("own_account", EVERYBODY, 303),
    ("GET", "/staff/me"): ("own_account", EVERYBODY, 200),
    ("POST", "/staff/me"): ("own_account", EVERYBODY, 400),
    ("GET", "/staff/me/here"): ("own_account", EVERYBODY, 200),
    ("POST", "/staff/me/here"): ("own_account", EVERYBODY, 200),
    ("GET", "/staff/me/password"): ("own_account", EVERYBODY, 200),
    ("POST", "/staff/me/password"): ("own_account", EVERYBODY, 200),
    ("GET", "/staff/me/second-factor"): ("own_account", EVERYBODY, 200),
    ("POST", "/staff/me/second-factor"): ("own_account", EVERYBODY, 200),
    ("GET", "/staff/rights"): ("own_account", EVERYBODY, 200),
    ("GET", "/staff/accounts"): ("manage_staff", {"administrator"}, 200),
    ("POST", "/staff/accounts"): ("manage_staff", {"administrator"}, 400),
    ("GET", "/staff/accounts/new"): ("manage_staff", {"administrator"}, 200),
    ("POST", "/staff/accounts/new"): ("manage_staff", {"administrator"}, 400),
    ("GET", "/staff/accounts/changes"): ("manage_staff", {"administrator"}, 200),
    ("GET", "/staff/accounts/1"): ("manage_staff", {"administrator"}, 200),
    ("POST", "/staff/accounts/1"): ("manage_staff", {"administrator"}, 400),
    ("GET", "/staff/participants/{person}/pre-dose.pdf"): ("see_answers", READERS | {"statistician"}, 200),
    ("GET", "/staff/audit"): ("see_audit", LEADS | {"monitor", "administrator"}, 200),
    ("POST", "/staff/audit"): ("see_audit", LEADS | {"monitor", "administrator"}, 400),
    ("GET", "/staff/corrections"): ("see_answers", READERS | {"statistician"}, 200),
    ("GET", "/staff/corrections/1"): ("see_answers", READERS | {"statistician"}, 404),
    ("POST", "/staff/corrections/1"): ("decide_correction", {"investigator"}, 404),
    ("GET", "/staff/assessments/1/corrections"): ("see_answers", READERS | {"statistician"}, 404),
    ("POST", "/staff/assessments/1/corrections"): ("ask_correction", {"coordinator", "nurse"}, 404),
    ("GET", "/staff/queries"): ("see_answers", READERS | {"statistician"}, 200),
    ("GET", "/staff/queries/1"): ("see_answers", READERS | {"statistician"}, 404),
    ("POST", "/staff/queries/1"): ("see_answers", READERS | {"statistician"}, 400),
    ("GET", "/staff/assessments/1/queries"): ("see_answers", READERS | {"statistician"}, 404),
    ("POST", "/staff/assessments/1/queries"): ("ask_query", {"monitor"}, 404),
    ("GET", "/staff/freeze/npc_reirradiation"): ("see_participants", READERS | {"statistician"}, 200),
    ("POST", "/staff/freeze/npc_reirradiation"): ("freeze", {"investigator"}, 400),
    ("GET", "/staff/participants/{person}/freeze"): ("see_participants", READERS | {"statistician"}, 200),
    ("POST", "/staff/participants/{person}/freeze"): ("freeze", {"investigator"}, 400),
    ("GET", "/staff/participants/{person}/consent"): ("see_participants", READERS | {"statistician"}, 200),
    ("POST", "/staff/participants/{person}/consent"): ("record_consent", ACTORS, 400),
    ("GET", "/staff/participants/{person}/details"): ("correct_details", ACTORS, 200),
    ("POST", "/staff/participants/{person}/details"): ("correct_details", ACTORS, 400),
    ("GET", "/staff/study-overview"): ("see_study_overview", READERS | {"statistician"}, 200),
    ("GET", "/staff/simulator"): ("simulate", LEADS, 200),
    ("POST", "/staff/simulator"): ("simulate", LEADS, 400),
    ("GET", "/staff/simulator/plan.yaml"): ("simulate", LEADS, 200),
    ("GET", "/staff/ulcers"): ("see_ulcers", READERS | {"statistician"}, 200),
    ("POST", "/staff/ulcers"): ("decide", {"investigator"}, 400),
    ("GET", "/staff/ulcers/{person}"): ("see_ulcers", READERS | {"statistician"}, 200),
    ("POST", "/staff/ulcers/{person}"): ("record_endoscopy", ACTORS, 400),
}
ROUTES = {route: right for route, (right, _roles, _status) in PAGES.items()}


def test_every_staff_route_names_its_right(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/staff")]
    views = {rule.endpoint: app.view_functions[rule.endpoint] for rule in rules if rule.endpoint not in OPEN}
    assert len(views) == len(ROUTES)
    assert sorted(getattr(view, "needs", "none") for view in views.values()) == sorted(ROUTES.values())


def test_without_sign_in_every_page_leads_to_the_sign_in_page(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    alert = report_bleeding(app_context, seeded.chinese.checkin)[0]
    wrong = []
    for method, path in ROUTES:
        desk = StaffBrowser(app)
        desk.open("/staff/sign-in")
        full = path.format(alert=alert, person=seeded.chinese.id, task=1)
        answer = desk.open(full) if method == "GET" else desk.post(full, do="acknowledge")
        if (answer.status_code, answer.location) != (303, f"/staff/sign-in?next={full.removesuffix('/send')}"):
            wrong.append(f"{method} {path}: {answer.status_code} {answer.location}")
    assert wrong == []


@pytest.mark.parametrize("role", ["investigator", "administrator"])
def test_every_page_has_the_way_to_the_others(app: Flask, app_context: AppContext, seeded: Study, role: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    alert = report_bleeding(app_context, seeded.chinese.checkin)[0]
    for (method, path), (_right, roles, status) in PAGES.items():
        if method == "GET" and status == 200 and role in roles and not path.endswith(".pdf"):
            desk.open(path.format(alert=alert, person=seeded.chinese.id, task=1))
            assert '<nav aria-label="Main">' in desk.page or path.startswith("/staff/me/here"), path


@pytest.mark.parametrize("number", ["0", "2147483648", "9" * 25])
def test_a_number_that_nothing_has_is_a_page_that_is_not_there(number: str, app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["nurse"])
    assert desk.open(f"/staff/alerts/{number}").status_code == 404
    assert desk.open(f"/staff/participants/{number}").status_code == 404
    desk.open("/staff/")
    assert desk.post(f"/staff/alerts/{number}", do="acknowledge", alert="1").status_code in (404, 405)
    assert desk.post(f"/staff/participants/{number}/send", by="here").status_code in (404, 405)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_every_role_gets_what_its_rights_say_and_nothing_else(
    role: str, app: Flask, app_context: AppContext, seeded: Study
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    alert = report_bleeding(app_context, seeded.chinese.checkin)[0]
    for (method, path), (_right, roles, status) in PAGES.items():
        full = path.format(alert=alert, person=seeded.chinese.id)
        got = (desk.open(full) if method == "GET" else desk.post(full)).status_code
        assert got == (status if role in roles else 403), (method, path)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_the_phone_is_shown_only_with_the_right(role: str, app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    alert = report_bleeding(app_context, seeded.chinese.checkin)[0]
    phone = PHONES["zh_Hans"]
    wrong = []
    for path in (path for method, path in ROUTES if method == "GET"):
        desk.page = ""
        desk.open(path.format(alert=alert, person=seeded.chinese.id, task=1))
        shown = phone in desk.page or "138 0013 8000" in desk.page
        named = path in (
            "/staff/alerts/{alert}",
            # The header of every tab has it.
            *(f"/staff/participants/{{person}}{tab}" for tab in ("", "/timeline", "/forms", "/messages", "/events")),
            "/staff/participants/{person}/records",
            "/staff/ulcers/{person}",
            "/staff/participants/{person}/calls",
            "/staff/participants/{person}/details",
        )
        if shown != (named and staff_accounts.has_right(role, "see_identity")) or (
            phone[3:] in desk.page and not shown
        ):
            wrong.append(path)
    assert wrong == []


@pytest.mark.parametrize("role", ["monitor", "statistician", "administrator"])
def test_acting_is_refused_to_those_who_may_only_read(
    role: str, app: Flask, app_context: AppContext, seeded: Study
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/")
    assert desk.post(f"/staff/alerts/{ids[0]}", do="acknowledge", alert=ids).status_code == 403
    assert desk.post(f"/staff/alerts/{ids[0]}", do="note", text="mine").status_code == 403
    assert "Acknowledge and take responsibility" not in desk.open(f"/staff/alerts/{ids[0]}").get_data(as_text=True)


def test_looking_changes_nothing_but_the_record_of_who_looked(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    alert = report_bleeding(app_context, seeded.chinese.checkin)[0]
    with transaction(app_context.engine) as session:
        test_alerts.start_test_alert_now(app_context.unit_of_work(session), PLAN)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    before = _content(app_context)
    for (method, path), (_right, roles, status) in PAGES.items():
        if method == "GET":
            expected = 403 if "coordinator" not in roles else 200 if "/test-alerts/" in path else status
            assert desk.open(path.format(alert=alert, person=seeded.chinese.id)).status_code == expected, path
    after = _content(app_context)
    changed = {table for table, rows in after.items() if rows != before[table]}
    assert changed == {"audit_entry"}
    with transaction(app_context.engine) as session:
        seen = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert {"participant.seen", "participant.phone_seen"} <= set(seen)


def _content(app_context: AppContext) -> dict[str, list[tuple[object, ...]]]:
    tables = MetaData()
    tables.reflect(app_context.engine)
    with app_context.engine.connect() as connection:
        return {table.name: [tuple(row) for row in connection.execute(select(table))] for table in tables.sorted_tables}


def test_five_wrong_passwords_lock_the_account(
    app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    nurse = seeded.staff["nurse"]
    desk = StaffBrowser(app)
    for _ in range(4):
        assert desk.sign_in(nurse, "wrong password").status_code == 401
    assert "09:15" not in desk.page
    locked = desk.sign_in(nurse, "wrong password")
    assert locked.status_code == 429
    assert "09:15" in desk.page
    assert desk.sign_in(nurse).status_code == 429, "the right password does not help while locked"
    clock.move(minutes=16)
    assert desk.sign_in(nurse).status_code == 303


def test_a_wrong_password_keeps_the_address_and_not_the_password(app: Flask, seeded: Study) -> None:
    desk = StaffBrowser(app)
    desk.sign_in(seeded.staff["nurse"], "wrong password")
    assert 'value="nurse@example.org"' in desk.page
    assert "wrong password" not in desk.page


def test_an_unknown_address_reads_like_a_wrong_password(app: Flask, seeded: Study) -> None:
    pages = []
    for email in ("nurse@example.org", "nobody@example.org"):
        desk = StaffBrowser(app)
        desk.open("/staff/sign-in?lang=en")
        assert desk.post("/staff/sign-in", email=email, password="wrong password").status_code == 401
        pages.append(re.sub(r'name="csrf_token" value="[^"]+"', "", desk.page).replace(email, ""))
    assert pages[0] == pages[1]
    assert "Email or password is incorrect" in pages[0]


def test_an_empty_sign_in_names_both_fields(app: Flask, seeded: Study) -> None:
    desk = StaffBrowser(app)
    desk.open("/staff/sign-in?lang=en")
    assert desk.post("/staff/sign-in").status_code == 400
    assert "Enter your email address." in desk.page
    assert 'href="#password"' in desk.page


def test_idle_logout_says_so_and_leads_back(app: Flask, seeded: Study, clock: Clock) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    clock.move(minutes=29)
    assert desk.open(f"/staff/participants/{seeded.chinese.id}").status_code == 200
    clock.move(minutes=31)
    answer = desk.open(f"/staff/participants/{seeded.chinese.id}")
    assert answer.location == f"/staff/sign-in?next=/staff/participants/{seeded.chinese.id}&why=idle"
    desk.open(f"{answer.location}&lang=en")
    assert "signed out after 30 minutes" in desk.page
    assert "the participant’s page" in desk.page
    assert desk.sign_in(seeded.staff["coordinator"], path=answer.location).location == (
        f"/staff/participants/{seeded.chinese.id}"
    )


def test_a_refreshing_to_do_list_does_not_keep_the_session_alive(app: Flask, seeded: Study, clock: Clock) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    for _ in range(3):
        clock.move(minutes=10)
        assert desk.open("/staff/", **{page_guard.REFRESH_HEADER: "1"}).status_code == 200
    clock.move(minutes=1)
    assert desk.open("/staff/", **{page_guard.REFRESH_HEADER: "1"}).status_code == 303


def test_signing_out_ends_the_session_on_the_server(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    stolen = desk.client.get_cookie("staff", path="/staff")
    assert stolen is not None
    desk.open("/staff/")
    assert desk.post("/staff/sign-out").status_code == 303
    thief = app.test_client()
    thief.set_cookie("staff", stolen.value, path="/staff")
    assert thief.get("/staff/").location == "/staff/sign-in?next=/staff/&why=ended"


def test_a_session_of_another_staff_member_can_be_ended(app: Flask, app_context: AppContext, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    with transaction(app_context.engine) as session:
        staff_accounts.end_sessions(app_context.unit_of_work(session), seeded.staff["coordinator"].id)
    assert desk.open("/staff/").status_code == 303


def test_a_closed_account_is_out_at_once(app: Flask, app_context: AppContext, seeded: Study) -> None:
    person = seeded.staff["coordinator"]
    desk = signed_in_browser(app, person)
    with transaction(app_context.engine) as session:
        session.get_one(StaffMember, person.id).disabled_at = app_context.clock()
    assert desk.open("/staff/").status_code == 303
    assert desk.sign_in(person).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_holds_no_name(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    desk = StaffBrowser(app)
    header = desk.sign_in(seeded.staff["coordinator"]).headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/staff" in header
    cookie = desk.client.get_cookie("staff", path="/staff")
    assert cookie is not None
    with transaction(app_context.engine) as session:
        assert cookie.value not in set(session.scalars(select(StaffSession.fingerprint)))


@pytest.mark.parametrize(
    "wish",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/staff/",
        "/\\elsewhere.example",
        "/staff/../../elsewhere",
        "/staff/%2e%2e/%2E./elsewhere",
        "/staff/./sign-out",
        "/staff//elsewhere.example",
        "javascript:alert(1)",
        "/a/some-token",
        "/staff/sign-out",
        "/staff/sign-in",
        "\n/staff/",
        "x" * 300,
    ],
)
def test_signing_in_never_leads_elsewhere(wish: str, app: Flask, seeded: Study) -> None:
    desk = StaffBrowser(app)
    answer = desk.sign_in(seeded.staff["coordinator"], path=f"/staff/sign-in?next={quote(wish)}")
    assert answer.location == "/staff/"


@pytest.mark.parametrize("wish", ["/staff/alerts/7", "/staff/participants", "/staff/?show=forms"])
def test_signing_in_leads_where_the_person_wanted(wish: str, app: Flask, seeded: Study) -> None:
    answer = StaffBrowser(app).sign_in(seeded.staff["coordinator"], path=f"/staff/sign-in?next={quote(wish)}")
    assert answer.location == wish


def test_without_the_forms_token_there_is_a_kind_page(app: Flask, app_context: AppContext, seeded: Study) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    answer = desk.client.post(f"/staff/alerts/{ids[0]}", data={"do": "acknowledge", "alert": ids})
    assert answer.status_code == 400
    assert 'href="/staff/"' in answer.text
    assert "Traceback" not in answer.text
    desk.open(f"/staff/alerts/{ids[0]}")
    assert "Acknowledge and take responsibility" in desk.page


@pytest.mark.parametrize(("role", "code", "word"), [("nurse", "zh-Hans-CN", "待办"), ("monitor", "en", "To do")])
def test_pages_speak_the_persons_language_until_they_switch(
    role: str, code: str, word: str, app: Flask, seeded: Study
) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/", **{"Accept-Language": "fr"})
    assert f'<html lang="{code}">' in desk.page
    assert word in desk.page
    other = "en" if role == "nurse" else "zh_Hans"
    desk.open(f"/staff/?show=forms&lang={other}")
    assert word not in desk.page
    desk.open("/staff/")
    assert word not in desk.page, "the switch is remembered"


def test_no_staff_page_is_kept_by_the_browser(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    for path in ("/staff/sign-in", "/staff/", "/staff/participants", f"/staff/participants/{seeded.chinese.id}"):
        assert desk.open(path).headers["Cache-Control"] == "no-store"

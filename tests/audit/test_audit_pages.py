"""Test the audit trail pages: filters that leave the address empty, export, verification."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.audit import audit_chain
from pro.models import AuditEntry, Participant
from tests.messaging import letters
from tests.support.factories import Study
from tests.support.staff_browser import report_bleeding, signed_in_browser

PATH = "/staff/audit"


def seal(app_context: AppContext) -> None:
    with transaction(app_context.engine) as session:
        audit_chain.seal_entries(app_context.unit_of_work(session))


def test_the_trail_is_picked_by_number_and_the_address_holds_none(
    app: Flask, app_context: AppContext, seeded: Study
) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"{PATH}?show=looking")
    assert "Signed in" in desk.page
    answer = desk.post(PATH, do="pick", number="npc-001", kind="alerts", ref="", who="", since="", until="")
    assert answer.location == f"{PATH}?participant={seeded.chinese.id}&kind=alerts"
    desk.open(answer.location)
    assert "Alert raised" in desk.page
    assert "NPC-002" not in desk.page
    desk.open(f"{answer.location}&lang=zh_Hans")
    assert "触发警报" in desk.page


def test_what_was_typed_wrongly_stays_with_a_sentence(app: Flask, seeded: Study) -> None:
    desk = signed_in_browser(app, seeded.staff["monitor"])
    answer = desk.post(PATH, do="pick", number="NPC-777", kind="", ref="", who="", since="yesterday", until="")
    assert answer.status_code == 400
    assert 'value="NPC-777"' in desk.page
    assert "Enter the date as year, month and day, for example 2026-11-22" in desk.page
    desk.post(PATH, do="pick", number="NPC-777", kind="", ref="", who="", since="", until="")
    assert "No participant with this number." in desk.page


def test_an_administrator_sees_who_did_what_but_no_answer(app: Flask, app_context: AppContext, seeded: Study) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    desk = signed_in_browser(app, seeded.staff["administrator"])
    desk.open(f"{PATH}?kind=answers")
    assert "Answers saved" in desk.page
    assert "The content is shown only to staff who may view answers." in desk.page
    assert 'class="before"' not in desk.page
    assert "Export" not in desk.page
    assert desk.post(PATH, do="export").status_code == 403


def test_an_export_opens_in_a_spreadsheet_and_is_recorded(app: Flask, app_context: AppContext, seeded: Study) -> None:
    report_bleeding(app_context, seeded.chinese.checkin)
    seal(app_context)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    answer = desk.post(f"{PATH}?participant={seeded.chinese.id}", do="export")
    assert answer.mimetype == "text/csv"
    assert answer.data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    assert {row["Participant"] for row in rows} == {"NPC-001"}
    assert "Answers saved" in {row["Event"] for row in rows}
    assert all(len(row["Seal"]) == 64 for row in rows)
    with transaction(app_context.engine) as session:
        (event,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "audit.exported"))
        assert (event.participant_id, event.new) == (seeded.chinese.id, {"rows": len(rows), "actions": 0})


def test_the_chain_is_verified_on_the_page(app: Flask, app_context: AppContext, seeded: Study) -> None:
    seal(app_context)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.post(PATH, do="verify")
    assert "entries checked from the start are unchanged." in desk.page
    assert "Newest seal: " in desk.page
    seal(app_context)
    desk.post(PATH, do="verify")
    assert "entries since the last verification (position" in desk.page
    with app_context.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_stays_update")
        connection.exec_driver_sql("UPDATE audit_entry SET role = 'x' WHERE id = 2")
    desk.post(PATH, do="verify_anew")
    assert "Audit entry 2, sealed at position 2, differs from what was sealed." in desk.page


@pytest.mark.parametrize(
    ("action", "new", "said"),
    [
        ("signed_decision.made", {"about": "ulcer", "choice": "pause"}, ("决定事项：溃疡", "决定：暂停")),
        (
            "endoscopy.done",
            {"done_on": "2026-03-02", "result": "necrosis", "ctcae_grade": 3},
            ("内镜检查结果：坏死", "分级：3"),
        ),
        ("alert.closed", {"rule": "U01", "disposition": "outpatient"}, ("处理结果：门诊处理",)),
        (
            "adverse_event.recorded",
            {"ctcae_term": "epistaxis", "onset": "2026-03-02"},
            ("术语：鼻出血", "开始日期：2026-03-02"),
        ),
        (
            "grading.signed",
            {"ctcae_grade": None, "serious": False, "none_reason": "no_symptom"},
            ("严重（SAE）：否", "没有这个症状"),
        ),
        ("assessment.issued", {"visit": "rt_week.15"}, ("访视：放疗第15次",)),
        ("clinical_fact.set", {"ulcer_status": "confirmed"}, ("溃疡：确诊溃疡",)),
    ],
)
def test_what_clinicians_did_is_told_in_the_readers_words(
    app: Flask, app_context: AppContext, seeded: Study, action: str, new: dict[str, Any], said: tuple[str, ...]
) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        person = session.get_one(Participant, seeded.chinese.id)
        work.record(action, person, participant_id=person.id, new=new)
    desk = signed_in_browser(app, seeded.staff["monitor"])
    desk.open(f"{PATH}?participant={seeded.chinese.id}&show=all&lang=zh_Hans")
    words = re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", desk.page))
    for one in said:
        assert one in words


def test_which_text_went_to_whom_is_answered_from_one_page(app: Flask, app_context: AppContext, seeded: Study) -> None:
    """The entry of a sent message named neither the participant nor the alert nor the recipient."""
    alerts = report_bleeding(app_context, seeded.chinese.checkin)
    letters.deliver(app_context, letters.Scripted())
    with transaction(app_context.engine) as session:
        entries = list(session.scalars(select(AuditEntry).where(AuditEntry.action == "message.sent")))
    assert entries
    assert {entry.participant_id for entry in entries} == {seeded.chinese.id}
    sent = [entry.new or {} for entry in entries]
    assert {new["alert"] for new in sent} <= set(alerts)
    assert {new["role"] for new in sent} <= {"nurse", "investigator", "coordinator", "participant"}
    assert all("@" not in str(new) and "+86" not in str(new) for new in sent)
    desk = signed_in_browser(app, seeded.staff["coordinator"])
    desk.open(f"/staff/audit?participant={seeded.chinese.id}&kind=messages")
    assert desk.page.count("Message sent") == len(sent)
    name = {account.id: account.name for account in seeded.staff.values()}[sent[0]["staff"]]
    assert f"account: <b>{name}</b>" in desk.page
    desk.open(f"/staff/participants/{seeded.chinese.id}/messages")
    section = desk.page.split('id="messages"')[1]
    assert name in section
    assert f"/staff/alerts/{sent[0]['alert']}" in section

"""The page of an alert says first what differs, what to say on the phone, and which step comes next."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.features.accounts.staff_accounts import RIGHTS
from pro.features.alerts import alert_page
from pro.features.alerts.alert_page import AlertPage
from pro.features.alerts.pages.answer_groups import AnswerGroups, group_answers
from pro.features.duty_roster import recipients
from pro.models import Alert, Shift
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PLAN, Clock, Study
from tests.support.staff_browser import StaffBrowser, signed_in_browser

# In bytes, compressed as the web server does.
MAX_STAFF_PAGE = 30_000


@pytest.fixture
def clinic(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant and the staff of the study."""
    staff, person = seeded.staff, seeded.chinese
    return Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def page_of(clinic: Clinic, rule: str) -> AlertPage:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return alert_page.alert_page(work, clinic.alerts()[rule].id, "en")


def items(groups: AnswerGroups) -> dict[str, list[str]]:
    return {
        name: [row.item for row in getattr(groups, name)]
        for name in ("fired", "other", "skipped", "missing", "mildest")
    }


@pytest.fixture
def twice(clinic: Clinic, clock: Clock) -> Clinic:
    """Return a clinic in which a second check-in raised an alert a week after the first."""
    clinic.start().finish(headache=1, sores=2)
    clock.move(days=7)
    form = clinic.start(clinic.send())
    form.finish_until("", odor=3, headache=1, breath=None, sores=0)
    return clinic


def test_each_answer_stands_in_one_group_and_a_missing_one_is_never_mild(twice: Clinic) -> None:
    page = page_of(twice, "UL2")
    groups = items(group_answers(page.answers))
    named = [name for names in groups.values() for name in names]
    assert sorted(named) == sorted(row.item for row in page.answers)
    assert groups["fired"][0] == "odor"
    assert groups["skipped"] == ["breath"]
    assert "headache" in groups["other"]
    # Now the mildest answer, but it was not last time: a change is not folded.
    assert "sores" in groups["other"]
    assert "chest" in groups["mildest"]
    assert not [row.item for row in page.answers if not row.now and row.item in groups["mildest"]]


def test_an_answer_is_compared_by_the_steps_of_its_own_scale(twice: Clinic, clock: Clock) -> None:
    page = page_of(twice, "UL2")
    rows = {row.item: row for row in page.answers}
    assert (rows["odor"].step, rows["odor"].previous_step, rows["odor"].baseline_step, rows["odor"].steps) == (
        3,
        0,
        0,
        3,
    )
    assert (rows["headache"].step, rows["headache"].previous_step) == (1, 1)
    assert (rows["breath"].step, rows["breath"].previous_step) == (None, 0)
    assert rows["odor"].level == 2
    assert page.previous_at == page.baseline_at == clock.now - timedelta(days=7)


def test_a_global_scale_counts_from_its_best_answer(clinic: Clinic) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        instrument = work.catalogue.shown_instrument("qlq_c30")
    assert [instrument.steps_above_mildest("Q29", code) for code in (7, 4, 1)] == [0, 3, 6]
    assert [instrument.steps_above_mildest("Q9", code) for code in (1, 4)] == [0, 3]
    assert instrument.steps_above_mildest("Q9", None) is None
    with form_browser.unit_of_work(clinic.app_context) as work:
        checkin = work.catalogue.shown_instrument("npc_checkin")
    unmeasured = next(code for code in checkin.items["temp"].codes if code not in checkin.items["temp"].ordinal_codes)
    assert checkin.steps_above_mildest("temp", unmeasured) is None


def test_the_page_says_what_raised_it_first_and_folds_what_did_not_change(app: Flask, twice: Clinic) -> None:
    desk = signed_in_browser(app, twice.nurse)
    desk.open(f"/staff/alerts/{twice.alerts()['UL2'].id}?lang=en")
    page = desk.page
    first, other, rest = (page.index(words) for words in ("Answers that raised", "Other answers", "as before"))
    assert first < other < rest
    raised = page[first:other]
    assert re.search(
        r'<tr role="row" class="hit">.*?Fired UL2.*?▲.*?3</span> <span class="s">was: None', raised, re.DOTALL
    )
    assert "Ask about these skipped questions" in raised
    assert "▼" in page[other:rest]
    folded = page[page.rindex("<details>", 0, rest) : page.index("</details>", rest)]
    assert "Skipped" not in folded
    assert "No answer" not in folded


def steps(desk: StaffBrowser) -> list[tuple[str, str]]:
    """The steps of the path: class and name."""
    return re.findall(r'<li class="(done|next|wait)"><b>([^<]+)</b>', desk.page)


def open_steps(desk: StaffBrowser) -> list[str]:
    """The cards of steps that are open."""
    return re.findall(r'id="(calls|judged|close)"><details class="step" open>', desk.page)


def test_the_page_has_the_calls_that_were_logged_elsewhere(app: Flask, clinic: Clinic, clock: Clock) -> None:
    def log(text: str, **when: float) -> None:
        clock.move(**when)
        at = clock.now.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%dT%H:%M")
        path = f"/staff/participants/{clinic.participant_id}/calls"
        assert desk.post(path, outcome="no_answer", at=at, text=text).status_code == 303

    desk = signed_in_browser(app, clinic.investigator)
    log("an earlier call")
    clock.move(minutes=10)
    clinic.start().save(bleed=4)
    path = f"/staff/alerts/{clinic.alerts()['E01'].id}?lang=en"
    log("nobody picked up", seconds=20)
    desk.open(path)
    calls = desk.page.partition('id="calls"')[2].partition("</section>")[0]
    assert "nobody picked up" in calls
    assert "an earlier call" not in calls
    # The step says the same as the list, and the history has it.
    assert re.search(r"<b>Call</b><span[^>]*>[^<]*Call not answered", desk.page)
    assert len([key for _at, key, _name in page_of(clinic, "E01").events if key == "call.made"]) == 1
    with form_browser.unit_of_work(clinic.app_context) as work:
        for alert in work.session.scalars(select(Alert)):
            alert.closed_at, alert.disposition = clock.now, "watching"
    log("about something else", minutes=10)
    desk.open(path)
    calls = desk.page.partition('id="calls"')[2].partition("</section>")[0]
    assert "nobody picked up" in calls
    assert "about something else" not in calls


def test_one_step_is_next_and_only_its_card_is_open(app: Flask, clinic: Clinic) -> None:
    clinic.start().save(bleed=4)
    alerts = clinic.alerts()
    path = f"/staff/alerts/{alerts['E01'].id}"
    shown = [row.id for row in alerts.values()]
    desk = signed_in_browser(app, clinic.investigator)
    desk.open(f"{path}?lang=en")
    assert steps(desk) == [("next", "Acknowledge"), ("wait", "Call"), ("wait", "Assess"), ("wait", "Close")]
    assert open_steps(desk) == []
    main = desk.page.partition("<main")[2].partition("</main>")[0]
    assert main.count('class="btn"') == 1
    desk.post(path, do="acknowledge", alert=shown)
    desk.open(path)
    assert steps(desk)[:2] == [("done", "Acknowledged"), ("next", "Call")]
    assert open_steps(desk) == ["calls"]
    desk.post(path, do="call", outcome="reached", at="2026-03-02T09:00", text="goes to the hospital")
    desk.open(path)
    assert steps(desk)[1:3] == [("done", "Called"), ("next", "Assess")]
    # What was done stays open beside the next step.
    assert open_steps(desk) == ["calls", "judged"]
    assert "Participant reached" in desk.page
    later = clinic.start(clinic.checkin)
    later.save(faint=1)
    desk.open(path)
    assert steps(desk)[0] == ("next", "Acknowledge")


def test_a_watch_alert_needs_no_call(app: Flask, clinic: Clinic) -> None:
    clinic.start().save(bleed=0, breath=1)
    clinic.acknowledge()
    desk = signed_in_browser(app, clinic.nurse)
    desk.open(f"/staff/alerts/{clinic.alerts()['W02'].id}?lang=en")
    assert steps(desk) == [("done", "Acknowledged"), ("wait", "Call"), ("next", "Assess"), ("wait", "Close")]
    # The next step is not the nurse's: the page says whose it is, and has no button for it.
    assert "An investigator assesses: Investigator" in desk.page
    assert "Assess and sign" not in desk.page


@pytest.mark.parametrize(("language", "step"), [("en", "Sit up"), ("zh_Hans", "坐直")])
def test_an_emergency_begins_with_first_aid_until_it_is_closed(
    app: Flask, clinic: Clinic, language: str, step: str
) -> None:
    clinic.start().save(bleed=4)
    desk = signed_in_browser(app, clinic.nurse)
    desk.open(f"/staff/alerts/{clinic.alerts()['E01'].id}?lang={language}")
    assert step in desk.page
    assert "120" in desk.page
    assert [advice.crisis for advice in page_of(clinic, "E01").first_aid] == [False]
    other = clinic.another(PLAN, "NPC-009")
    other.start().save(odor=3)
    assert page_of(other, "UL2").first_aid == ()


def test_a_shift_ends_where_the_people_change(clinic: Clinic, clock: Clock) -> None:
    start = clock.now + timedelta(days=70)
    with form_browser.unit_of_work(clinic.app_context) as work:
        for who, first, last in ((clinic.nurse, 0, 8), (clinic.nurse, 8, 12), (clinic.coordinator, 12, 20)):
            work.session.add(
                Shift(
                    plan=PLAN,
                    staff_id=who.id,
                    kind="on_call",
                    starts_at=start + timedelta(hours=first),
                    ends_at=start + timedelta(hours=last),
                )
            )
    with form_browser.unit_of_work(clinic.app_context) as work:
        state = recipients.read_duty_state(work, start)
        ends = [state.on_duty_until(PLAN, "on_call", start + timedelta(hours=hours)) for hours in (1, 9, 13)]
    assert ends == [start + timedelta(hours=hours) for hours in (12, 12, 20)]


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
def test_the_pages_of_an_alert_and_of_the_to_do_list_are_small(app: Flask, twice: Clinic, language: str) -> None:
    desk = signed_in_browser(app, twice.investigator)
    for path in (f"/staff/alerts/{twice.alerts()['UL2'].id}", "/staff/"):
        answer = desk.client.get(f"{path}?lang={language}")
        assert len(gzip.compress(answer.get_data())) < MAX_STAFF_PAGE, path


@pytest.mark.parametrize("role", RIGHTS)
def test_the_header_names_the_study_and_folds_the_account(app: Flask, seeded: Study, role: str) -> None:
    desk = signed_in_browser(app, seeded.staff[role])
    desk.open("/staff/me?lang=en")
    head = desk.page.partition("</header>")[0]
    assert re.search(r'class="env"><b>[^<]+</b> · Demonstration', head)
    # On a desktop beside the menu, on a phone in it; each works without a script.
    assert head.count('action="/staff/sign-out"') == 2
    assert head.count("<details") == 2

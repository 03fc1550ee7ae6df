"""The tab of a participant with the ulcer, the alerts, the adverse events, and what is known and stable."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from pro.features.accounts.pages.page_guard import SignedInStaff, has_right, staff_page
from pro.features.adverse_events import adverse_event_log
from pro.features.alerts import alert_background, stable_symptoms
from pro.features.participants.pages import participant_tabs
from pro.features.ulcers import ulcer_cases
from pro.features.ulcers.pages.labels import WORDS
from pro.web import request_context

pages = Blueprint("safety", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>/events")


@staff_page(pages, "", endpoint="show", right="see_participants", section="participants")
def show_events(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the ulcer, the alerts and the adverse events of one participant."""
    work, language = request_context.work(), request_context.language()
    person = participant_tabs.open_participant(participant_id)
    return render_template(
        "participants/events.html",
        person=person,
        case=ulcer_cases.read_case(work, person) if has_right("see_ulcers") else None,
        said=WORDS,
        plan_words_here=work.catalogue.plan_words[person.plan, language],
        alerts=alert_background.list_cases(work, person, language) if has_right("see_alert") else [],
        events=adverse_event_log.adverse_event_rows(work, language, person.id)
        if has_right("see_adverse_events")
        else [],
        stable_marks=stable_symptoms.stable_marks(work, person, language),
    )

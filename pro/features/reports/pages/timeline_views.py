"""Staff pages of one participant: timeline, symptoms, scores, and pre-dose summary."""

from __future__ import annotations

import io

from flask import Blueprint, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue

from pro.errors import NotAllowed, NotFound
from pro.exports import card_pdf
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.adverse_events import adverse_event_log
from pro.features.participants.pages import participant_overview, participant_page
from pro.features.reports import answer_history, participant_timeline, pre_dose_summary, score_trends
from pro.features.reports.pages import timeline_drawing
from pro.web import request_context
from pro.web.refusals import N_

pages = Blueprint("course", __name__, url_prefix="/participants/<int(max=2147483647):participant_id>")

NOT_DRAWN = {
    "no_card_font": N_(
        "The server has no Chinese font, so the summary was not created. Ask the IT department to "
        "install one (Debian: fonts-noto-cjk)."
    ),
    "no_card_print": N_(
        "The summary could not be created. Try again; if it fails again, contact the IT department. "
        "Its content is also shown on this page."
    ),
}


@staff_page(pages, "/timeline", endpoint="course", right="see_answers", section="participants")
def show_timeline(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Show the timeline, the symptoms by week and the scores, each with its table."""
    return _timeline_page(participant_id)


@pages.get("/course", endpoint="old_address")
@needs("see_answers")
def redirect_to_timeline(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Lead from the former address of the timeline, which colleagues may have kept, to the tab."""
    return redirect(url_for("staff.course.course", participant_id=participant_id), code=303)


@pages.get("/pre-dose.pdf", endpoint="card")
@needs("see_answers")
def show_pre_dose_summary(staff: SignedInStaff, participant_id: int) -> ResponseReturnValue:
    """Send the pre-dose summary as one page of A4. Raises NotFound if the plan has none.

    Status 503 with a sentence on the timeline if the PDF cannot be made.
    """
    work = request_context.work()
    person = participant_page.read_participant(work, participant_id)
    found = pre_dose_summary.read_summary(work, person, request_context.language())
    if found is None:
        raise NotFound("pre_dose")
    html = render_template(
        "reports/pre_dose_summary.html",
        card=found,
        plan=work.catalogue.shown_plan(person.plan),
        **participant_overview.template_functions(),
    )
    # Releases the write transaction: the PDF takes a second or two.
    request_context.release()
    try:
        printed = card_pdf.print_card(html)
    except NotAllowed as refusal:
        return _timeline_page(participant_id, request_context.translator().gettext(NOT_DRAWN[refusal.why])), 503
    person = participant_page.read_participant(work, participant_id)
    work.record("participant.pre_dose_drawn", person, participant_id=person.id)
    name = f"{found.study_number} {found.made_on.isoformat()}.pdf"
    answer = send_file(io.BytesIO(printed.pdf), "application/pdf", as_attachment=True, download_name=name)
    # As for every page, so that a shared browser does not store the summary.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _timeline_page(participant_id: int, problem: str = "") -> str:
    work, language = request_context.work(), request_context.language()
    person = participant_page.read_participant(work, participant_id)
    work.record("participant.seen", person, participant_id=person.id)
    record = answer_history.read_history(work, person, language)
    spans = adverse_event_log.timeline_spans(work, person.id, language) if page_guard.has_right("see_events") else []
    line = participant_timeline.read_timeline(work, record, language, spans)
    return render_template(
        "reports/timeline.html",
        person=person,
        plan_has_card=work.catalogue.shown_plan(person.plan).pre_dose is not None,
        record=record,
        week=participant_overview.week_number(record.today, record.origin),
        drawing=timeline_drawing.draw_timeline(line),
        spans=spans,
        heat=score_trends.read_heatmap(work, record, language),
        scored=score_trends.read_score_trends(work, record, language),
        instrument=work.catalogue.shown_instrument(score_trends.checkin_of(work, record)),
        problem=problem,
        **participant_overview.template_functions(),
    )

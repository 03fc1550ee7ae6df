"""Page "Try it" of the demonstration: a sign-in for each role, and what to look at first. Absent in production."""

from __future__ import annotations

from flask import abort, redirect, render_template, request
from flask.typing import ResponseReturnValue

from pro.features.accounts.pages.page_guard import staff_blueprint
from pro.features.operations import demo_study
from pro.web import request_context
from pro.web.refusals import N_

# Role -> what it should look at first: a sentence, and the address of a page in the staff side.
FIRST_LOOKS: dict[str, tuple[tuple[str, str], ...]] = {
    "nurse": (
        (N_("An urgent alert of NC-003, about signs of an ulcer, is not acknowledged yet."), "/staff/"),
        (N_("NC-004 has not answered for days, and one call was not answered: call again."), "/staff/"),
        (N_("A text message of NC-017 is unread, and one came from an unknown number."), "/staff/inbox"),
    ),
    "investigator": (
        (N_("NC-005 has a confirmed ulcer: see answers, endoscopy and decision."), "/staff/ulcers"),
        (N_("The serious adverse event of NC-005 is graded and not reported yet."), "/staff/adverse-events"),
        (N_("A data correction for NC-002 waits for your decision."), "/staff/corrections"),
        (N_("Try a change of an alert rule on all answers so far."), "/staff/simulator"),
    ),
    "coordinator": (
        (N_("23 participants, from the days before treatment to month 6 after radiotherapy."), "/staff/participants"),
        (N_("Two forms of NC-004 are missing without a reason."), "/staff/"),
        (N_("The monitor asks about a form of NC-010: answer the query."), "/staff/queries"),
        (N_("One night in the coming week has a gap in the duty roster."), "/staff/roster"),
    ),
    "monitor": (
        (N_("The figures of the whole study: forms, alerts, scores by visit."), "/staff/study-overview"),
        (N_("Adverse events, and where answers suggest more than was recorded."), "/staff/adverse-events/discordance"),
        (N_("One query is open, one is closed: ask one next to a received form."), "/staff/queries"),
        (N_("Who did what and when; the sealed entries can be verified."), "/staff/audit"),
    ),
    "statistician": ((N_("The figures of the whole study: forms, alerts, scores by visit."), "/staff/study-overview"),),
    "administrator": (
        (N_("Accounts of all roles: invite, change, deactivate."), "/staff/accounts"),
        (N_("Roles and access rights"), "/staff/rights"),
    ),
}


@staff_blueprint.get("/try", endpoint="try")
def show_sign_ins() -> ResponseReturnValue:
    """List the sign-ins by role."""
    _require_demonstration()
    roles = {role: (email, name) for email, name, role, _language in reversed(demo_study.STAFF)}
    return render_template("operations/try.html", roles=roles, looks=FIRST_LOOKS, password=demo_study.PASSWORD)


@staff_blueprint.post("/try", endpoint="try_form")
def open_form() -> ResponseReturnValue:
    """Open the check-in of a participant with a new link."""
    _require_demonstration()
    links = demo_study.make_demo_links(request_context.work())
    chosen = links.chinese if request.form.get("language") == "zh_Hans" else links.english
    return redirect(f"/a/{chosen.rpartition('/')[2]}", code=303)


def _require_demonstration() -> None:
    """Answer 404 in production, and where the database holds no demonstration study."""
    if request_context.app_context().config.production or not demo_study.holds_demonstration(request_context.work()):
        abort(404)

"""Staff pages: the way in and out, the board, one alert."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import cast

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData
from pro.services import alerting, reading, sheets, staffing, todo
from pro.web import (
    guard,
    site,
    staff_cards,
    staff_cohort,
    staff_dates,
    staff_drills,
    staff_entry,
    staff_inbox,
    staff_page,
    staff_participants,
    staff_roster,
    staff_simulator,
    staff_tasks,
)
from pro.web.guard import Person, needs
from pro.web.staff_forms import NoteForm, SignInForm
from pro.web.staff_page import notify

pages = Blueprint("staff", __name__, url_prefix="/staff")

pages.record_once(staff_page.install)
pages.context_processor(staff_page.context)
pages.register_blueprint(staff_participants.pages)
pages.register_blueprint(staff_cards.pages)
pages.register_blueprint(staff_dates.pages)
pages.register_blueprint(staff_roster.pages)
pages.register_blueprint(staff_drills.pages)
pages.register_blueprint(staff_tasks.pages)
pages.register_blueprint(staff_entry.pages)
pages.register_blueprint(staff_inbox.pages)
pages.register_blueprint(staff_cohort.pages)
pages.register_blueprint(staff_simulator.pages)

# Pages whose notes outlive the session.
KEEPS_NOTES = re.compile(
    r"/staff/(?:alerts/(?P<alert>[0-9]{1,9})|tasks/(?P<task>[0-9]{1,9})|participants/(?P<participant>[0-9]{1,9})/calls"
    r"|inbox/(?P<inbox>[0-9]{1,9}))"
)
# First part of an address -> the page that it is, as ``staff_words`` names it.
PLACES = {
    "alerts": "alert",
    "participants": "participants",
    "roster": "roster",
    "drills": "drill",
    "tasks": "task",
    "inbox": "inbox",
    "cohort": "cohort",
    "simulator": "simulator",
}
FILTERS = ("unacknowledged", "in_hand", "texts", "calls", "messages", "papers", "forms", "missed")


@pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The sign-in page; says why it appears and where it leads back to."""
    return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""))


@pages.post("/sign-in")
def sign_in_now() -> ResponseReturnValue:
    """Check e-mail and password and go where the person wanted to go."""
    if "email" not in request.form and guard.KEPT in request.form:  # a note was posted after the session had ended
        return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""), status=401)
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, status=400)
    tried = staffing.sign_in(site.work(), form.email.data, form.password.data, request.remote_addr or "")
    if tried.staff is None or tried.secret is None:
        status = 429 if tried.why == "locked" else 401
        return _sign_in_page(form, why=tried.why, locked_until=tried.locked_until, status=status)
    target = guard.own_path(request.args.get("next"))
    if target == url_for("staff.board") and not staffing.may(tried.staff.role, "see_board"):
        reads = staffing.may(tried.staff.role, "see_participants")
        target = url_for("staff.participants.everyone" if reads else "staff.roster.show")
    kept = _kept_note(tried.staff, target)
    answer = kept or redirect(target, code=303)
    return guard.let_in(cast(Response, answer), tried.secret)


def _kept_note(staff: Person, target: str) -> Response | None:
    """The page with the note that was being written when the session ended, back in its field."""
    text = request.form.get(guard.KEPT, "")
    found = KEEPS_NOTES.fullmatch(target)
    right = "note" if found and found["alert"] else "reply_text" if found and found["inbox"] else "log_call"
    if not text or not found or not staffing.may(staff.role, right):
        return None
    guard.enter(staff)
    notify("not_sent_yet" if found["inbox"] else "not_saved_yet")
    if found["inbox"]:
        return make_response(staff_inbox.kept_page(text, found["inbox"]))
    if found["alert"]:
        return make_response(_alert_page(int(found["alert"]), NoteForm(formdata=None, text=text)))
    return make_response(staff_tasks.kept_page(text, task_id=found["task"], participant_id=found["participant"]))


def _sign_in_page(
    form: SignInForm, why: str = "", locked_until: datetime | None = None, status: int = 200
) -> ResponseReturnValue:
    target = guard.own_path(request.args.get("next"))
    idle = site.house().config.staff_idle_minutes
    page = render_template(
        "staff/sign_in.html",
        form=form,
        why=why,
        target=target,
        place=_place(target),
        locked_until=locked_until,
        idle=idle,
        kept=request.form.get(guard.KEPT, ""),
    )
    return page, status


def _place(target: str) -> str:
    """Which page ``target`` is, as a key that the template names."""
    parts = target.split("?")[0].strip("/").split("/")
    if len(parts) > 2 and parts[1] == "participants":
        return "participant"
    return PLACES.get(parts[1] if len(parts) > 1 else "", "board")


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session on the server. Harmless without one, so that it works twice and after an idle logout."""
    secret = request.cookies.get(guard.COOKIE, "")
    if secret:
        staffing.sign_out(site.work(), secret)
    answer = redirect(url_for("staff.sign_in", why="out"), code=303)
    return guard.let_out(cast(Response, answer))


@pages.get("/")
@needs("see_board")
def board(staff: Person) -> ResponseReturnValue:
    """What needs somebody now, the most urgent first. ``show`` picks one list; the counts are always of all."""
    show = request.args.get("show", "")
    now = todo.board(site.work(), site.language())
    papers = sheets.papers(site.work(), site.language())
    return render_template("staff/board.html", board=now, papers=papers, show=show if show in FILTERS else "")


@pages.get("/alerts/<int(max=2147483647):alert_id>")
@needs("see_alert")
def alert(staff: Person, alert_id: int) -> ResponseReturnValue:
    """One alert with everything that a decision needs."""
    return _alert_page(alert_id, NoteForm(formdata=None))


@pages.post("/alerts/<int(max=2147483647):alert_id>")
@needs("see_alert")
def alert_act(staff: Person, alert_id: int) -> ResponseReturnValue:
    """Acknowledge what was on the page, or keep a note."""
    act = request.form.get("do", "")
    if act == "acknowledge":
        return _acknowledge(staff, alert_id)
    if act == "note":
        return _note(staff, alert_id)
    raise BadData("unknown_act")


def _acknowledge(staff: Person, alert_id: int) -> ResponseReturnValue:
    """Take on what was on the page, and only that: what came later must be read first."""
    guard.must(staff, "acknowledge")
    page = reading.alert_page(site.work(), alert_id, site.language())
    filed_here = {str(finding.alert_id): finding.alert_id for finding in page.findings}
    shown = set(request.form.getlist("alert"))
    if not shown or not shown <= set(filed_here):
        raise BadData("unknown_alert")
    done = alerting.acknowledge(site.work(), sorted(filed_here[text] for text in shown))
    others = [(name, at) for _id, name, at in done.already if name != staff.name]
    if done.new:
        notify("acknowledged")
    elif others:
        name, at = others[0]
        notify("somebody_first", name=name, at=at.isoformat())
    else:
        notify("acknowledged_before")
    later = set(page.open_ids) - set(done.new)
    if later:
        notify("later", count=len(later))
    return redirect(url_for("staff.alert", alert_id=alert_id), code=303)


def _note(staff: Person, alert_id: int) -> ResponseReturnValue:
    guard.must(staff, "note")
    form = NoteForm()
    if not form.validate_on_submit():
        return _alert_page(alert_id, form, status=400)
    page = reading.alert_page(site.work(), alert_id, site.language())
    alerting.note(site.work(), page.case.source, form.text.data)
    notify("noted")
    return redirect(url_for("staff.alert", alert_id=alert_id), code=303)


def _alert_page(alert_id: int, form: NoteForm, status: int = 200) -> ResponseReturnValue:
    page = reading.alert_page(site.work(), alert_id, site.language())
    course = _folded(page.events)
    return render_template("staff/alert.html", page=page, case=page.case, form=form, course=course), status


def _folded(events: Iterable[tuple[datetime, str, str]]) -> list[tuple[datetime, str, str]]:
    """Things of one kind in the same minute as one line: seven rules fired, not seven lines."""
    found = []
    for (at, key), group in groupby(events, key=lambda event: (event[0].replace(second=0, microsecond=0), event[1])):
        found.append((at, key, " ".join(dict.fromkeys(detail for _at, _key, detail in group if detail))))
    return found

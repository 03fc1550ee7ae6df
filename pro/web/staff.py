"""Staff pages: the way in and out, the board, one alert."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData
from pro.services import alerting, reading, staffing
from pro.web import guard, site, staff_page, staff_participants
from pro.web.guard import Person, needs
from pro.web.staff_forms import NoteForm, SignInForm
from pro.web.staff_page import notify

pages = Blueprint("staff", __name__, url_prefix="/staff")

pages.record_once(staff_page.install)
pages.context_processor(staff_page.context)
pages.register_blueprint(staff_participants.pages)

FILTERS = ("unacknowledged", "in_hand", "messages", "forms")


@pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The sign-in page; says why it appears and where it leads back to."""
    return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""))


@pages.post("/sign-in")
def sign_in_now() -> ResponseReturnValue:
    """Check e-mail and password and go where the person wanted to go."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, status=400)
    tried = staffing.sign_in(site.work(), form.email.data, form.password.data, request.remote_addr or "")
    if tried.staff is None or tried.secret is None:
        status = 429 if tried.why == "locked" else 401
        return _sign_in_page(form, why=tried.why, locked_until=tried.locked_until, status=status)
    target = guard.own_path(request.args.get("next"))
    if target == url_for("staff.board") and not staffing.may(tried.staff.role, "see_board"):
        target = url_for("staff.participants.everyone")
    answer = redirect(target, code=303)
    return guard.let_in(cast(Response, answer), tried.secret)


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
    )
    return page, status


def _place(target: str) -> str:
    """Which page ``target`` is, as a key that the template names."""
    parts = target.split("?")[0].strip("/").split("/")
    if len(parts) > 2 and parts[1] == "participants":
        return "participant"
    return {"alerts": "alert", "participants": "participants"}.get(parts[1] if len(parts) > 1 else "", "board")


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
    now = reading.board(site.work(), site.language())
    return render_template("staff/board.html", board=now, show=show if show in FILTERS else "")


@pages.get("/alerts/<int:alert_id>")
@needs("see_alert")
def alert(staff: Person, alert_id: int) -> ResponseReturnValue:
    """One alert with everything that a decision needs."""
    return _alert_page(alert_id, NoteForm(formdata=None))


@pages.post("/alerts/<int:alert_id>")
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
    guard.must(staff, "acknowledge")
    shown = request.form.getlist("alert")
    if not shown or not all(text.isascii() and text.isdigit() and len(text) < 12 for text in shown):
        raise BadData("unknown_alert")
    page = reading.alert_page(site.work(), alert_id, site.language())
    done = alerting.acknowledge(site.work(), sorted({int(text) for text in shown}))
    later = set(page.open_ids) - set(done.new)
    others = [(name, at) for _id, name, at in done.already if name != staff.name]
    if done.new:
        notify("acknowledged")
    elif others:
        name, at = others[0]
        notify("somebody_first", name=name, at=at.isoformat())
    elif done.already:
        notify("acknowledged_before")
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
    return redirect(url_for("staff.alert", alert_id=alert_id, _anchor="notes"), code=303)


def _alert_page(alert_id: int, form: NoteForm, status: int = 200) -> ResponseReturnValue:
    page = reading.alert_page(site.work(), alert_id, site.language())
    return render_template("staff/alert.html", page=page, case=page.case, form=form), status

"""Staff pages: the way in and out, the board, one alert."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.core.level import Level
from pro.errors import Frozen
from pro.services import narrowing, staffing, todo
from pro.services.narrowing import Narrow
from pro.web import (
    guard,
    site,
    staff_alert,
    staff_audit,
    staff_cards,
    staff_cohort,
    staff_consent,
    staff_corrections,
    staff_course,
    staff_dates,
    staff_drills,
    staff_entry,
    staff_events,
    staff_freezes,
    staff_inbox,
    staff_kept,
    staff_me,
    staff_page,
    staff_participants,
    staff_people,
    staff_roster,
    staff_simulator,
    staff_steps,
    staff_tasks,
    staff_ulcers,
)
from pro.web.guard import Person, needs
from pro.web.staff_forms import SignInForm
from pro.web.staff_page import notify

pages = Blueprint("staff", __name__, url_prefix="/staff")

pages.record_once(staff_page.install)
pages.context_processor(staff_page.context)
pages.register_blueprint(staff_participants.pages)
pages.register_blueprint(staff_cards.pages)
pages.register_blueprint(staff_course.pages)
pages.register_blueprint(staff_dates.pages)
pages.register_blueprint(staff_roster.pages)
pages.register_blueprint(staff_drills.pages)
pages.register_blueprint(staff_tasks.pages)
pages.register_blueprint(staff_entry.pages)
pages.register_blueprint(staff_inbox.pages)
pages.register_blueprint(staff_events.pages)
pages.register_blueprint(staff_audit.pages)
pages.register_blueprint(staff_corrections.pages)
pages.register_blueprint(staff_freezes.pages)
pages.register_blueprint(staff_consent.pages)
pages.register_blueprint(staff_steps.pages)
pages.register_blueprint(staff_me.pages)
pages.register_blueprint(staff_people.pages)
pages.register_blueprint(staff_ulcers.pages)
pages.register_blueprint(staff_cohort.pages)
pages.register_blueprint(staff_simulator.pages)

# Pages that show a note again in its own field.
KEEPS_NOTES = re.compile(
    r"/staff/(?:alerts/(?P<alert>[0-9]{1,9})(?P<assess>/assess)?|tasks/(?P<task>[0-9]{1,9})|participants/(?P<participant>[0-9]{1,9})/calls"
    r"|inbox/(?P<inbox>[0-9]{1,9})|events/(?P<event>[0-9]{1,9})|participants/(?P<by_hand>[0-9]{1,9})/events/new)"
)
# First part of an address -> the page that it is, as ``staff_words`` names it.
PLACES = {
    "alerts": "alert",
    "participants": "participants",
    "roster": "roster",
    "drills": "drill",
    "tasks": "task",
    "inbox": "inbox",
    "events": "event",
    "audit": "audit",
    "me": "me",
    "people": "people",
    "ulcers": "ulcers",
    "cohort": "cohort",
    "simulator": "simulator",
}
FILTERS = (
    "unacknowledged",
    "in_hand",
    "texts",
    "calls",
    "cards",
    "messages",
    "papers",
    "today",
    "forms",
    "missed",
    "endoscopies",
    "serious",
)


@pages.errorhandler(Frozen)
def frozen(refusal: Frozen) -> ResponseReturnValue:
    """Somebody froze the record: nothing of this request is kept."""
    site.undo()
    return render_template("staff/frozen.html", said=refusal.details), 409


@pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The sign-in page; says why it appears and where it leads back to."""
    return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""))


@pages.post("/sign-in")
def sign_in_now() -> ResponseReturnValue:
    """Check e-mail and password and go where the person wanted to go."""
    if staff_kept.came():
        return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""), status=401)
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, status=400)
    tried = staffing.sign_in(
        site.work(), form.email.data, form.password.data, request.remote_addr or "", staff_steps.device()
    )
    if tried.entry is None or tried.secret is None:
        status = 429 if tried.why == "locked" else 401
        return _sign_in_page(form, why=tried.why, locked_until=tried.locked_until, status=status)
    target = guard.own_path(request.args.get("next"))
    if staffing.pending(site.work(), tried.entry):
        # What is kept is posted on. The next step shows its page then, because its own field is not among it.
        answer = staff_steps.onward(tried.entry)
    else:
        staff = tried.entry.staff
        answer = _kept_page(staff, target) or redirect(guard.landing(staff.role, target), code=303)
    return guard.let_in(cast(Response, answer), tried.secret)


@pages.post("/kept")
@needs("own_account")
def kept(staff: Person) -> ResponseReturnValue:
    """What was typed before the session ended, after every step of the way in: to read, and to send by a press."""
    target = guard.own_path(request.args.get("next"))
    return _kept_page(staff, target) or redirect(guard.landing(staff.role, target), code=303)


def _kept_page(staff: Person, target: str) -> Response | None:
    """The page with what was being typed when the session ended; None if nothing is kept, or it is somebody else's."""
    fields = staff_kept.fields()
    if not fields:
        return None
    guard.enter(staff)
    if staff_kept.whose() not in ("0", str(staff.id)):
        notify("not_kept")
        return None
    note = _kept_note(staff, target, MultiDict(fields))
    if note is not None:
        return note
    to = guard.own_path(staff_kept.to())
    typed = staff_kept.typed()
    return make_response(render_template("staff/kept.html", fields=fields, typed=typed, to=to, target=target))


def _kept_note(staff: Person, target: str, typed: MultiDict[str, str]) -> Response | None:
    """The page with what was being written when the session ended, back in its fields."""
    found = KEEPS_NOTES.fullmatch(target)
    if not found:
        return None
    text = typed.get("text", "")
    judges = found["assess"] or found["event"] or found["by_hand"]
    right = "reply_text" if found["inbox"] else "assess" if judges else "note" if found["alert"] else "log_call"
    if not (text or judges or found["alert"]) or not staffing.may(staff.role, right):
        return None
    notify("not_sent_yet" if found["inbox"] else "not_saved_yet")
    if found["inbox"]:
        return make_response(staff_inbox.kept_page(text, found["inbox"]))
    if judges:
        kind = "alert" if found["alert"] else "event" if found["event"] else "participant"
        number = int(found["alert"] or found["event"] or found["by_hand"])
        return make_response(staff_events.kept_page(kind, number, typed))
    if found["alert"]:
        return make_response(staff_alert.kept_page(int(found["alert"]), typed))
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
    """What needs somebody now, the most urgent first. ``show`` picks one list.

    ``study``, ``level`` and ``owner`` narrow every list, and the counts with them.
    """
    show = request.args.get("show", "")
    whole = todo.board(site.work(), site.language())
    narrow = _narrow()
    now = narrowing.narrowed(site.work(), whole, narrow, site.language())
    return render_template(
        "staff/board.html",
        board=now,
        show=show if show in FILTERS else "",
        narrow=narrow,
        studies=[
            (plan, site.house().catalogue.plan_words[plan, site.language()].title)
            for plan in site.house().catalogue.plans
        ],
        left_out=len(whole.unacknowledged) - len(now.unacknowledged),
        loud=sum(case.level == Level.EMERGENCY for case in whole.unacknowledged)
        + sum(row.text.level == Level.EMERGENCY for row in whole.texts.unmatched),
    )


def _narrow() -> Narrow:
    """The filter in the address; what is none is left out."""
    study, level, owner = (request.args.get(name, "") for name in ("study", "level", "owner"))
    levels = {found.word: found for found in (Level.EMERGENCY, Level.URGENT, Level.WATCH)}
    return Narrow(
        study=study if study in site.house().catalogue.plans else "",
        level=levels.get(level),
        owner=owner if owner in narrowing.OWNERS else "",
    )


@pages.get("/alerts/<int(max=2147483647):alert_id>")
@needs("see_alert")
def alert(staff: Person, alert_id: int) -> ResponseReturnValue:
    """One alert with everything that a decision needs."""
    return staff_alert.page(alert_id)


@pages.post("/alerts/<int(max=2147483647):alert_id>")
@needs("see_alert")
def alert_act(staff: Person, alert_id: int) -> ResponseReturnValue:
    """Acknowledge, take over, note, log a call, mark as stable, close."""
    return staff_alert.act(staff, alert_id)

"""Staff pages: the way in and out, the board, one alert."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from pro.core.rule_language.level import Level
from pro.errors import RecordFrozen
from pro.features.accounts import staff_accounts
from pro.features.accounts.pages import (
    account_admin_views,
    login_step_views,
    my_account_views,
    page_guard,
    unsaved_text,
)
from pro.features.accounts.pages.page_guard import SignedInStaff, needs
from pro.features.adverse_events.pages import views as adverse_events_views
from pro.features.alerts.pages import alert_views, test_alert_views
from pro.features.assessments.pages import data_correction_views, data_entry_views
from pro.features.audit.pages import views as audit_views
from pro.features.duty_roster.pages import views as duty_roster_views
from pro.features.participants.pages import card_views, consent_views, freeze_views, participant_views
from pro.features.reports.pages import rule_simulator_views, study_overview_views, timeline_views
from pro.features.schedule.pages import call_task_views, visit_schedule_views
from pro.features.text_messages.pages import inbox_views
from pro.features.to_do_list import to_do_filter, to_do_list
from pro.features.to_do_list.to_do_filter import ToDoFilter
from pro.features.ulcers.pages import views as ulcers_views
from pro.pages import page_frame
from pro.web import request_context
from pro.web.forms import SignInForm
from pro.web.notices import notify

pages = Blueprint("staff", __name__, url_prefix="/staff")

pages.record_once(page_frame.install)
pages.context_processor(page_frame.layout_context)
pages.register_blueprint(participant_views.pages)
pages.register_blueprint(card_views.pages)
pages.register_blueprint(timeline_views.pages)
pages.register_blueprint(visit_schedule_views.pages)
pages.register_blueprint(duty_roster_views.pages)
pages.register_blueprint(test_alert_views.pages)
pages.register_blueprint(call_task_views.pages)
pages.register_blueprint(data_entry_views.pages)
pages.register_blueprint(inbox_views.pages)
pages.register_blueprint(adverse_events_views.pages)
pages.register_blueprint(audit_views.pages)
pages.register_blueprint(data_correction_views.pages)
pages.register_blueprint(freeze_views.pages)
pages.register_blueprint(consent_views.pages)
pages.register_blueprint(login_step_views.pages)
pages.register_blueprint(my_account_views.pages)
pages.register_blueprint(account_admin_views.pages)
pages.register_blueprint(ulcers_views.pages)
pages.register_blueprint(study_overview_views.pages)
pages.register_blueprint(rule_simulator_views.pages)

# Pages that show a note again in its own field.
UNSAVED_NOTE_PATHS = re.compile(
    r"/staff/(?:alerts/(?P<alert>[0-9]{1,9})(?P<assess>/assess)?|tasks/(?P<task>[0-9]{1,9})|participants/(?P<participant>[0-9]{1,9})/calls"
    r"|inbox/(?P<inbox>[0-9]{1,9})|events/(?P<event>[0-9]{1,9})|participants/(?P<by_hand>[0-9]{1,9})/events/new)"
)
# First part of an address -> the page that it is, as ``labels`` names it.
PAGE_KEYS = {
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


@pages.errorhandler(RecordFrozen)
def handle_frozen_record(refusal: RecordFrozen) -> ResponseReturnValue:
    """Somebody froze the record: nothing of this request is kept."""
    request_context.discard()
    return render_template("participants/frozen.html", said=refusal.details), 409


@pages.get("/sign-in", endpoint="sign_in")
def show_sign_in() -> ResponseReturnValue:
    """The sign-in page; says why it appears and where it leads back to."""
    return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""))


@pages.post("/sign-in", endpoint="sign_in_now")
def submit_sign_in() -> ResponseReturnValue:
    """Check e-mail and password and go where the person wanted to go."""
    if unsaved_text.is_reposted():
        return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""), status=401)
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, status=400)
    tried = staff_accounts.sign_in(
        request_context.work(),
        form.email.data,
        form.password.data,
        request.remote_addr or "",
        login_step_views.request_device(),
    )
    if tried.entry is None or tried.secret is None:
        status = 429 if tried.why == "locked" else 401
        return _sign_in_page(form, why=tried.why, locked_until=tried.locked_until, status=status)
    target = page_guard.safe_staff_path(request.args.get("next"))
    if staff_accounts.pending_step(request_context.work(), tried.entry):
        # What is kept is posted on. The next step shows its page then, because its own field is not among it.
        answer = login_step_views.redirect_to_next_step(tried.entry)
    else:
        staff = tried.entry.staff
        answer = _unsaved_text_page(staff, target) or redirect(page_guard.landing_page(staff.role, target), code=303)
    return page_guard.set_session_cookie(cast(Response, answer), tried.secret)


@pages.post("/kept", endpoint="kept")
@needs("own_account")
def show_unsaved_text(staff: SignedInStaff) -> ResponseReturnValue:
    """What was typed before the session ended, after every step of the way in: to read, and to send by a press."""
    target = page_guard.safe_staff_path(request.args.get("next"))
    return _unsaved_text_page(staff, target) or redirect(page_guard.landing_page(staff.role, target), code=303)


def _unsaved_text_page(staff: SignedInStaff, target: str) -> Response | None:
    """The page with what was being typed when the session ended; None if nothing is kept, or it is somebody else's."""
    fields = unsaved_text.unsaved_fields()
    if not fields:
        return None
    page_guard.act_as_staff(staff)
    if unsaved_text.owner_id() not in ("0", str(staff.id)):
        notify("not_kept")
        return None
    note = _unsaved_note_page(staff, target, MultiDict(fields))
    if note is not None:
        return note
    to = page_guard.safe_staff_path(unsaved_text.target_address())
    typed = unsaved_text.recognisable_texts()
    return make_response(render_template("staff/unsaved_text.html", fields=fields, typed=typed, to=to, target=target))


def _unsaved_note_page(staff: SignedInStaff, target: str, typed: MultiDict[str, str]) -> Response | None:
    """The page with what was being written when the session ended, back in its fields."""
    found = UNSAVED_NOTE_PATHS.fullmatch(target)
    if not found:
        return None
    text = typed.get("text", "")
    judges = found["assess"] or found["event"] or found["by_hand"]
    right = "reply_text" if found["inbox"] else "assess" if judges else "note" if found["alert"] else "log_call"
    if not (text or judges or found["alert"]) or not staff_accounts.has_right(staff.role, right):
        return None
    notify("not_sent_yet" if found["inbox"] else "not_saved_yet")
    if found["inbox"]:
        return make_response(inbox_views.restore_conversation_page(text, found["inbox"]))
    if judges:
        kind = "alert" if found["alert"] else "event" if found["event"] else "participant"
        number = int(found["alert"] or found["event"] or found["by_hand"])
        return make_response(adverse_events_views.restore_grading_page(kind, number, typed))
    if found["alert"]:
        return make_response(alert_views.restore_alert_page(int(found["alert"]), typed))
    return make_response(
        call_task_views.restore_call_page(text, task_id=found["task"], participant_id=found["participant"])
    )


def _sign_in_page(
    form: SignInForm, why: str = "", locked_until: datetime | None = None, status: int = 200
) -> ResponseReturnValue:
    target = page_guard.safe_staff_path(request.args.get("next"))
    idle = request_context.app_context().config.staff_idle_minutes
    page = render_template(
        "accounts/sign_in.html",
        form=form,
        why=why,
        target=target,
        place=_page_key(target),
        locked_until=locked_until,
        idle=idle,
    )
    return page, status


def _page_key(target: str) -> str:
    """Which page ``target`` is, as a key that the template names."""
    parts = target.split("?")[0].strip("/").split("/")
    if len(parts) > 2 and parts[1] == "participants":
        return "participant"
    return PAGE_KEYS.get(parts[1] if len(parts) > 1 else "", "board")


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session on the server. Harmless without one, so that it works twice and after an idle logout."""
    secret = request.cookies.get(page_guard.COOKIE, "")
    if secret:
        staff_accounts.sign_out(request_context.work(), secret)
    answer = redirect(url_for("staff.sign_in", why="out"), code=303)
    return page_guard.clear_session_cookie(cast(Response, answer))


@pages.get("/", endpoint="board")
@needs("see_board")
def show_to_do_list(staff: SignedInStaff) -> ResponseReturnValue:
    """What needs somebody now, the most urgent first. ``show`` picks one list.

    ``study``, ``level`` and ``owner`` narrow every list, and the counts with them.
    """
    show = request.args.get("show", "")
    whole = to_do_list.read_to_do_list(request_context.work(), request_context.language())
    narrow = _filter_of_address()
    now = to_do_filter.filter_to_do_list(request_context.work(), whole, narrow, request_context.language())
    return render_template(
        "to_do_list/to_do_list.html",
        board=now,
        show=show if show in FILTERS else "",
        narrow=narrow,
        studies=[
            (plan, request_context.app_context().catalogue.plan_words[plan, request_context.language()].title)
            for plan in request_context.app_context().catalogue.plans
        ],
        left_out=len(whole.unacknowledged) - len(now.unacknowledged),
        loud=sum(case.level == Level.EMERGENCY for case in whole.unacknowledged)
        + sum(row.text.level == Level.EMERGENCY for row in whole.texts.unmatched),
    )


def _filter_of_address() -> ToDoFilter:
    """The filter in the address; what is none is left out."""
    study, level, owner = (request.args.get(name, "") for name in ("study", "level", "owner"))
    levels = {found.word: found for found in (Level.EMERGENCY, Level.URGENT, Level.WATCH)}
    return ToDoFilter(
        study=study if study in request_context.app_context().catalogue.plans else "",
        level=levels.get(level),
        owner=owner if owner in to_do_filter.OWNERS else "",
    )


@pages.get("/alerts/<int(max=2147483647):alert_id>", endpoint="alert")
@needs("see_alert")
def show_alert(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """One alert with everything that a decision needs."""
    return alert_views.show_alert(alert_id)


@pages.post("/alerts/<int(max=2147483647):alert_id>", endpoint="alert_act")
@needs("see_alert")
def act_on_alert(staff: SignedInStaff, alert_id: int) -> ResponseReturnValue:
    """Acknowledge, take over, note, log a call, mark as stable, close."""
    return alert_views.act_on_alert(staff, alert_id)

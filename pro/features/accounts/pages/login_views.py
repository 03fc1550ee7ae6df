"""Views for sign-in, sign-out and unsaved text of an ended session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from flask import Response, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from pro.features.accounts import staff_accounts
from pro.features.accounts.pages import login_step_views, page_guard, unsaved_text
from pro.features.accounts.pages.forms import SignInForm
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_blueprint
from pro.web import page_registry, request_context
from pro.web.notices import notify
from pro.web.page_registry import StaffPage


@staff_blueprint.get("/sign-in", endpoint="sign_in")
def show_sign_in() -> ResponseReturnValue:
    """Show the sign-in page, with the reason for it and the page that follows."""
    return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""))


@staff_blueprint.post("/sign-in", endpoint="sign_in_now")
def submit_sign_in() -> ResponseReturnValue:
    """Check email and password, start the session and redirect to the page asked for."""
    if unsaved_text.is_reposted():
        return _sign_in_page(SignInForm(formdata=None), why=request.args.get("why", ""), status=401)
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form, status=400)
    attempt = staff_accounts.sign_in(
        request_context.work(),
        form.email.data,
        form.password.data,
        request.remote_addr or "",
        login_step_views.request_device(),
    )
    if attempt.entry is None or attempt.secret is None:
        status = 429 if attempt.why == "locked" else 401
        return _sign_in_page(form, why=attempt.why, locked_until=attempt.locked_until, status=status)
    target = page_guard.safe_staff_path(request.args.get("next"))
    if staff_accounts.pending_step(request_context.work(), attempt.entry):
        # Unsaved text is reposted. The next step then shows its form, because its own field is missing.
        answer = login_step_views.redirect_to_next_step(attempt.entry)
    else:
        staff = attempt.entry.staff
        answer = _unsaved_text_page(staff, target) or redirect(page_guard.landing_page(staff.role, target), code=303)
    return page_guard.set_session_cookie(cast(Response, answer), attempt.secret)


@staff_blueprint.post("/unsaved-text", endpoint="unsaved_text")
@needs("own_account")
def show_unsaved_text(staff: SignedInStaff) -> ResponseReturnValue:
    """Show unsaved text after the last step of the sign-in, to read and to send again."""
    target = page_guard.safe_staff_path(request.args.get("next"))
    return _unsaved_text_page(staff, target) or redirect(page_guard.landing_page(staff.role, target), code=303)


def _unsaved_text_page(staff: SignedInStaff, target: str) -> Response | None:
    """Return the page with the unsaved text; None if there is none or it is another account's."""
    fields = unsaved_text.unsaved_fields()
    if not fields:
        return None
    page_guard.act_as_staff(staff)
    if unsaved_text.owner_id() not in ("0", str(staff.id)):
        notify("not_kept")
        return None
    restored_page = _unsaved_note_page(target, MultiDict(fields))
    if restored_page is not None:
        return restored_page
    to = page_guard.safe_staff_path(unsaved_text.target_address())
    typed = unsaved_text.recognisable_texts()
    return make_response(render_template("staff/unsaved_text.html", fields=fields, typed=typed, to=to, target=target))


def _unsaved_note_page(target: str, typed: MultiDict[str, str]) -> Response | None:
    """Return the page with the unsaved text in its fields; None if the page restores none."""
    page, values = _page_of_address(target)
    if page is None or page.kept is None or not page.kept.applies(typed, page_guard.has_right):
        return None
    notify(page.kept.notice)
    page_guard.show_as_page(page)
    return make_response(page.kept.restore(typed, **values))


def _page_of_address(target: str) -> tuple[StaffPage | None, Mapping[str, Any]]:
    """Return the page at the address ``target`` and the values in it; (None, {}) for none."""
    try:
        endpoint, values = current_app.url_map.bind(request.host).match(target, method="GET")
    except HTTPException:
        return None, {}
    return page_registry.PAGES.get(endpoint), values


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
        place=page_registry.way_back(target),
        locked_until=locked_until,
        idle=idle,
    )
    return page, status


@staff_blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session on the server; without a session, only clear the cookie."""
    secret = request.cookies.get(page_guard.COOKIE, "")
    if secret:
        staff_accounts.sign_out(request_context.work(), secret)
    answer = redirect(url_for("staff.sign_in", why="out"), code=303)
    return page_guard.clear_session_cookie(cast(Response, answer))

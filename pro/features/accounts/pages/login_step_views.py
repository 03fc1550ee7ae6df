"""The steps of the way in after the password: the code of the second factor; and the way in by an invitation."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, CodeExpired, NotFound
from pro.features.accounts import invitations, second_factor, staff_accounts
from pro.features.accounts.invitations import Invitation
from pro.features.accounts.pages import form_recovery, page_guard
from pro.features.accounts.pages.forms import CodeForm, FirstPasswordForm
from pro.features.accounts.pages.page_guard import SignedInStaff, needs
from pro.features.accounts.signatures import Refusal
from pro.features.accounts.staff_accounts import StaffLogin
from pro.web import devices, request_context
from pro.web.notices import notify

pages = Blueprint("steps", __name__)


def device() -> str:
    """phone, tablet or computer: all that is kept of a browser."""
    return devices.device_class(request.user_agent.string)


def onward(entry: StaffLogin) -> ResponseReturnValue:
    """After a step: to the next one, or to where the person wanted to go, with everything that is kept."""
    target = page_guard.own_path(request.args.get("next"))
    step = staff_accounts.pending(request_context.work(), entry)
    kept = bool(form_recovery.fields())
    if step:
        return redirect(url_for(page_guard.STEPS[step], next=target), code=307 if kept else 303)
    if kept:
        return redirect(url_for("staff.kept", next=target), code=307)
    return redirect(page_guard.landing(entry.staff.role, target), code=303)


@pages.get("/code")
@needs("own_account", during="code")
def code(staff: SignedInStaff) -> ResponseReturnValue:
    """Asks for the code. Whoever gave it goes on."""
    if not page_guard.step():
        return onward(page_guard.entry())
    return _code_page(CodeForm(formdata=None))


@pages.post("/code")
@needs("own_account", during="code")
def code_given(staff: SignedInStaff) -> ResponseReturnValue:
    """Check the code of the app, or a recovery code."""
    if not page_guard.step():
        return onward(page_guard.entry())
    if "code" not in request.form:  # posted on from the sign-in, with what is kept
        return _code_page(CodeForm(formdata=None))
    form = CodeForm()
    if not form.validate_on_submit():
        return _code_page(form, status=400)
    found = second_factor.verify(request_context.work(), page_guard.entry(), form.code.data)
    if isinstance(found, Refusal):
        return _code_page(form, refusal=found, status=429 if found.why == "locked" else 401)
    if found.recovery_left is not None:
        notify("recovery_used", count=found.recovery_left)
    return onward(page_guard.entry())


@pages.get("/invitation/<token>")
def invitation(token: str) -> ResponseReturnValue:
    """The page of an invitation. Looking uses nothing up: mail scanners look too."""
    try:
        invited = invitations.opened(request_context.work(), token)
    except (NotFound, CodeExpired) as over:
        return _over(over)
    return _invitation_page(invited, token, FirstPasswordForm(formdata=None))


@pages.post("/invitation/<token>")
def invitation_taken(token: str) -> ResponseReturnValue:
    """Make the account, and go on to whatever a sign-in asks for next."""
    try:
        invited = invitations.opened(request_context.work(), token)
        form = FirstPasswordForm()
        if not form.validate_on_submit():
            return _invitation_page(invited, token, form, 400)
        try:
            made = invitations.accept(request_context.work(), token, form.password.data, device())
        except BadData as bad:
            problems = bad.details["fields"]
            if not isinstance(problems, dict) or set(problems) - {"password"}:
                return _over(bad)  # an account with this address was made meanwhile
            form.refuse(problems)
            return _invitation_page(invited, token, form, 400)
    except (NotFound, CodeExpired) as over:
        return _over(over)
    if made.entry is None or made.secret is None:
        return _over(CodeExpired("used"))
    answer = onward(made.entry)
    return page_guard.let_in(cast(Response, answer), made.secret)


def _code_page(form: CodeForm, refusal: Refusal | None = None, status: int = 200) -> ResponseReturnValue:
    if refusal and refusal.why != "locked":
        form.refuse({"code": f"code_{refusal.why}"})
    until = refusal.until if refusal else None
    target = page_guard.own_path(request.args.get("next"))
    form.code.data = ""
    return render_template("accounts/code.html", form=form, locked_until=until, target=target), status


def _invitation_page(
    invited: Invitation, token: str, form: FirstPasswordForm, status: int = 200
) -> ResponseReturnValue:
    request_context.prefer(invited.language)
    return render_template("accounts/invitation.html", form=form, invited=invited, token=token), status


def _over(why: NotFound | CodeExpired | BadData) -> ResponseReturnValue:
    request_context.undo()
    reason = why.why if isinstance(why, CodeExpired) else "unknown"
    return render_template("accounts/invitation_over.html", reason=reason), 404 if isinstance(why, NotFound) else 410

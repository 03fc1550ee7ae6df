"""The steps of the way in after the password: the code of the second factor; and the way in by an invitation."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, CodeExpired, NotFound
from pro.services import invitations, second_factor, staffing
from pro.services.invitations import Invitation
from pro.services.signing import Refusal
from pro.services.staffing import Entry
from pro.web import guard, screens, site, staff_kept
from pro.web.guard import Person, needs
from pro.web.staff_account_forms import CodeForm, FirstPasswordForm
from pro.web.staff_page import notify

pages = Blueprint("steps", __name__)


def device() -> str:
    """phone, tablet or computer: all that is kept of a browser."""
    return screens.device_class(request.user_agent.string)


def onward(entry: Entry) -> ResponseReturnValue:
    """After a step: to the next one, or to where the person wanted to go, with everything that is kept."""
    target = guard.own_path(request.args.get("next"))
    step = staffing.pending(site.work(), entry)
    kept = bool(staff_kept.fields())
    if step:
        return redirect(url_for(guard.STEPS[step], next=target), code=307 if kept else 303)
    if kept:
        return redirect(url_for("staff.kept", next=target), code=307)
    return redirect(guard.landing(entry.staff.role, target), code=303)


@pages.get("/code")
@needs("own_account", during="code")
def code(staff: Person) -> ResponseReturnValue:
    """Asks for the code. Whoever gave it goes on."""
    if not guard.step():
        return onward(guard.entry())
    return _code_page(CodeForm(formdata=None))


@pages.post("/code")
@needs("own_account", during="code")
def code_given(staff: Person) -> ResponseReturnValue:
    """Check the code of the app, or a recovery code."""
    if not guard.step():
        return onward(guard.entry())
    if "code" not in request.form:  # posted on from the sign-in, with what is kept
        return _code_page(CodeForm(formdata=None))
    form = CodeForm()
    if not form.validate_on_submit():
        return _code_page(form, status=400)
    found = second_factor.verify(site.work(), guard.entry(), form.code.data)
    if isinstance(found, Refusal):
        return _code_page(form, refusal=found, status=429 if found.why == "locked" else 401)
    if found.recovery_left is not None:
        notify("recovery_used", count=found.recovery_left)
    return onward(guard.entry())


@pages.get("/invitation/<token>")
def invitation(token: str) -> ResponseReturnValue:
    """The page of an invitation. Looking uses nothing up: mail scanners look too."""
    try:
        invited = invitations.opened(site.work(), token)
    except (NotFound, CodeExpired) as over:
        return _over(over)
    return _invitation_page(invited, token, FirstPasswordForm(formdata=None))


@pages.post("/invitation/<token>")
def invitation_taken(token: str) -> ResponseReturnValue:
    """Make the account, and go on to whatever a sign-in asks for next."""
    try:
        invited = invitations.opened(site.work(), token)
        form = FirstPasswordForm()
        if not form.validate_on_submit():
            return _invitation_page(invited, token, form, 400)
        try:
            made = invitations.accept(site.work(), token, form.password.data, device())
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
    return guard.let_in(cast(Response, answer), made.secret)


def _code_page(form: CodeForm, refusal: Refusal | None = None, status: int = 200) -> ResponseReturnValue:
    if refusal and refusal.why != "locked":
        form.refuse({"code": f"code_{refusal.why}"})
    until = refusal.until if refusal else None
    target = guard.own_path(request.args.get("next"))
    form.code.data = ""
    return render_template("staff/code.html", form=form, locked_until=until, target=target), status


def _invitation_page(
    invited: Invitation, token: str, form: FirstPasswordForm, status: int = 200
) -> ResponseReturnValue:
    site.prefer(invited.language)
    return render_template("staff/invitation.html", form=form, invited=invited, token=token), status


def _over(why: NotFound | CodeExpired | BadData) -> ResponseReturnValue:
    site.undo()
    reason = why.why if isinstance(why, CodeExpired) else "unknown"
    return render_template("staff/invitation_over.html", reason=reason), 404 if isinstance(why, NotFound) else 410

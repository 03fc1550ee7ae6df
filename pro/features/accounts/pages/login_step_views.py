"""Views beside the password: verification code, accepting an invitation, and setting a forgotten password."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, CodeExpired, NotFound
from pro.features.accounts import invitations, password_resets, second_factor, staff_accounts
from pro.features.accounts.invitations import InvitationDetails
from pro.features.accounts.pages import page_guard, unsaved_text
from pro.features.accounts.pages.forms import CodeForm, FirstPasswordForm, ForgottenForm
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.accounts.staff_accounts import StaffLogin
from pro.web import devices, request_context
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("steps", __name__)


def request_device() -> str:
    """Return "phone", "tablet" or "computer": all that is stored about a browser."""
    return devices.device_class(request.user_agent.string)


def redirect_to_next_step(entry: StaffLogin) -> ResponseReturnValue:
    """Redirect to the next step of the sign-in, else to the page that was asked for.

    Unsaved text goes along (status 307).
    """
    target = page_guard.safe_staff_path(request.args.get("next"))
    step = staff_accounts.pending_step(request_context.work(), entry)
    has_unsaved_text = bool(unsaved_text.unsaved_fields())
    if step:
        return redirect(url_for(page_guard.STEP_ENDPOINTS[step], next=target), code=307 if has_unsaved_text else 303)
    if has_unsaved_text:
        return redirect(url_for("staff.unsaved_text", next=target), code=307)
    return redirect(page_guard.landing_page(entry.staff.role, target), code=303)


@staff_page(
    pages, "/code", endpoint="code", right="own_account", during="code", title=N_("Verification code"), section=""
)
def show_code_form(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the form for the verification code; redirect if the sign-in is complete."""
    if not page_guard.current_step():
        return redirect_to_next_step(page_guard.current_login())
    return _code_page(CodeForm(formdata=None))


@pages.post("/code", endpoint="code_given")
@needs("own_account", during="code")
def check_code(staff: SignedInStaff) -> ResponseReturnValue:
    """Check the verification code from the authenticator app, or a recovery code."""
    if not page_guard.current_step():
        return redirect_to_next_step(page_guard.current_login())
    if "code" not in request.form:  # reposted from the sign-in with unsaved text
        return _code_page(CodeForm(formdata=None))
    form = CodeForm()
    if not form.validate_on_submit():
        return _code_page(form, status=400)
    found = second_factor.verify_code(request_context.work(), page_guard.current_login(), form.code.data)
    if isinstance(found, CredentialRefusal):
        return _code_page(form, refusal=found, status=429 if found.why == "locked" else 401)
    if found.recovery_left is not None:
        notify("recovery_used", count=found.recovery_left)
    return redirect_to_next_step(page_guard.current_login())


@pages.get("/invitation/<token>", endpoint="invitation")
def show_invitation(token: str) -> ResponseReturnValue:
    """Show an invitation. It stays open, because email scanners request the page too."""
    try:
        invited = invitations.read_open_invitation(request_context.work(), token)
    except (NotFound, CodeExpired) as over:
        return _invitation_over_page(over)
    return _invitation_page(invited, token, FirstPasswordForm(formdata=None))


@pages.post("/invitation/<token>", endpoint="invitation_taken")
def accept_invitation(token: str) -> ResponseReturnValue:
    """Create the account and redirect to the next step of the sign-in."""
    try:
        invited = invitations.read_open_invitation(request_context.work(), token)
        form = FirstPasswordForm()
        if not form.validate_on_submit():
            return _invitation_page(invited, token, form, 400)
        try:
            made = invitations.accept_invitation(request_context.work(), token, form.password.data, request_device())
        except BadData as bad:
            problems = bad.details["fields"]
            if not isinstance(problems, dict) or set(problems) - {"password"}:
                return _invitation_over_page(bad)  # an account with this email address was created meanwhile
            form.refuse(problems)
            return _invitation_page(invited, token, form, 400)
    except (NotFound, CodeExpired) as over:
        return _invitation_over_page(over)
    if made.entry is None or made.secret is None:
        return _invitation_over_page(CodeExpired("used"))
    answer = redirect_to_next_step(made.entry)
    return page_guard.set_session_cookie(cast(Response, answer), made.secret)


@pages.get("/forgot-password", endpoint="forgotten")
def show_forgotten() -> ResponseReturnValue:
    """Show the form to ask for a link, or the sentence that follows every request."""
    return render_template(
        "accounts/forgot_password.html",
        form=ForgottenForm(formdata=None),
        sent=request.args.get("sent") == "1",
        locked_until=None,
    )


@pages.post("/forgot-password", endpoint="forgotten_sent")
def request_new_password() -> ResponseReturnValue:
    """Store the request. The answer is the same for every address."""
    form = ForgottenForm()
    if not form.validate_on_submit():
        return render_template("accounts/forgot_password.html", form=form, sent=False, locked_until=None), 400
    work = request_context.work()
    allowed = password_resets.request_reset(work, form.email.data or "", request.remote_addr or "")
    if allowed.until is not None:
        page = render_template("accounts/forgot_password.html", form=form, sent=False, locked_until=allowed.until)
        return page, 429
    return redirect(url_for("staff.steps.forgotten", sent=1), code=303)


@pages.get("/reset/<token>", endpoint="reset")
def show_reset(token: str) -> ResponseReturnValue:
    """Show the form for the new password. The link stays open, because email scanners request the page too."""
    try:
        _row, staff = password_resets.read_open_reset(request_context.work(), token)
    except (NotFound, CodeExpired) as over:
        return _reset_over_page(over)
    return _reset_page(staff, token, FirstPasswordForm(formdata=None))


@pages.post("/reset/<token>", endpoint="reset_done")
def set_new_password(token: str) -> ResponseReturnValue:
    """Set the new password and redirect to the next step of the sign-in."""
    work = request_context.work()
    try:
        _row, staff = password_resets.read_open_reset(work, token)
        form = FirstPasswordForm()
        if not form.validate_on_submit():
            return _reset_page(staff, token, form, 400)
        made = password_resets.set_new_password(
            work, token, form.password.data, request.remote_addr or "", request_device()
        )
    except BadData as bad:
        form.refuse(bad.details["fields"])
        return _reset_page(staff, token, form, 400)
    except (NotFound, CodeExpired) as over:
        return _reset_over_page(over)
    if made.entry is None or made.secret is None:
        return _reset_over_page(CodeExpired("used"))
    notify("password_reset")
    return page_guard.set_session_cookie(cast(Response, redirect_to_next_step(made.entry)), made.secret)


def _code_page(form: CodeForm, refusal: CredentialRefusal | None = None, status: int = 200) -> ResponseReturnValue:
    if refusal and refusal.why != "locked":
        form.refuse({"code": f"code_{refusal.why}"})
    until = refusal.until if refusal else None
    target = page_guard.safe_staff_path(request.args.get("next"))
    form.code.data = ""
    return render_template("accounts/code.html", form=form, locked_until=until, target=target), status


def _invitation_page(
    invited: InvitationDetails, token: str, form: FirstPasswordForm, status: int = 200
) -> ResponseReturnValue:
    request_context.set_language(invited.language)
    return render_template("accounts/invitation.html", form=form, invited=invited, token=token), status


def _invitation_over_page(why: NotFound | CodeExpired | BadData) -> ResponseReturnValue:
    request_context.discard()
    reason = why.why if isinstance(why, CodeExpired) else "unknown"
    return render_template("accounts/invitation_over.html", reason=reason), 404 if isinstance(why, NotFound) else 410


def _reset_page(staff: SignedInStaff, token: str, form: FirstPasswordForm, status: int = 200) -> ResponseReturnValue:
    request_context.set_language(staff.language)
    return render_template("accounts/reset_password.html", form=form, token=token), status


def _reset_over_page(why: NotFound | CodeExpired) -> ResponseReturnValue:
    request_context.discard()
    reason = why.why if isinstance(why, CodeExpired) else "unknown"
    return render_template("accounts/reset_over.html", reason=reason), 404 if isinstance(why, NotFound) else 410

"""Views of the sign-in after the password: verification code, and accepting an invitation."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, CodeExpired, NotFound
from pro.features.accounts import invitations, second_factor, staff_accounts
from pro.features.accounts.invitations import InvitationDetails
from pro.features.accounts.pages import page_guard, unsaved_text
from pro.features.accounts.pages.forms import CodeForm, FirstPasswordForm
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

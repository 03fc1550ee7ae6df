"""Views of the own account: password, second factor, sessions; and the access rights page."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from pro.errors import BadData
from pro.exports import qr_code
from pro.features.accounts import account_admin, second_factor, signatures, staff_accounts
from pro.features.accounts.pages import login_step_views, page_guard
from pro.features.accounts.pages.forms import ConfirmForm, NewFactorForm, PasswordForm
from pro.features.accounts.pages.labels import RIGHTS
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.accounts.second_factor import FactorOffer
from pro.features.accounts.signatures import CredentialRefusal
from pro.web import request_context
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("me", __name__)


@staff_page(pages, "/me", endpoint="show", right="own_account", title=N_("My account"), way_back=N_("my account"))
def show_my_account(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the own account: sessions, recovery codes left, second factor."""
    return _page(staff, ConfirmForm(formdata=None))


@pages.post("/me", endpoint="act")
@needs("own_account")
def act_on_my_account(staff: SignedInStaff) -> ResponseReturnValue:
    """End one session, end all other sessions, or create new recovery codes.

    Raises BadData for any other action.
    """
    work, do, number = request_context.work(), request.form.get("do", ""), request.form.get("session", "")
    if do == "end_others":
        staff_accounts.end_sessions(work, staff.id, except_id=page_guard.current_login().session.id)
        notify("sessions_ended")
    elif do == "end" and number.isascii() and number.isdigit() and len(number) < 10:
        staff_accounts.end_session(work, staff.id, int(number))
        notify("session_ended")
    elif do == "codes":
        return _renew_recovery_codes(staff)
    else:
        raise BadData("unknown_act")
    return redirect(url_for("staff.me.show"), code=303)


@pages.get("/me/here", endpoint="left")
@needs("own_account")
def show_seconds_left(staff: SignedInStaff) -> ResponseReturnValue:
    """Return the seconds left of this session as JSON.

    The idle warning asks with the refresh header, which does not extend the session.
    """
    return {"left": _seconds_left()}


@pages.post("/me/here", endpoint="here")
@needs("own_account")
def extend_session(staff: SignedInStaff) -> ResponseReturnValue:
    """Extend this session, and return the seconds left as JSON."""
    page_guard.current_login().session.seen_at = request_context.work().now
    return {"left": _seconds_left()}


@staff_page(
    pages, "/me/password", endpoint="password", right="own_account", during="password", title=N_("Change the password")
)
def show_password_form(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the form for a new password."""
    return _password_page(PasswordForm(formdata=None))


@pages.post("/me/password")
@needs("own_account", during="password")
def change_password(staff: SignedInStaff) -> ResponseReturnValue:
    """Change the password and end every other session."""
    if "new" not in request.form:  # reposted from the sign-in with unsaved text
        return _password_page(PasswordForm(formdata=None))
    form = PasswordForm()
    if not form.validate_on_submit():
        return _password_page(form, 400)
    is_sign_in_step = page_guard.current_step() == "password"
    try:
        refused = staff_accounts.change_password(
            request_context.work(), page_guard.current_login(), form.old.data, form.new.data
        )
    except BadData as bad:
        form.refuse(bad.details["fields"])
        return _password_page(form, 400)
    if refused:
        form.refuse({"old": f"password_{refused.why}"})
        return _password_page(form, 429 if refused.why == "locked" else 400)
    notify("password_changed")
    if is_sign_in_step:
        return login_step_views.redirect_to_next_step(page_guard.current_login())
    return redirect(url_for("staff.me.show"), code=303)


@staff_page(
    pages,
    "/me/second-factor",
    endpoint="factor",
    right="own_account",
    during="factor",
    title=N_("Set up the second factor"),
)
def show_factor_form(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the QR code for the authenticator app; nothing is saved before its first code."""
    account = page_guard.current_login().staff
    return _factor_page(
        staff, NewFactorForm(formdata=None), second_factor.make_factor_offer(request_context.work(), account)
    )


@pages.post("/me/second-factor")
@needs("own_account", during="factor")
def set_factor(staff: SignedInStaff) -> ResponseReturnValue:
    """Set up the second factor if its first code is right; show the recovery codes once."""
    account = page_guard.current_login().staff
    offered = second_factor.read_factor_offer(request_context.work(), account, request.form.get("sealed", ""))
    if offered is None:  # reposted from the sign-in, or the offer expired
        form = NewFactorForm(formdata=None)
        return _factor_page(
            staff, form, second_factor.make_factor_offer(request_context.work(), account), old="sealed" in request.form
        )
    form = NewFactorForm()
    if not form.validate_on_submit():
        return _factor_page(staff, form, offered, 400)
    if account.otp_sealed is not None:
        confirmed = signatures.confirm_password(request_context.work(), form.password.data or "")
        if isinstance(confirmed, CredentialRefusal):
            form.refuse({"password": f"password_{confirmed.why}"})
            return _factor_page(staff, form, offered, 429 if confirmed.why == "locked" else 400)
    codes = second_factor.set_up_factor(request_context.work(), page_guard.current_login(), offered, form.code.data)
    if isinstance(codes, CredentialRefusal):
        form.refuse({"code": f"code_{codes.why}"})
        return _factor_page(staff, form, offered, 429 if codes.why == "locked" else 400)
    return _codes_page(codes, page_guard.landing_page(staff.role, page_guard.safe_staff_path(request.args.get("next"))))


@staff_page(pages, "/rights", endpoint="rights", right="own_account", title=N_("Roles and access rights"))
def show_rights(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the access rights of every role."""
    return render_template(
        "accounts/rights.html", rights=RIGHTS, roles=list(staff_accounts.RIGHTS), allowed=staff_accounts.RIGHTS
    )


def _renew_recovery_codes(staff: SignedInStaff) -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate_on_submit():
        return _page(staff, form, 400)
    codes = second_factor.renew_recovery_codes(request_context.work(), staff.id, form.password.data)
    if isinstance(codes, CredentialRefusal):
        form.refuse({"password": f"password_{codes.why}"})
        return _page(staff, form, 429 if codes.why == "locked" else 400)
    return _codes_page(codes, url_for("staff.me.show"))


def _page(staff: SignedInStaff, form: ConfirmForm, status: int = 200) -> ResponseReturnValue:
    work = request_context.work()
    account = page_guard.current_login().staff
    page = render_template(
        "accounts/me.html",
        account=account,
        sessions=account_admin.list_sessions(work, staff.id, page_guard.current_login().session.id),
        codes_left=second_factor.count_recovery_codes(work, staff.id),
        required=staff_accounts.is_factor_required(work, staff.role),
        form=form,
    )
    return page, status


def _password_page(form: PasswordForm, status: int = 200) -> ResponseReturnValue:
    target = page_guard.safe_staff_path(request.args.get("next"))
    return render_template(
        "accounts/password.html", form=form, first=page_guard.current_step() == "password", target=target
    ), status


def _factor_page(
    staff: SignedInStaff, form: NewFactorForm, offer: FactorOffer, status: int = 200, *, old: bool = False
) -> ResponseReturnValue:
    account = page_guard.current_login().staff
    form.code.data = ""
    page = render_template(
        "accounts/factor.html",
        form=form,
        offer=offer,
        drawing=Markup(qr_code.qr_code_svg(offer.uri)),  # noqa: S704  drawn by this package; its text contains no markup
        again=account.otp_sealed is not None,
        first=page_guard.current_step() == "factor",
        old=old,
        target=page_guard.safe_staff_path(request.args.get("next")),
    )
    return page, status


def _codes_page(codes: tuple[str, ...], target: str) -> ResponseReturnValue:
    return render_template("accounts/recovery_codes.html", codes=codes, target=target)


def _seconds_left() -> int:
    work = request_context.work()
    return int((staff_accounts.session_ends_at(work, page_guard.current_login().session) - work.now).total_seconds())

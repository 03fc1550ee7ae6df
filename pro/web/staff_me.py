"""One's own account: password, second factor, sessions; and the table of rights, which everybody may read."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from pro.errors import BadData
from pro.exports import qr
from pro.services import people, second_factor, signing, staffing
from pro.services.second_factor import Offer
from pro.services.signing import Refusal
from pro.web import guard, site, staff_steps
from pro.web.guard import Person, needs
from pro.web.staff_account_forms import ConfirmForm, NewFactorForm, PasswordForm
from pro.web.staff_account_words import RIGHTS
from pro.web.staff_page import notify

pages = Blueprint("me", __name__)


@pages.get("/me")
@needs("own_account")
def show(staff: Person) -> ResponseReturnValue:
    """Who is signed in where, and how well the account is guarded."""
    return _page(staff, ConfirmForm(formdata=None))


@pages.post("/me")
@needs("own_account")
def act(staff: Person) -> ResponseReturnValue:
    """End one session, end all others, or make new recovery codes."""
    work, do, number = site.work(), request.form.get("do", ""), request.form.get("session", "")
    if do == "end_others":
        staffing.end_sessions(work, staff.id, but=guard.entry().session.id)
        notify("sessions_ended")
    elif do == "end" and number.isascii() and number.isdigit() and len(number) < 10:
        staffing.end_session(work, staff.id, int(number))
        notify("session_ended")
    elif do == "codes":
        return _fresh_codes(staff)
    else:
        raise BadData("unknown_act")
    return redirect(url_for("staff.me.show"), code=303)


@pages.get("/me/here")
@needs("own_account")
def left(staff: Person) -> ResponseReturnValue:
    """How many seconds this session has left: the warning asks, with the header of a page that refreshes itself."""
    return {"left": _seconds()}


@pages.post("/me/here")
@needs("own_account")
def here(staff: Person) -> ResponseReturnValue:
    """Somebody is still there: the session goes on."""
    guard.entry().session.seen_at = site.work().now
    return {"left": _seconds()}


@pages.get("/me/password")
@needs("own_account", during="password")
def password(staff: Person) -> ResponseReturnValue:
    """Asks for a new password."""
    return _password_page(PasswordForm(formdata=None))


@pages.post("/me/password")
@needs("own_account", during="password")
def change_password(staff: Person) -> ResponseReturnValue:
    """Change the password; every other session ends."""
    if "new" not in request.form:  # posted on from the sign-in, with what is kept
        return _password_page(PasswordForm(formdata=None))
    form = PasswordForm()
    if not form.validate_on_submit():
        return _password_page(form, 400)
    first = guard.step() == "password"
    try:
        refused = staffing.change_password(site.work(), guard.entry(), form.old.data, form.new.data)
    except BadData as bad:
        form.refuse(bad.details["fields"])
        return _password_page(form, 400)
    if refused:
        form.refuse({"old": f"password_{refused.why}"})
        return _password_page(form, 429 if refused.why == "locked" else 400)
    notify("password_changed")
    if first:
        return staff_steps.onward(guard.entry())
    return redirect(url_for("staff.me.show"), code=303)


@pages.get("/me/second-factor")
@needs("own_account", during="factor")
def factor(staff: Person) -> ResponseReturnValue:
    """Shows the QR code for a phone. Nothing is kept until the phone has proven itself."""
    account = guard.entry().staff
    return _factor_page(staff, NewFactorForm(formdata=None), second_factor.offer(site.work(), account))


@pages.post("/me/second-factor")
@needs("own_account", during="factor")
def set_factor(staff: Person) -> ResponseReturnValue:
    """Take the phone if its first code is right, and show the recovery codes, once."""
    account = guard.entry().staff
    offered = second_factor.offered(site.work(), account, request.form.get("sealed", ""))
    if offered is None:  # posted on from the sign-in, or the page lay open for too long
        form = NewFactorForm(formdata=None)
        return _factor_page(staff, form, second_factor.offer(site.work(), account), old="sealed" in request.form)
    form = NewFactorForm()
    if not form.validate_on_submit():
        return _factor_page(staff, form, offered, 400)
    if account.otp_sealed is not None:
        confirmed = signing.confirm(site.work(), form.password.data or "")
        if isinstance(confirmed, Refusal):
            form.refuse({"password": f"password_{confirmed.why}"})
            return _factor_page(staff, form, offered, 429 if confirmed.why == "locked" else 400)
    codes = second_factor.set_up(site.work(), guard.entry(), offered, form.code.data)
    if isinstance(codes, Refusal):
        form.refuse({"code": f"code_{codes.why}"})
        return _factor_page(staff, form, offered, 429 if codes.why == "locked" else 400)
    return _codes_page(codes, guard.landing(staff.role, guard.own_path(request.args.get("next"))))


@pages.get("/rights")
@needs("own_account")
def rights(staff: Person) -> ResponseReturnValue:
    """Which role may do what."""
    return render_template("staff/rights.html", rights=RIGHTS, roles=list(staffing.RIGHTS), allowed=staffing.RIGHTS)


def _fresh_codes(staff: Person) -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate_on_submit():
        return _page(staff, form, 400)
    codes = second_factor.fresh_codes(site.work(), staff.id, form.password.data)
    if isinstance(codes, Refusal):
        form.refuse({"password": f"password_{codes.why}"})
        return _page(staff, form, 429 if codes.why == "locked" else 400)
    return _codes_page(codes, url_for("staff.me.show"))


def _page(staff: Person, form: ConfirmForm, status: int = 200) -> ResponseReturnValue:
    work = site.work()
    account = guard.entry().staff
    page = render_template(
        "staff/me.html",
        account=account,
        sessions=people.sessions(work, staff.id, guard.entry().session.id),
        codes_left=second_factor.codes_left(work, staff.id),
        required=staffing.factor_required(work, staff.role),
        form=form,
    )
    return page, status


def _password_page(form: PasswordForm, status: int = 200) -> ResponseReturnValue:
    target = guard.own_path(request.args.get("next"))
    return render_template("staff/password.html", form=form, first=guard.step() == "password", target=target), status


def _factor_page(
    staff: Person, form: NewFactorForm, offer: Offer, status: int = 200, *, old: bool = False
) -> ResponseReturnValue:
    account = guard.entry().staff
    form.code.data = ""
    page = render_template(
        "staff/factor.html",
        form=form,
        offer=offer,
        drawing=Markup(qr.svg(offer.uri)),  # noqa: S704  drawn by us, from letters that are part of no markup
        again=account.otp_sealed is not None,
        first=guard.step() == "factor",
        old=old,
        target=guard.own_path(request.args.get("next")),
    )
    return page, status


def _codes_page(codes: tuple[str, ...], target: str) -> ResponseReturnValue:
    return render_template("staff/recovery_codes.html", codes=codes, target=target)


def _seconds() -> int:
    work = site.work()
    return int((staffing.ends_at(work, guard.entry().session) - work.now).total_seconds())

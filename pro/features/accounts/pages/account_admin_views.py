"""Views for administrators: accounts, invitations, changes of rights; never participants."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.features.accounts import account_admin, invitations, staff_accounts
from pro.features.accounts.pages.forms import AccountForm, AccountReasonForm, InviteForm, PhoneForm, RoleForm
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.i18n import LANGUAGES
from pro.web import request_context
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("accounts", __name__, url_prefix="/accounts")


@staff_page(
    pages,
    "",
    endpoint="everyone",
    right="manage_staff",
    title=N_("Accounts"),
    menu=100,
    way_back=N_("the list of accounts"),
)
def show_accounts(staff: SignedInStaff) -> ResponseReturnValue:
    """Show every account and the recent invitations."""
    work = request_context.work()
    invited = invitations.recent_invitations(work)
    accounts = account_admin.list_accounts(work)
    return render_template("accounts/accounts.html", accounts=accounts, invited=invited, languages=LANGUAGES)


@pages.post("", endpoint="act")
@needs("manage_staff")
def act_on_invitation(staff: SignedInStaff) -> ResponseReturnValue:
    """Resend or cancel an invitation."""
    number = _parse_number(request.form.get("invitation", ""))
    try:
        if request.form.get("do") == "resend":
            invitations.resend_invitation(request_context.work(), number)
            notify("invited")
        elif request.form.get("do") == "revoke":
            invitations.revoke_invitation(request_context.work(), number)
            notify("invitation_revoked")
        else:
            raise BadData("unknown_act")
    except BadData as bad:
        if bad.why != "invitation_over":
            raise
        notify("invitation_over")
    return redirect(url_for("staff.accounts.everyone"), code=303)


@staff_page(pages, "/new", endpoint="new", right="manage_staff", title=N_("Invite a colleague"))
def new_invitation(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the empty form for an invitation."""
    return render_template("accounts/invite.html", form=InviteForm(formdata=None))


@pages.post("/new")
@needs("manage_staff")
def invite(staff: SignedInStaff) -> ResponseReturnValue:
    """Invite a staff member by email."""
    form = InviteForm()
    chosen = form.validate_on_submit()
    try:
        if chosen:
            given = (form.email.data, form.name.data, form.role.data, form.language.data, form.phone.data)
            invitations.invite_staff(request_context.work(), *(text or "" for text in given))
            notify("invited")
            return redirect(url_for("staff.accounts.everyone"), code=303)
        rest = (form.role.data or "", form.language.data or "", form.phone.data or "")
        form.refuse(
            staff_accounts.account_problems(request_context.work(), form.email.data or "", form.name.data or "", *rest)
        )
    except BadData as bad:
        form.refuse(bad.details["fields"])
    return render_template("accounts/invite.html", form=form), 400


@staff_page(pages, "/changes", endpoint="changes", right="manage_staff", title=N_("Changes to access rights"))
def show_rights_changes(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the latest changes of access rights."""
    return render_template(
        "accounts/account_changes.html", changes=account_admin.list_rights_changes(request_context.work())
    )


@staff_page(pages, "/<int(max=2147483647):staff_id>", endpoint="one", right="manage_staff")
def show_account(staff: SignedInStaff, staff_id: int) -> ResponseReturnValue:
    """Show one account: role, phone, second factor, sessions."""
    return _page(staff_id)


@pages.post("/<int(max=2147483647):staff_id>", endpoint="change")
@needs("manage_staff")
def change_account(staff: SignedInStaff, staff_id: int) -> ResponseReturnValue:
    """Change one account: role, phone, activation, second factor or sessions.

    Raises BadData for an unknown action.
    """
    act = request.form.get("do", "")
    forms: dict[str, type[AccountForm]] = {
        "role": RoleForm,
        "phone": PhoneForm,
        "close": AccountReasonForm,
        "reopen": AccountReasonForm,
        "factor": AccountReasonForm,
        "end": AccountForm,
        "end_all": AccountForm,
    }
    if act not in forms:
        raise BadData("unknown_act")
    account_admin.account_row(request_context.work(), staff_id)
    form = forms[act]()
    try:
        done = _apply_change(staff_id, act, form)
    except BadData as bad:
        if bad.why != "people":
            raise
        form.refuse(bad.details["fields"])
        return _page(staff_id, act, form, 400)
    except NotAllowed as refused:
        if refused.why not in ("own_account", "last_administrator"):
            raise
        notify(refused.why)
    else:
        notify(done)
    return redirect(url_for("staff.accounts.one", staff_id=staff_id), code=303)


def _apply_change(staff_id: int, act: str, form: AccountForm) -> str:
    """Apply the change ``act``; return the key of the notice that reports it."""
    work = request_context.work()
    reason = form.reason.data or "" if isinstance(form, RoleForm | AccountReasonForm) else ""
    if isinstance(form, RoleForm):
        account_admin.change_role(work, staff_id, form.role.data or "", reason)
        return "role_changed"
    if isinstance(form, PhoneForm):
        account_admin.set_phone(work, staff_id, form.phone.data or "")
        return "phone_set"
    if act == "close":
        return "account_closed" if account_admin.deactivate_account(work, staff_id, reason) else "unchanged"
    if act == "reopen":
        return "account_reopened" if account_admin.reactivate_account(work, staff_id, reason) else "unchanged"
    if act == "factor":
        return "factor_reset" if account_admin.reset_factor(work, staff_id, reason) else "unchanged"
    if act == "end":
        done = staff_accounts.end_session(work, staff_id, _parse_number(request.form.get("session", "")))
        return "session_ended" if done else "unchanged"
    staff_accounts.end_sessions(work, staff_id)
    return "sessions_ended"


def _page(staff_id: int, act: str = "", form: AccountForm | None = None, status: int = 200) -> ResponseReturnValue:
    """Render one account. ``form``: the refused form of ``act``; other forms stay unfilled."""
    account, phone = account_admin.account_row(request_context.work(), staff_id)
    forms: dict[str, AccountForm] = {
        "role": RoleForm(formdata=None, role=account.role),
        "phone": PhoneForm(formdata=None, phone=phone),
        "close": AccountReasonForm(formdata=None),
        "reopen": AccountReasonForm(formdata=None),
        "factor": AccountReasonForm(formdata=None),
    }
    if form is not None:
        forms[act] = form
    for name, one in forms.items():
        # Several forms of this page have a field for the reason: give each its own id.
        if isinstance(one, RoleForm | AccountReasonForm):
            one.reason.id = f"{name}-reason"
    sessions = account_admin.list_sessions(request_context.work(), staff_id)
    page = render_template(
        "accounts/account.html", account=account, forms=forms, wrong=form, act=act, sessions=sessions
    )
    return page, status


def _parse_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadData("unknown_act")
    return int(text)

"""Accounts, for administrators: the list, invitations, one account, and what changed. No participant is ever shown."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData, NotAllowed
from pro.services import invitations, people, staffing
from pro.web import site
from pro.web.guard import Person, needs
from pro.web.staff_account_forms import AccountForm, InviteForm, PhoneForm, ReasonForm, RoleForm
from pro.web.staff_page import notify

pages = Blueprint("people", __name__, url_prefix="/people")


@pages.get("")
@needs("manage_staff")
def everyone(staff: Person) -> ResponseReturnValue:
    """Every account and invitation."""
    work = site.work()
    invited = invitations.everyone(work)
    return render_template("staff/people.html", accounts=people.everyone(work), invited=invited)


@pages.post("")
@needs("manage_staff")
def act(staff: Person) -> ResponseReturnValue:
    """Send an invitation again, or take it back."""
    number = _number(request.form.get("invitation", ""))
    try:
        if request.form.get("do") == "resend":
            invitations.resend(site.work(), number)
            notify("invited")
        elif request.form.get("do") == "revoke":
            invitations.revoke(site.work(), number)
            notify("invitation_revoked")
        else:
            raise BadData("unknown_act")
    except BadData as bad:
        if bad.why != "invitation_over":
            raise
        notify("invitation_over")
    return redirect(url_for("staff.people.everyone"), code=303)


@pages.get("/new")
@needs("manage_staff")
def new(staff: Person) -> ResponseReturnValue:
    """Asks whom to invite."""
    return render_template("staff/invite.html", form=InviteForm(formdata=None))


@pages.post("/new")
@needs("manage_staff")
def invite(staff: Person) -> ResponseReturnValue:
    """Invite somebody by mail."""
    form = InviteForm()
    chosen = form.validate_on_submit()
    try:
        if chosen:
            given = (form.email.data, form.name.data, form.role.data, form.language.data, form.phone.data)
            invitations.invite(site.work(), *(text or "" for text in given))
            notify("invited")
            return redirect(url_for("staff.people.everyone"), code=303)
        rest = (form.role.data or "", form.language.data or "", form.phone.data or "")
        form.refuse(staffing.wrong_fields(site.work(), form.email.data or "", form.name.data or "", *rest))
    except BadData as bad:
        form.refuse(bad.details["fields"])
    return render_template("staff/invite.html", form=form), 400


@pages.get("/changes")
@needs("manage_staff")
def changes(staff: Person) -> ResponseReturnValue:
    """The last changes of rights."""
    return render_template("staff/people_changes.html", changes=people.changes(site.work()))


@pages.get("/<int(max=2147483647):staff_id>")
@needs("manage_staff")
def one(staff: Person, staff_id: int) -> ResponseReturnValue:
    """One account: role, phone, second factor, sessions."""
    return _page(staff_id)


@pages.post("/<int(max=2147483647):staff_id>")
@needs("manage_staff")
def change(staff: Person, staff_id: int) -> ResponseReturnValue:
    """Change one account."""
    act = request.form.get("do", "")
    forms: dict[str, type[AccountForm]] = {
        "role": RoleForm,
        "phone": PhoneForm,
        "close": ReasonForm,
        "reopen": ReasonForm,
        "factor": ReasonForm,
        "end": AccountForm,
        "end_all": AccountForm,
    }
    if act not in forms:
        raise BadData("unknown_act")
    people.one(site.work(), staff_id)
    form = forms[act]()
    try:
        done = _change(staff_id, act, form)
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
    return redirect(url_for("staff.people.one", staff_id=staff_id), code=303)


def _change(staff_id: int, act: str, form: AccountForm) -> str:
    """Do ``act``; the sentence that says so, or that there was nothing to do."""
    work = site.work()
    reason = form.reason.data or "" if isinstance(form, RoleForm | ReasonForm) else ""
    if isinstance(form, RoleForm):
        people.change_role(work, staff_id, form.role.data or "", reason)
        return "role_changed"
    if isinstance(form, PhoneForm):
        people.set_phone(work, staff_id, form.phone.data or "")
        return "phone_set"
    if act == "close":
        return "account_closed" if people.close(work, staff_id, reason) else "unchanged"
    if act == "reopen":
        return "account_reopened" if people.reopen(work, staff_id, reason) else "unchanged"
    if act == "factor":
        return "factor_reset" if people.reset_factor(work, staff_id, reason) else "unchanged"
    if act == "end":
        done = staffing.end_session(work, staff_id, _number(request.form.get("session", "")))
        return "session_ended" if done else "unchanged"
    staffing.end_sessions(work, staff_id)
    return "sessions_ended"


def _page(staff_id: int, act: str = "", form: AccountForm | None = None, status: int = 200) -> ResponseReturnValue:
    """One account. ``form``: what was refused under ``act``; the other forms of the page are empty."""
    account, phone = people.one(site.work(), staff_id)
    forms: dict[str, AccountForm] = {
        "role": RoleForm(formdata=None, role=account.role),
        "phone": PhoneForm(formdata=None, phone=phone),
        "close": ReasonForm(formdata=None),
        "reopen": ReasonForm(formdata=None),
        "factor": ReasonForm(formdata=None),
    }
    if form is not None:
        forms[act] = form
    for name, one in forms.items():
        # Several forms of this page ask for a reason; each label belongs to its own field.
        if isinstance(one, RoleForm | ReasonForm):
            one.reason.id = f"{name}-reason"
    sessions = people.sessions(site.work(), staff_id)
    page = render_template("staff/person.html", account=account, forms=forms, wrong=form, act=act, sessions=sessions)
    return page, status


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadData("unknown_act")
    return int(text)

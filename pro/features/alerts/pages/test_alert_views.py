"""The staff page of one weekly synthetic alert: whom it told, and the button that says that it arrived."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.alerts import test_alerts
from pro.web import request_context
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("drills", __name__, url_prefix="/drills")


@staff_page(
    pages,
    "/<int(max=2147483647):test_alert_id>",
    endpoint="one",
    right="see_drill",
    title=N_("Weekly test alert"),
    section="board",
    way_back=N_("the weekly test alert"),
)
def show_test_alert(staff: SignedInStaff, test_alert_id: int) -> ResponseReturnValue:
    """One drill with everybody whom it told."""
    return render_template(
        "alerts/weekly_test_alert.html",
        page=test_alerts.weekly_test_alert_page(request_context.work(), test_alert_id, request_context.language()),
    )


@pages.post("/<int(max=2147483647):test_alert_id>", endpoint="confirm")
@needs("see_drill")
def confirm_test_alert(staff: SignedInStaff, test_alert_id: int) -> ResponseReturnValue:
    """It arrived. Whether this person may say so depends on whom it told."""
    try:
        new = test_alerts.confirm_test_alert(request_context.work(), test_alert_id)
    except BadData:
        notify("drill_told_nobody")
        return redirect(url_for("staff.drills.one", test_alert_id=test_alert_id), code=303)
    notify("drill_confirmed" if new else "drill_confirmed_before")
    return redirect(url_for("staff.drills.one", test_alert_id=test_alert_id), code=303)

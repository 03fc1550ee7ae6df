"""The staff page of a weekly test alert: staff notified, and the button that confirms its receipt."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.alerts import test_alerts
from pro.web import request_context
from pro.web.notices import notify
from pro.web.refusals import N_

pages = Blueprint("test_alerts", __name__, url_prefix="/test-alerts")


@staff_page(
    pages,
    "/<int(max=2147483647):test_alert_id>",
    endpoint="one",
    right="see_test_alert",
    title=N_("Weekly test alert"),
    section="to_do_list",
    way_back=N_("the weekly test alert"),
)
def show_test_alert(staff: SignedInStaff, test_alert_id: int) -> ResponseReturnValue:
    """Show a test alert with its messages to staff."""
    return render_template(
        "alerts/weekly_test_alert.html",
        page=test_alerts.weekly_test_alert_page(request_context.work(), test_alert_id, request_context.language()),
    )


@pages.post("/<int(max=2147483647):test_alert_id>", endpoint="confirm")
@needs("see_test_alert")
def confirm_test_alert(staff: SignedInStaff, test_alert_id: int) -> ResponseReturnValue:
    """Confirm the receipt. Whether the acting person may depends on the staff notified."""
    try:
        new = test_alerts.confirm_test_alert(request_context.work(), test_alert_id)
    except BadData:
        notify("test_alert_told_nobody")
        return redirect(url_for("staff.test_alerts.one", test_alert_id=test_alert_id), code=303)
    notify("test_alert_confirmed" if new else "test_alert_confirmed_before")
    return redirect(url_for("staff.test_alerts.one", test_alert_id=test_alert_id), code=303)

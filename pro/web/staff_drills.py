"""The staff page of one weekly synthetic alert: whom it told, and the button that says that it arrived."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from pro.errors import BadData
from pro.services import drills
from pro.web import site
from pro.web.guard import Person, needs
from pro.web.staff_page import notify

pages = Blueprint("drills", __name__, url_prefix="/drills")


@pages.get("/<int(max=2147483647):drill_id>")
@needs("see_drill")
def one(staff: Person, drill_id: int) -> ResponseReturnValue:
    """One drill with everybody whom it told."""
    return render_template("staff/drill.html", page=drills.page(site.work(), drill_id, site.language()))


@pages.post("/<int(max=2147483647):drill_id>")
@needs("see_drill")
def confirm(staff: Person, drill_id: int) -> ResponseReturnValue:
    """It arrived. Whether this person may say so depends on whom it told."""
    try:
        new = drills.confirm(site.work(), drill_id)
    except BadData:
        notify("drill_told_nobody")
        return redirect(url_for("staff.drills.one", drill_id=drill_id), code=303)
    notify("drill_confirmed" if new else "drill_confirmed_before")
    return redirect(url_for("staff.drills.one", drill_id=drill_id), code=303)

"""Drive the staff pages without JavaScript: sign in, open pages, press buttons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from pro.app_context import AppContext
from pro.db import transaction
from pro.models import Alert
from tests.support import factories
from tests.support.factories import Account, FormLinks


@dataclass
class StaffBrowser:
    """One browser. ``page`` is the last page shown."""

    app: Flask
    page: str = ""
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        """Create a test client with its own cookies."""
        self.client = self.app.test_client()

    def open(self, path: str, **headers: str) -> TestResponse:
        """GET ``path``; a file leaves ``page`` unchanged."""
        answer = self.client.get(path, headers=headers)
        if (answer.mimetype or "").startswith("text/"):
            self.page = unescape(answer.get_data(as_text=True))
        return answer

    def post(self, path: str, **data: object) -> TestResponse:
        """POST ``data`` with the CSRF token of the last page that had one."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        if found is None:
            self.open("/staff/sign-in")
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        assert found is not None
        answer = self.client.post(path, data={"csrf_token": found[1], **data})
        self.page = unescape(answer.get_data(as_text=True))
        return answer

    def press(self, **typed: object) -> TestResponse:
        """Submit the first form of the page's main part with its hidden fields and ``typed``."""
        main = self.page.partition("<main")[2]
        form = re.search(r'<form[^>]*action="([^"]+)".*?</form>', main, re.DOTALL)
        assert form is not None, "no form on this page"
        data: dict[str, Any] = {}
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)"[^>]* value="([^"]*)"', form[0]):
            data.setdefault(name, []).append(value)
        answer = self.client.post(form[1], data={**data, **typed})
        self.page = unescape(answer.get_data(as_text=True))
        return answer

    def sign_in(self, person: Account, password: str = "", path: str = "/staff/sign-in") -> TestResponse:
        """Type email and password and press the button."""
        self.open(path)
        return self.post(path, email=person.email, password=password or person.password)


def signed_in_browser(app: Flask, person: Account) -> StaffBrowser:
    """Return a browser in which ``person`` is signed in."""
    desk = StaffBrowser(app)
    assert desk.sign_in(person).status_code == 303
    return desk


def report_bleeding(app_context: AppContext, way: FormLinks, **more: int | str | tuple[str, ...] | None) -> list[int]:
    """Report heavy bleeding as the participant; return the alert ids, highest level first."""
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        given: dict[str, Any] = {"bleed": 3, "bleed_now": 1, **more}
        factories.save_answers(work, factories.open_form_session(work, way), **given)
    with transaction(app_context.engine) as session:
        query = select(Alert).where(Alert.assessment_id == way.assessment_id).order_by(Alert.level.desc(), Alert.id)
        return [alert.id for alert in session.scalars(query)]

"""Drive the pages as a participant without JavaScript: open the link, press Start, answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from pro.app_context import AppContext
from pro.db import Base, transaction
from pro.models import Answer
from tests.support.factories import FormLinks

Rows = dict[str, list[Any]]


@dataclass
class ParticipantBrowser:
    """One browser. ``page``: the last page shown; ``at``: the last address requested."""

    app: Flask
    page: str = ""
    at: str = "/"
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        """Create a test client with its own cookies."""
        self.client = self.app.test_client()

    def open(self, path: str, **headers: str) -> TestResponse:
        """GET ``path``, following redirects as a browser does."""
        answer = self.client.get(path, headers=headers)
        while answer.status_code == 303:
            path = answer.headers["Location"]
            answer = self.client.get(path, headers=headers)
        self.at, self.page = path, unescape(answer.get_data(as_text=True))
        return answer

    def post(self, path: str, headers: Mapping[str, str] | None = None, **data: Any) -> TestResponse:
        """POST ``data`` with a CSRF token, without following redirects."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        if found is None:
            self.open("/")
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.page)
        assert found is not None
        answer = self.client.post(path, data={"csrf_token": found[1], **data}, headers=dict(headers or {}))
        if answer.status_code != 303:
            self.page = unescape(answer.get_data(as_text=True))
        return answer

    def press(self, headers: Mapping[str, str] | None = None, **data: Any) -> TestResponse:
        """Submit the form of the current page and follow the redirect."""
        hidden = dict(
            re.findall(r'<input type="hidden" name="(page|from|code|seen|form|advice)" value="([^"]*)"', self.page)
        )
        action = re.search(r'<form[^>]*action="([^"]+)"', self.page)
        assert action is not None, self.page
        answer = self.post(action[1], headers, **hidden, **data)
        if answer.status_code == 303:
            self.open(answer.headers["Location"])
        return answer

    def start(self, way: FormLinks, by: str = "self") -> None:
        """Open the link and press Start."""
        self.open(way.path)
        assert self.press(by=by).status_code == 303

    def tap(self, *codes: object) -> None:
        """Answer one question after the other with these codes."""
        for code in codes:
            answer = self.press(value=code)
            assert answer.status_code == 303, answer.status_code

    @property
    def shown(self) -> str:
        """Return the id of the current page of questions; empty on any other page."""
        found = re.search(r'name="page" value="(\w+)"', self.page)
        return found[1] if found else ""

    @property
    def heading(self) -> str:
        """Return the text of the first heading."""
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.page, re.DOTALL)
        return re.sub(r"<svg.*?</svg>|<[^>]+>", "", found[1], flags=re.DOTALL).strip() if found else ""


def answer_until_list(phone: ParticipantBrowser, **other: int) -> None:
    """Answer every question before the list page with 0, or as ``other`` says."""
    while phone.shown != "other7":
        phone.tap(other.get(phone.shown, 0))


def all_rows(app_context: AppContext) -> Rows:
    """Return all rows of all tables."""
    with transaction(app_context.engine) as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
            for table in Base.metadata.sorted_tables
        }


def stored_answers(app_context: AppContext, way: FormLinks) -> dict[str, Any]:
    """Return item -> its current value (None = skipped), without withdrawn answers."""
    with transaction(app_context.engine) as session:
        rows = session.scalars(select(Answer).where(Answer.assessment_id == way.assessment_id).order_by(Answer.id))
        newest = {row.item: row for row in rows}
    return {item: row.value for item, row in newest.items() if row.state != "withdrawn"}

"""A participant who fills in forms over HTTP.

With script a screen takes one request, without script two.
"""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from pro.app_context import SYSTEM
from pro.db import transaction
from tests.support import factories
from tests.support.live_system import Site

HIDDEN = re.compile(r'name="(csrf_token|page|from)" value="([^"]*)"')
ACTION = re.compile(r'<form[^>]*action="([^"]+)"[^>]*id="answer"')
CHOICE = re.compile(r'name="value" value="(\d+)"')
FIELD = re.compile(r'<(?:input|textarea) class="field" id="f-(\w+)"')


@dataclass
class Walker:
    """One browser on one form. ``answers``: page -> code to choose; else the first option."""

    site: str
    path: str
    fetch: bool = True
    answers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    html: str = ""
    submitted: bool = False

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(self.site).netloc, timeout=30)

    def start(self) -> None:
        """Open the link and start the form; ``html`` is then the first question."""
        self._ask("GET", self.path)
        self._post(self.path, {"by": "self", **dict(HIDDEN.findall(self.html))}, follow=True)

    def step(self) -> float:
        """Answer the present screen; return the seconds until the next screen is complete."""
        action, data = self._answer()
        began = time.perf_counter()
        self._post(action, data, follow=not self.fetch)
        took = time.perf_counter() - began
        self.submitted = data.get("do") == "send"
        return took

    def _answer(self) -> tuple[str, dict[str, str]]:
        found = ACTION.search(self.html)
        if found is None:
            raise RuntimeError(f"no form on this page: {self.html[:500]}")
        data = dict(HIDDEN.findall(self.html))
        choices = CHOICE.findall(self.html)
        if choices:
            wanted = self.answers.get(data["page"], choices[0])
            return found[1], data | {"value": wanted if wanted in choices else choices[0]}
        for act in ("understood", "send", "none", "next"):
            if re.search(f'<button class="(?:btn|btn alt|quiet)[^"]*" name="do" value="{act}"', self.html):
                return found[1], data | {"do": act} | dict.fromkeys(FIELD.findall(self.html), "")
        raise RuntimeError(f"nothing to press on this page: {self.html[:500]}")

    def _post(self, path: str, data: dict[str, str], follow: bool) -> None:
        status, location = self._ask("POST", path, urlencode(data))
        if status == 303 and follow:
            self._ask("GET", location)
        elif status != 200:
            raise RuntimeError(f"POST {path.split('/')[1]}: {status} {self.html[:300]}")

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            if self.fetch and "/f/" in path:
                headers["X-Fetch"] = "1"
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        self.html = response.read().decode()
        for name, value in response.getheaders():
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return response.status, response.headers.get("Location", "")


def make_form_links(site: Site, count: int, prefix: str, instrument: str = "npc_checkin") -> dict[str, str]:
    """Enrol ``count`` participants without phone.

    Returns participant number -> path of the link to a form of ``instrument``.
    """
    found = {}
    for number in range(count):
        with transaction(site.app_context.engine) as session:
            work = site.app_context.unit_of_work(session, SYSTEM)
            person = factories.participant(work, f"{prefix}-{number:04}", phone="")
            found[person.participant_number] = factories.form(work, person, instrument).path
    return found


def add_staff_on_duty(site: Site) -> None:
    """Make a nurse on duty and an investigator, who receive alerts."""
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session, SYSTEM)
        factories.duty(work, factories.account(work, "nurse", language="zh_Hans"))
        factories.account(work, "investigator")

"""Send requests with nasty values to every route: numbers, dates and texts that no person types on purpose."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD

HUGE = str(10**30)
NUMBERS = ("0", "-1", "2147483647", "2147483648", "9223372036854775808", HUGE, "1e9", "٣", "１")
DATES = ("0001-01-01", "9999-12-31", "0000-00-00", "2026-02-30", "0205-03-04", "12026-01-01", "9999-12-31T23:59")
TIMES = ("0001-01-01T00:00", "9999-12-31T23:59", "24:00", "00:00", "99:99")
TEXTS = (
    "",
    "\0",
    "a\0b",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "﷽" * 9000,
    "'\"<%s>{{7*7}}",
    "\u202e\ufeff",
    "..%2f..",
    "None",
    "[]",
    "nan",
)
PLAUSIBLE = ("2026-03-04", "2026-03-03", "09:00", "2026-03-03T09:00", "some words", "+8613800138001", "1", "3", "yes")
NASTY = (*NUMBERS, *DATES, *TIMES, *TEXTS)
# Addresses are bytes: what is not UTF-8 can arrive too.
ADDRESS_PARTS = (*map(quote, ("\0", "a\0b", "x" * 3000, "..", "é", "﷽", HUGE)), "%ff%fe", "%c0%80", "%00")
ARGUMENTS = (
    "at", "before", "day", "find", "form", "from", "go", "item", "kind", "lang", "level", "mode", "month", "next",
    "number", "on", "owner", "page", "participant", "plan", "show", "since", "study", "to", "until", "who", "whose",
    "why",
)  # fmt: skip
# What ends the session or the account that the test uses.
LEFT_OUT = {"/staff/sign-out"}


@dataclass
class PageForm:
    """One form of a page: ``action`` and what its fields hold; a choice has several values."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class FormReader(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        """Start without forms."""
        super().__init__()
        self.forms: list[PageForm] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and their fields."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(PageForm(found.get("action", ""), found.get("method", "get").lower()))
        if not self.forms:
            return
        fields = self.forms[-1].fields
        if tag in ("input", "textarea", "button") and found.get("name"):
            fields.setdefault(found["name"], []).append(found.get("value", ""))
        if tag == "select" and found.get("name"):
            self._select = found["name"]
            fields.setdefault(self._select, [])
        if tag == "option" and self._select:
            fields.setdefault(self._select, []).append(found.get("value", ""))


def read_forms(page: str) -> list[PageForm]:
    """Return the forms of ``page`` that are posted."""
    reader = FormReader()
    reader.feed(page)
    return [form for form in reader.forms if form.method == "post" and form.action not in LEFT_OUT]


def rules(app: Flask, method: str) -> list[str]:
    """Return every rule that answers to ``method``."""
    return sorted({rule.rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())} - LEFT_OUT)


def addresses(rule: str, known: Mapping[str, str], chance: random.Random) -> Iterator[str]:
    """Yield ``rule`` with known values, then with a nasty value in each place."""
    gaps = re.findall(r"<(?:[^<>:]+:)?(\w+)>", rule)

    def filled(values: Mapping[str, str]) -> str:
        return re.sub(r"<(?:[^<>:]+:)?(\w+)>", lambda found: values.get(found[1], "1"), rule)

    yield filled(known)
    for gap in gaps:
        yield filled({**known, gap: chance.choice(NUMBERS[:-2])})
        yield filled({**known, gap: chance.choice(ADDRESS_PARTS)})


def question(chance: random.Random) -> str:
    """Return a query string with nasty values."""
    return urlencode({name: chance.choice(NASTY) for name in chance.sample(ARGUMENTS, 4)}, errors="surrogatepass")


def typed(form: PageForm, chance: random.Random) -> dict[str, str]:
    """Return what a person might post with ``form``: plausible values, and nasty ones in a few fields."""
    data = {name: chance.choice(values) if values else "" for name, values in form.fields.items()}
    names = sorted(set(data) - {"csrf_token"})
    for name in names:
        if name.endswith("password"):
            data[name] = PASSWORD
        elif not data[name] and chance.random() < 0.8:
            data[name] = chance.choice((*PLAUSIBLE, *DATES))
    for name in chance.sample(names, min(chance.choice((0, 1, 1, 2, 9)), len(names))):
        data[name] = chance.choice(NASTY)
    return data


@dataclass
class Fuzzer:
    """Requests of one browser. ``broken``: what was answered with 500, and by which request."""

    app: Flask
    client: FlaskClient
    known: Mapping[str, str]
    chance: random.Random
    # Only one of so many addresses, drawn by chance.
    one_of: int = 1
    broken: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def check(self, what: str, answer: TestResponse) -> TestResponse:
        """Note ``answer`` if it is a failure of the program."""
        self.statuses.add(answer.status_code)
        if answer.status_code >= 500 and answer.status_code != 503:
            self.broken.append(f"{answer.status_code} {what}")
        return answer

    def get_all(self) -> list[PageForm]:
        """GET every route plainly, with nasty parts and with nasty arguments; return the forms of the pages."""
        forms: list[PageForm] = []
        for rule in rules(self.app, "GET"):
            if self.chance.randrange(self.one_of):
                continue
            for number, address in enumerate(addresses(rule, self.known, self.chance)):
                answer = self.check(f"GET {address}", self.client.get(address))
                if number == 0:
                    if (answer.mimetype or "") == "text/html":
                        forms += read_forms(answer.get_data(as_text=True))
                    asked = question(self.chance)
                    self.check(f"GET {address}?{asked}", self.client.get(f"{address}?{asked}"))
        return forms

    def post_all(self, forms: list[PageForm], times: int) -> None:
        """POST every form ``times`` times, and every route with fields that it does not know."""
        for form in forms:
            for _time in range(times):
                if not form.action:
                    continue
                data = typed(form, self.chance)
                self.check(f"POST {form.action} {str(data)[:600]}", self.client.post(form.action, data=data))
        token = next((form.fields["csrf_token"][0] for form in forms if "csrf_token" in form.fields), "")
        for rule in rules(self.app, "POST"):
            if self.chance.randrange(self.one_of):
                continue
            for address in addresses(rule, self.known, self.chance):
                data = {name: self.chance.choice(NASTY) for name in ("do", "value", "text", "number", "kind", "on")}
                answer = self.client.post(address, data={"csrf_token": token, **data})
                self.check(f"POST {address} {data}", answer)

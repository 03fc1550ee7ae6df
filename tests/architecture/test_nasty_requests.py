"""Every route answers nasty numbers, dates and texts with a page, whoever asks, on both engines.

More of it: NASTY_ROUNDS=200 pytest tests/architecture/test_nasty_requests.py
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from pro import db
from pro.app_context import AppContext
from pro.catalogue import Catalogue
from pro.config import Config
from pro.i18n import Catalogs
from pro.models import ROLES
from tests.support import nasty_requests
from tests.support.factories import PLAN, Clock, Study, make_app_context, study
from tests.support.full_study_fixture import build_full_study
from tests.support.nasty_requests import Fuzzer
from tests.support.participant_browser import ParticipantBrowser
from tests.support.postgres_server import Server
from tests.support.staff_browser import signed_in_browser

# One of so many addresses in a normal run, all of them in a long one; the chance is the same every time.
ONE_OF = 1 if "NASTY_ROUNDS" in os.environ else 8
ROUNDS = int(os.environ.get("NASTY_ROUNDS", "1"))
SEED = int(os.environ.get("NASTY_SEED", "11"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lived_in(
    request: pytest.FixtureRequest,
    sqlite_template: Path,
    catalogue: Catalogue,
    catalogs: Catalogs,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Flask, Study, dict[str, str]]]:
    """Yield the full study on each engine, and a value for each part of an address."""
    folder = tmp_path_factory.mktemp("nasty")
    server: Server | None = None
    if request.param == "sqlite":
        path = folder / "pro.sqlite3"
        path.write_bytes(sqlite_template.read_bytes())
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgresql")
        url = server.new()
    clock = Clock()
    config = Config(database_url=url, var_dir=folder, sms_two_way=True)
    app_context: AppContext = make_app_context(db.make_engine(url), catalogue, catalogs, config, clock)
    made = study(app_context)
    lived = build_full_study(app_context, made, clock)
    known = {name: str(number) for name, number in lived.ids.items()} | {
        "token": made.chinese.qlq.token,
        "ref": made.chinese.qlq.ref,
        "instrument": "npc_checkin",
        "plan": PLAN,
        "key": "k" * 32,
        "message_id": "1",
    }
    app = create_app(config, clock)
    app.testing = True
    yield app, made, known
    app.extensions["app_context"].engine.dispose()
    app_context.engine.dispose()
    if server is not None:
        server.drop(url)


@pytest.mark.parametrize("role", ROLES)
def test_no_route_breaks_for_staff(lived_in: tuple[Flask, Study, dict[str, str]], role: str) -> None:
    app, made, known = lived_in
    for number in range(ROUNDS):
        browser = signed_in_browser(app, made.staff[role])
        fuzzer = Fuzzer(app, browser.client, known, random.Random(f"{SEED}{role}{number}"), one_of=ONE_OF)
        forms = fuzzer.get_all()
        fuzzer.post_all(forms, 2)
        assert fuzzer.broken == []
        assert {200, 404} <= fuzzer.statuses


@pytest.mark.parametrize("day", [*nasty_requests.DATES, "2147483648", nasty_requests.HUGE, "\0"])
def test_the_audit_trail_takes_any_filter(lived_in: tuple[Flask, Study, dict[str, str]], day: str) -> None:
    """Found: year 1 and 9999 overflowed, and PostgreSQL refused a large id."""
    app, made, _known = lived_in
    client = signed_in_browser(app, made.staff["investigator"]).client
    for name in ("since", "until", "before", "who", "participant", "form", "kind"):
        assert client.get("/staff/audit", query_string={name: day}).status_code < 500, (name, day)


def test_a_nul_in_an_address_is_not_found(lived_in: tuple[Flask, Study, dict[str, str]]) -> None:
    """Found: PostgreSQL refuses NUL in text, and the page was 500."""
    app, _made, _known = lived_in
    client = app.test_client()
    for address in ("/f/a%00b", "/f/%00", "/f/x/%00", "/f/x/99999999999999999999999", "/a/%00", "/c/%00", "/staff/%00"):
        answer = client.get(address)
        assert answer.status_code in (403, 404), address
        assert "<h1" in answer.get_data(as_text=True)


def test_no_route_breaks_for_participants(lived_in: tuple[Flask, Study, dict[str, str]]) -> None:
    app, made, known = lived_in
    for number in range(ROUNDS):
        phone = ParticipantBrowser(app)
        phone.open(made.chinese.qlq.path)
        phone.press(by="self")
        fuzzer = Fuzzer(app, phone.client, known, random.Random(f"{SEED}participant{number}"))
        fuzzer.post_all(fuzzer.get_all(), 3)
        assert fuzzer.broken == []
        assert {200, 404} <= fuzzer.statuses


def test_no_route_breaks_for_strangers(lived_in: tuple[Flask, Study, dict[str, str]]) -> None:
    app, _made, known = lived_in
    fuzzer = Fuzzer(app, app.test_client(), known, random.Random(f"{SEED}stranger"))
    fuzzer.post_all(fuzzer.get_all(), 3)
    assert fuzzer.broken == []
    assert nasty_requests.NASTY

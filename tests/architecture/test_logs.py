"""A log may be read by anybody who runs a server: no token, no phone, no answer and no name ever stands in one."""

from __future__ import annotations

import logging
import re
import runpy
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from pro.app_context import AppContext
from pro.db import transaction
from pro.features.forms import form_issuing
from pro.features.operations import worker_steps
from pro.messaging.providers import provider_choice
from pro.models import Participant
from tests.architecture.test_routes import csrf
from tests.support.factories import Study

ROOT = Path(__file__).parent.parent.parent
TYPED = "MY-SECRET-WORDS"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, however unimportant."""
    caplog.set_level(logging.DEBUG)
    return caplog


def secrets_of(study: Study, client: FlaskClient) -> list[str]:
    """What must not be read anywhere."""
    way = study.chinese.checkin
    cookie = client.get_cookie(f"f_{way.ref}", path=f"/f/{way.ref}")
    found = [
        way.token,
        way.ref,
        way.code,
        way.code.replace("-", ""),
        TYPED,
        study.chinese.phone,
        study.chinese.phone[3:],
    ]
    found += [person.email for person in study.staff.values()] + [study.staff["nurse"].password]
    return found + ([cookie.value] if cookie else [])


def walk(client: FlaskClient, study: Study) -> None:
    """Open, start, answer the first question with blood, read the advice, try bad input, try a code and a password."""
    way = study.chinese.checkin
    client.get(way.path)
    client.post(way.path, data=csrf(client, way.path) | {"by": "self"})
    page = f"/f/{way.ref}/1"
    client.post(page, data=csrf(client) | {"page": "bleed", "value": "4"})
    client.post(page, data=csrf(client) | {"do": "understood"})
    client.post(page, data=csrf(client) | {"page": "bleed", "value": TYPED})
    client.post("/", data=csrf(client) | {"code": TYPED})
    client.post("/", data=csrf(client) | {"code": way.code})
    person = study.staff["nurse"]
    client.post("/staff/sign-in", data=csrf(client) | {"email": person.email, "password": TYPED})
    client.post("/staff/sign-in", data=csrf(client) | {"email": person.email, "password": person.password})
    client.get("/staff/")


def test_pages_log_no_secret(
    client: FlaskClient,
    seeded: Study,
    app_context: AppContext,
    log: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    walk(client, seeded)
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        form_issuing.send_form(work, session.get_one(Participant, seeded.chinese.id), "npc_checkin", by="link")
    assert worker_steps.run_jobs(app_context, provider_choice.choose_senders(app_context.config), "test:1") > 0
    written = log.text + "".join(capfd.readouterr())
    assert log.records
    assert [secret for secret in secrets_of(seeded, client) if secret in written] == []


def test_a_page_that_breaks_logs_no_secret(
    client: FlaskClient,
    seeded: Study,
    app_context: AppContext,
    log: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    way = seeded.chinese.checkin
    client.application.testing = False
    client.post(way.path, data=csrf(client, way.path) | {"by": "self"})
    token = csrf(client)
    with transaction(app_context.engine) as session:
        refuse = "BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        session.execute(text(f"CREATE TRIGGER broken BEFORE INSERT ON answer {refuse}"))
    data = token | {"page": "bleed", "value": "4"}
    assert client.post(f"/f/{way.ref}/1", data=data).status_code == 500
    written = log.text + "".join(capfd.readouterr())
    assert "broken on purpose" in written, "the reason must be there for whoever mends it"
    assert "parameters: (" not in written, "what was to be stored is an answer: hide_parameters"
    assert "parameters: {" not in written
    assert [secret for secret in secrets_of(seeded, client) if secret in written] == []


def test_gunicorn_logs_no_token() -> None:
    settings = runpy.run_path(str(ROOT / "deploy" / "gunicorn.conf.py"))
    assert settings["accesslog"] is None
    redact = settings["redact"]
    assert redact("Error handling request /a/abc-DEF_1?lang=en") == "Error handling request /a/-"
    assert redact("GET /f/abc/12 failed") == "GET /f/- failed"
    assert redact("POST /c/abc-DEF_1 failed") == "POST /c/- failed"
    assert redact("Error handling request /sms/alibaba/abc-DEF_1") == "Error handling request /sms/alibaba/-"
    assert redact("GET /staff/alerts/3") == "GET /staff/alerts/3"


def test_nginx_logs_no_token() -> None:
    text_ = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    formats = re.findall(r"^log_format \w+ '([^']*)'", text_, re.MULTILINE)
    assert len(formats) == 1
    hidden = dict(re.findall(r"^ +~\^(/\S+) +(/\S+);$", text_, re.MULTILINE))
    assert hidden.items() >= {start: f"{start}-" for start in ("/a/", "/c/", "/f/", "/sms/alibaba/")}.items()
    for variable in ("$request ", "$request'", "$request_uri", "$uri", "$args", "$http_referer", "$remote_addr"):
        assert variable not in formats[0]
    assert all(
        line.strip() in ("access_log off;",) or line.strip().endswith(" epro;")
        for line in re.findall(r".*access_log.*", text_)
    )
    assert all(line.strip().endswith(" crit;") for line in re.findall(r".*error_log .*", text_))

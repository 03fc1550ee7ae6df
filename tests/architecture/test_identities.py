"""Every role opens every staff page of a study in which everything has happened; no identity that it must not see."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html import unescape

import pypdfium2
import pytest
from sqlalchemy import Text, select
from werkzeug.test import TestResponse

from pro.db import Base, transaction
from pro.features.accounts.staff_accounts import RIGHTS, has_right
from pro.models import ROLES
from tests.architecture.conftest import InstalledFullStudy
from tests.architecture.test_routes import GUARDS, STAFF
from tests.support.factories import PHONES, PLAN
from tests.support.full_study_fixture import MAIL, NAME, SEALED, STAFF_PHONE, STRANGER, TYPED, UNTYPED, WORDS, FullStudy
from tests.support.staff_browser import signed_in_browser

# What a rule's gaps are filled with beside the numbers of what there is.
NAMES = {"<token>": "none", "<instrument>": "npc_checkin", "<plan>": PLAN}
# The same page again, chosen otherwise: its filters, its other sides, its other language.
MORE = {
    "/staff/": ("?show=forms", "?show=calls", "?level=3", f"?study={PLAN}"),
    "/staff/inbox": ("?show=unread", "?show=unknown"),
    "/staff/participants/<int(max=2147483647):participant_id>": ("?lang=zh_Hans",),
    "/staff/participants/<int(max=2147483647):participant_id>/dates": ("?kind=pd1_dose&number=1",),
    "/staff/audit": ("?participant=1", "?kind=forms", "?who=participant", "?lang=zh_Hans"),
    "/staff/study-overview": (f"?plan={PLAN}",),
    "/staff/simulator": (f"?plan={PLAN}",),
    "/staff/freeze/<plan>": ("?lang=zh_Hans",),
}
# Whoever is signed in has no step of the way in left, and whoever has left the study is asked nothing.
LEADS_ON = {"/staff/code", "/staff/participants/2/enter/npc_checkin"}
GETS = sorted({rule for method, rule in STAFF if method == "GET"})
BLIND = [role for role in ROLES if not has_right(role, "see_identity")]
SEPARATORS = re.compile(r"[\s\u00a0\u2009\u202f().\-\u2010-\u2015/]")
MASKS = "*•·●xX#…_"


def addresses(full_study: FullStudy, rule: str) -> list[str]:
    """``rule`` filled in with what is there, for both participants, and the same page chosen otherwise."""
    path = rule
    for name, said in NAMES.items():
        path = path.replace(name, said)
    path = path.replace("<int(max=2147483647):assessment_id>/check", f"{full_study.ids['paper_id']}/check")
    # A PDF takes seconds to draw.
    people = ("1", "2") if "participant_id>" in path and not path.endswith(".pdf") else ("1",)
    filled = [_filled(path, {**full_study.ids, "participant_id": int(one)}) for one in people]
    return [*filled, *(filled[0] + more for more in MORE.get(rule, ()))]


def _filled(path: str, numbers: Mapping[str, int]) -> str:
    return re.sub(r"<int(?:\([^)]*\))?:(\w+)>", lambda gap: str(numbers[gap[1]]), path)


def shown(answer: TestResponse) -> str:
    """All that reaches the browser: headers and text, of a PDF its text and what it says about itself."""
    head = "\n".join(f"{name}: {text}" for name, text in answer.headers if name != "Set-Cookie")
    if answer.mimetype == "application/pdf":
        document = pypdfium2.PdfDocument(io.BytesIO(answer.data))
        body = "\n".join(page.get_textpage().get_text_range() for page in document)
        return f"{head}\n{document.get_metadata_dict()}\n{body}"
    return f"{head}\n{unescape(answer.get_data(as_text=True))}"


def numbers_in(text: str, phone: str) -> list[str]:
    """How ``phone`` is found in ``text``: whole, however it is set apart, or its ends with the middle masked."""
    own = phone.removeprefix("+86")
    ends = rf"{own[:3]}[\s{MASKS}-]{{2,}}{own[-4:]}|[{MASKS}]{{2,}}\s?{own[-4:]}"
    return [own] * (own in SEPARATORS.sub("", text)) + re.findall(ends, text)


def leaks(role: str, text: str, path: str = "") -> list[str]:
    """What of an identity is in ``text`` that ``role`` must not see.

    The phones of colleagues stand on the page of an alert, for whoever acts on it.
    """
    found = []
    if role in BLIND:
        found += [said for said in (NAME, MAIL, MAIL.partition("@")[0]) if said in text]
        found += [one for phone in (*PHONES.values(), STRANGER) for one in numbers_in(text, phone)]
    calls_colleagues = role not in BLIND and path.startswith("/staff/alerts/")
    if not has_right(role, "manage_staff") and not calls_colleagues:
        found += numbers_in(text, STAFF_PHONE)
    return found


def test_a_route_that_is_new_is_looked_at_without_anybody_adding_it(installed: InstalledFullStudy) -> None:
    answered = (rule for rule in installed.app.url_map.iter_rules() if "GET" in (rule.methods or ()))
    rules = {rule.rule for rule in answered if rule.rule.startswith("/staff")}
    public = {rule for (method, rule), guard in GUARDS.items() if method == "GET" and guard == "public"}
    assert rules - public == set(GETS)
    for rule in GETS:
        assert "<" not in "".join(addresses(installed.full_study, rule)), rule


@pytest.mark.parametrize("role", ROLES)
def test_no_page_shows_a_role_an_identity_that_it_must_not_see(installed: InstalledFullStudy, role: str) -> None:
    desk = signed_in_browser(installed.app, installed.study.staff[role])
    wrong = []
    for rule in GETS:
        allowed = GUARDS["GET", rule] in RIGHTS[role]
        for path in addresses(installed.full_study, rule):
            # A former address leads to the page that took its place; that page is looked at.
            answer = desk.client.get(path, follow_redirects=path not in LEADS_ON)
            # Nothing is looked at that is not really there.
            expected = 303 if allowed and path in LEADS_ON else 200 if allowed else 403
            wrong += [f"{path}: {answer.status_code}"] * (answer.status_code != expected)
            wrong += [f"{path}: {said}" for said in leaks(role, shown(answer), path)]
    assert not wrong, "\n".join(wrong)


# What a post answers with a page or a file of its own: (address, what is posted).
POSTS = (
    ("/staff/audit", {"do": "export"}),
    ("/staff/audit?participant=1", {"do": "export"}),
    ("/staff/audit?lang=zh_Hans", {"do": "export"}),
    ("/staff/audit", {"do": "verify"}),
    ("/staff/audit", {"do": "pick", "number": "NPC-404"}),
    ("/staff/simulator", {"source": "stored"}),
    ("/staff/participants/1/messages", {"do": "free", "text": ""}),
    ("/staff/adverse-events/{event_id}", {"do": "end"}),
    ("/staff/alerts/{alert_id}", {"do": "close", "alert": "{alert_id}"}),
)


@pytest.mark.parametrize("role", BLIND)
def test_no_answer_to_a_post_does_either(installed: InstalledFullStudy, role: str) -> None:
    desk = signed_in_browser(installed.app, installed.study.staff[role])
    exported = 0
    for path, data in POSTS:
        desk.open("/staff/me")
        given = {name: text.format(**installed.full_study.ids) for name, text in data.items()}
        answer = desk.post(path.format(**installed.full_study.ids), **given)
        exported += answer.mimetype == "text/csv"
        assert leaks(role, shown(answer)) == [], path
    assert exported == (3 if has_right(role, "export_audit") else 0)


def test_whoever_may_see_identities_still_reads_the_words(installed: InstalledFullStudy) -> None:
    desk = signed_in_browser(installed.app, installed.study.staff["nurse"])
    for path in (
        f"/staff/alerts/{installed.full_study.ids['alert_id']}",
        "/staff/participants/1/messages",
        f"/staff/adverse-events/{installed.full_study.ids['event_id']}",
    ):
        desk.open(path)
        assert WORDS in desk.page, path
    monitor = signed_in_browser(installed.app, installed.study.staff["monitor"])
    monitor.open(f"/staff/alerts/{installed.full_study.ids['alert_id']}")
    assert "[hidden from your role: may contain a name]" in monitor.page
    monitor.open(f"/staff/corrections/{installed.full_study.ids['correction_id']}")
    assert "[…] / […]" in monitor.page


def test_everything_that_can_be_typed_was(installed: InstalledFullStudy) -> None:
    columns = {f"{table.name}.{one.name}": one for table in Base.metadata.sorted_tables for one in table.columns}
    free = {name for name, one in columns.items() if isinstance(one.type, Text)}
    assert free <= set(TYPED) | set(SEALED) | UNTYPED
    with transaction(installed.app_context.engine) as session:
        for name, text in {**TYPED, **SEALED}.items():
            found = [row or "" for row in session.scalars(select(columns[name]))]
            opened = [installed.app_context.vault.open(row) for row in found] if name in SEALED else found
            assert any(text in row for row in opened), name


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        "+86 138 0013 8000",
        "138-0013-8000",
        "(138) 0013-8000",
        "138****8000",
        "138 •••• 8000",
        "••• 8000",
    ],
)
def test_a_number_is_found_however_it_is_set(text: str) -> None:
    assert numbers_in(f"Phone: {text}, mornings", PHONES["zh_Hans"])
    assert not numbers_in("2026-03-02 13:80, 138 forms, 8000 answers", PHONES["zh_Hans"])

"""Leave staff pages open while participants go on, and press their buttons later (docs/alerts.md 4).

The pages are those of the real application; a press sends what the open page holds, as a browser does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, precondition, rule
from sqlalchemy import func, select

from app import create_app
from pro.models import ClinicalFact, Grading, Handover
from tests.support import alert_model_actions as actions
from tests.support import alert_rows, form_browser
from tests.support.alert_machine import ANSWERS, NAMES, WORDS, FormFollowed
from tests.support.alert_model_actions import Observed
from tests.support.alert_model_site import AlertSite
from tests.support.alert_reference import Reference, Sign
from tests.support.factories import PASSWORD
from tests.support.staff_browser import StaffBrowser, signed_in_browser

READERS = st.sampled_from(["on_call", "investigator"])
# What is typed beside each button; "%s" is words that are nowhere else.
TYPED = {
    "acknowledge": {},
    "take_over": {},
    "note": {"text": "%s"},
    "close": {"disposition": "outpatient", "reason": "%s"},
    "none": {"none_reason": "other", "action": "%s", "password": PASSWORD},
    "stable": {"items": "breath", "reason": "%s"},
}


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page in a browser. ``signs``: what it shows, by the reference."""

    by: str
    case: str
    html: str
    signs: tuple[Sign, ...]

    @property
    def ids(self) -> set[int]:
        """Return the alerts that the page says it shows."""
        return {int(number) for number in re.findall(r'name="alert" value="(\d+)"', self.html)}

    def form_of(self, button: str) -> tuple[str, dict[str, list[str]]] | None:
        """Return the address and the hidden fields of the form with ``button``; None where there is none."""
        for action, inside in re.findall(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', self.html, re.DOTALL):
            if f'name="do" value="{button}"' in inside:
                hidden: dict[str, list[str]] = {}
                for tag in re.findall(r"<input[^>]*>", inside):
                    field, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
                    if 'type="hidden"' in tag and field and value:
                        hidden.setdefault(field[1], []).append(value[1])
                return action, hidden
        return None


class StalePageMachine(RuleBasedStateMachine):
    """Random histories with pages of different age; a subclass says how to make the site."""

    new_site: Callable[[], AlertSite]
    pages = Bundle("pages")

    def __init__(self) -> None:
        super().__init__()
        self.site = type(self).new_site()
        self.app = create_app(self.site.whole.config, self.site.clock)
        self.app.testing = True
        self.desks: dict[str, StaffBrowser] = {}
        self.reference = Reference()
        self.forms = {actions.form_of(self.site, name): FormFollowed() for name in ("Anna", "Wang")}
        self.words = count(1)

    def teardown(self) -> None:
        """Close the site."""
        self.app.extensions["app_context"].engine.dispose()
        self.site.close()

    # --- participants ------------------------------------------------------------------------------------------------

    @rule(name=NAMES, answer=ANSWERS)
    def participant_answers(self, name: str, answer: tuple[str, int]) -> None:
        """Answer a question, also a second time."""
        item, value = answer
        case = actions.form_of(self.site, name)
        form = self.forms[case]
        if actions.participant_answers(self.site, name, item, value) and form.answers.get(item) != value:
            form.answers[item] = value
            if not form.answers.get("bleed", 1):
                form.answers.pop("bleed_now", None)
            self.reference.form_judged(case, form.answers, self.site.clock.now)

    @rule(name=NAMES, words=WORDS)
    def participant_rewrites_text(self, name: str, words: str) -> None:
        """Write into the text field, or rewrite what stands there."""
        case = actions.form_of(self.site, name)
        if actions.participant_answers(self.site, name, "free_text", words):
            self.reference.form_text(case, words, self.site.clock.now)

    @rule(name=NAMES, words=WORDS)
    def participant_texts(self, name: str, words: str) -> None:
        """Send a text message."""
        number = actions.participant_texts(self.site, name, words)
        self.reference.text_came(name, number, words, self.site.clock.now)

    # --- staff -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.reference.signs)
    @rule(target=pages, by=READERS, which=st.integers(0, 5), grading=st.booleans())
    def staff_opens_page(self, by: str, which: int, grading: bool) -> Any:
        """Open the page of a case, or its grading, and leave it open."""
        cases = list(dict.fromkeys(sign.case for sign in self.reference.signs))
        case = cases[which % len(cases)]
        ids = [row.id for row in actions.observe(self.site).alerts if row.case == case]
        if not ids:
            return multiple()
        return self._opened(by, case, f"/staff/alerts/{ids[-1]}{'/assess' if grading else ''}")

    @rule(target=pages, page=pages, button=st.sampled_from(sorted(TYPED)), minutes=st.sampled_from([0, 1, 5]))
    def staff_presses(self, page: OpenPage, button: str, minutes: int) -> Any:
        """Press a button of a page that may be old; what comes back is open from now on."""
        form = page.form_of(button)
        if form is None:
            return multiple()
        self.site.pass_time(minutes=minutes)
        address, hidden = form
        typed = f"typed words {next(self.words)}"
        data = {name: value % typed if "%s" in value else value for name, value in TYPED[button].items()}
        before, signed = actions.observe(self.site), self._acts()
        answer = self.desks[page.by].client.post(address, data={**hidden, **data, "do": button}, follow_redirects=True)
        html = unescape(answer.get_data(as_text=True))
        after, done = actions.observe(self.site), self._acts() != signed
        assert answer.status_code < 500, f"{button} answered {answer.status_code}"
        self._compare(page, button, before, after, done, html, typed)
        return OpenPage(page.by, page.case, html, tuple(self.reference.shown(page.case)))

    # --- within ------------------------------------------------------------------------------------------------------

    def _compare(
        self, page: OpenPage, button: str, before: Observed, after: Observed, done: bool, html: str, typed: str
    ) -> None:
        changed = before.alerts != after.alerts
        if button == "acknowledge" and changed:
            for sign in page.signs:
                sign.waiting = False
        closed = [row for row, old in zip(after.alerts, before.alerts, strict=True) if row.closed and not old.closed]
        if closed:
            for sign in page.signs:
                sign.standing = False
        wrong = alert_rows.wrong_changes(before.alerts, after.alerts, page.ids, page.ids)
        wrong += self.reference.wrong_open(after.alerts)
        there = [row for row in before.alerts if row.case == page.case and not (row.closed or row.superseded)]
        unseen = {row.id for row in there} - page.ids
        acted = bool(closed) or done
        if unseen and acted and button not in ("acknowledge", "note"):
            wrong.append(f"{button} was done without alerts {sorted(unseen)} being shown")
        came_back = OpenPage(page.by, page.case, html, ())
        if unseen and button != "note" and not unseen <= came_back.ids:
            wrong.append(f"after {button} the page does not come back with alerts {sorted(unseen)}")
        if typed not in html and not acted and button not in ("acknowledge", "take_over"):
            wrong.append(f"what was typed beside {button} is gone")
        assert not wrong, "\n".join(wrong)

    def _opened(self, by: str, case: str, path: str) -> Any:
        if by not in self.desks:
            self.desks[by] = signed_in_browser(self.app, self.site.seeded.staff[by])
        answer = self.desks[by].open(path)
        if answer.status_code != 200:
            assert answer.status_code in (302, 303, 403, 404), f"{path} answered {answer.status_code}"
            return multiple()
        return OpenPage(by, case, self.desks[by].page, tuple(self.reference.shown(case)))

    def _acts(self) -> list[int]:
        """Return how many gradings were signed, cases taken over and symptoms marked as stable."""
        kinds = (Grading, Handover, ClinicalFact)
        with form_browser.unit_of_work(self.site.app_context) as work:
            return [work.session.scalar(select(func.count()).select_from(kind)) or 0 for kind in kinds]

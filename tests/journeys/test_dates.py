"""Test that a coordinator records dates, previews the changes, and the schedule follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from pro.db import transaction
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import schedule_service
from pro.models import ExpectedForm, Participant
from tests.journeys.people import JourneyStaff
from tests.journeys.test_visual_checks import LANGUAGES, looked_at, strangers
from tests.support import factories
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
DAY = timedelta(days=1)


@dataclass
class Dates:
    """The page of a participant's dates in a browser."""

    page: Page
    site: Site
    participant_id: int
    today: date

    @property
    def url(self) -> str:
        """Return its address."""
        return f"{self.site.url}/staff/participants/{self.participant_id}"

    def types(self, kind: str, on: date, number: int = 0, basis: str = "", reason: str = "") -> Dates:
        """Open the form of a kind of date, fill it in, and press the preview button."""
        self.page.goto(f"{self.url}/dates?kind={kind}")
        form = self.page.locator("#form")
        if number:
            form.locator("input[name=number]").fill(str(number))
        form.locator("input[name=on]").fill(on.isoformat())
        if basis:
            form.locator(f"input[value={basis}]").check()
        form.locator("textarea[name=reason]").fill(reason)
        self.press("preview")
        return self

    def press(self, what: str) -> Dates:
        """Press a button."""
        with self.page.expect_navigation():
            self.page.locator(f"button[value={what}]").first.click()
        return self

    def windows(self) -> dict[str, object]:
        """Return (visit, instrument) -> window, as stored."""
        with transaction(self.site.app_context.engine) as session:
            rows = session.scalars(select(ExpectedForm).where(ExpectedForm.participant_id == self.participant_id))
            return {f"{row.visit} {row.instrument}": (row.opens_at, row.closes_at) for row in rows}

    def expected(self, kind: str, number: int) -> date:
        """Return the day on which a date is expected."""
        with transaction(self.site.app_context.engine) as session:
            work = self.site.app_context.unit_of_work(session)
            person = session.get_one(Participant, self.participant_id)
            return schedule_service.read_days(work, person)[kind][number].on


def at_dates(site: Site, desk: JourneyStaff, number: str) -> Dates:
    """Return the dates page of a coordinator, for a participant who consented today."""
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session)
        person = factories.participant(work, number, language="en")
        today = local_date(work.now, person.time_zone)
        found = person.id
    desk.opens(f"{site.url}/staff/participants/{found}/dates")
    return Dates(desk.page, site, found, today)


def test_what_happened_is_typed_and_the_calendar_follows(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff]
) -> None:
    at_desk = nurse("coordinator", viewport={"width": 1280, "height": 900})
    at_desk.page.goto(f"{live_site.url}/staff/sign-in?lang=en")
    me = at_dates(live_site, at_desk, "JD-001")
    main = me.page.locator("main")

    me.types("induction_day1", me.today, basis="actual").press("confirm")
    expect(main).to_contain_text("Saved: Induction day 1.")
    me.types("rt_fraction", me.today, 1, "planned").press("confirm")
    expect(main).to_contain_text("Saved: Radiotherapy fraction 1.")
    expect(main).to_contain_text("projected, not recorded yet")

    before = me.windows()
    me.press("treated")
    expect(main).to_contain_text("Recorded for today: Radiotherapy fraction 1. No expected form moved.")
    assert me.windows() == before

    me.types("rt_fraction", me.expected("rt_fraction", 2) + 3 * DAY, 2, "planned")
    expect(main).to_contain_text("Radiotherapy, fraction 10")
    assert me.windows() == before, "nothing is changed before it is confirmed"
    me.press("confirm")
    after = me.windows()
    moved = {name.split()[0].split(".")[0] for name in before if after.get(name) != before[name]}
    assert set(after) == set(before)
    assert {"rt_week", "rt_end", "follow_up"} <= moved
    assert not moved & {"baseline", "induction_week", "induction_day22", "before_rt"}

    me.types("rt_fraction", me.today, 29, "planned")
    expect(main).to_contain_text("only numbers 1 to 28 exist")
    me.types("pd1_dose", me.today + DAY, 2, "actual")
    expect(main).to_contain_text("is in the future")
    me.types("rt_end", me.today - DAY, basis="actual")
    expect(main).to_contain_text("would be before Radiotherapy fraction 1")
    expect(me.page.locator("#form input[name=on]")).to_have_value((me.today - DAY).isoformat())
    assert me.windows() == after

    me.types("ulcer_suspected", me.today)
    expect(main).to_contain_text("Ulcer, day 14")
    me.press("confirm")
    assert sum(name.startswith("ulcer_daily.") for name in me.windows()) == 14
    me.page.goto(f"{me.url}/visit-schedule")
    expect(main).to_contain_text("Ulcer, day 1")


def pages(me: Dates) -> Iterator[str]:
    """Yield every page of dates and of the visit schedule."""
    yield "dates, nothing recorded"
    me.types("induction_day1", me.today, basis="actual")
    yield "preview"
    me.press("confirm")
    me.types("rt_fraction", me.today, 1, "planned").press("confirm")
    me.press("treated")
    yield "dates"
    me.page.locator("main summary").first.click()
    yield "dates, unfolded"
    me.types("rt_fraction", me.today, 29, "planned")
    yield "refused"
    me.page.goto(f"{me.url}/dates?kind=death")
    yield "death"
    me.types("ulcer_confirmed", me.today, 1)
    yield "preview of an ulcer"
    me.page.goto(f"{me.url}/visit-schedule")
    yield "ledger"
    me.page.locator("summary").last.click()
    yield "ledger, unfolded"
    me.page.goto(me.url)
    yield "participant"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_of_dates_for_everybody(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], width: int, language: str
) -> None:
    at_desk = nurse("coordinator", viewport={"width": width, "height": 900})
    at_desk.page.goto(f"{live_site.url}/staff/sign-in?lang={language}")
    met = strangers(at_desk.page, live_site.url)
    me = at_dates(live_site, at_desk, f"JD-{width}-{language[:2].upper()}")
    wrong = [found for name in pages(me) for found in looked_at(me.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met

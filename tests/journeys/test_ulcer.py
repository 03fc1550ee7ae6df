"""Test an ulcer from the first sign to a signed decision, as an investigator."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from pro.db import transaction
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from tests.journeys.people import PLACES, JourneyStaff
from tests.journeys.test_visual_checks import LANGUAGES, looked_at, strangers
from tests.support import factories
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey


def with_a_sign(site: Site, number: str) -> tuple[int, str]:
    """Enrol a treated participant with a suspected ulcer; return it with the local date."""
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session)
        person = factories.participant(work, number)
        today = local_date(work.now, person.time_zone)
        schedule_service.set_anchors(work, person, [DateChange("induction_day1", 0, today)])
        factories.save_answers(work, factories.open_form_session(work, factories.form(work, person)), odor=3)
        return person.id, today.isoformat()


def press(page: Page, where: Locator) -> None:
    """Press a button that leads to another page, and wait for that page."""
    with page.expect_navigation():
        where.click()


def unfold(page: Page, section: str) -> Locator:
    """Open the form of a section and return it."""
    form = page.locator(f"{section} details.confirm")
    if form.get_attribute("open") is None:
        form.locator("summary").click()
    return form


def record(page: Page, on: str) -> None:
    """Type an endoscopic finding and save it."""
    form = unfold(page, "#endoscopies")
    form.locator("input[name=done_on]").fill(on)
    form.locator("input[name=result][value=ulcer]").check()
    form.locator("input[name=grade][value='3']").check()
    form.locator("textarea[name=finding]").fill("Left wall, 8 mm")
    press(page, form.locator("button[value=done]"))


def decide(page: Page, section: str, choice: str, password: str) -> None:
    """Choose a decision, give a reason, and sign."""
    form = unfold(page, section)
    if form.locator("[name$=about]").count():
        form.locator("[name$=about][value=ulcer]").check()
    form.locator(f"[name$=choice][value={choice}]").check()
    form.locator("[name$=reason]").fill("Ulcer of grade 3")
    form.locator("[name$=password]").fill(password)
    press(page, form.locator("button[value=decide]"))


@pytest.mark.parametrize("place", PLACES)
def test_from_the_first_sign_to_a_signed_decision(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], place: str
) -> None:
    number = f"JU-{place.upper()}"
    found, today = with_a_sign(live_site, number)
    me = nurse("investigator", **PLACES[place])
    page, main = me.page, me.page.locator("main")
    page.goto(f"{live_site.url}/staff/sign-in?lang=en")
    me.opens(f"{live_site.url}/staff/ulcers")
    row = main.locator(".rows > li", has_text=number)
    expect(row).to_contain_text("suspected from the answers (UL2)")
    before = main.locator("dd").last.inner_text()
    press(page, row.get_by_role("link"))
    press(page, main.locator("button[value=ask]"))
    expect(main).to_contain_text("Endoscopy requested.")
    record(page, today)
    expect(main).to_contain_text("Nothing else was changed.")
    expect(main).to_contain_text("Not recorded as confirmed.")

    press(page, main.get_by_role("link", name="Record: ulcer confirmed"))
    expect(page.locator("#form input[name=on]")).to_have_value(today)
    press(page, page.locator("button[value=preview]"))
    expect(main).to_contain_text("Ulcer, day 1")
    press(page, page.locator("button[value=confirm]"))
    expect(main).to_contain_text("Saved: Ulcer confirmed")

    page.goto(f"{live_site.url}/staff/ulcers/{found}")
    decide(page, "#decisions", "stop", me.password)
    expect(main).to_contain_text("The decision has been signed.")
    expect(main).to_contain_text("Stop radiotherapy")
    page.goto(f"{live_site.url}/staff/ulcers")
    expect(row).to_contain_text("counts for the rule")
    expect(main.locator("dd").last).to_have_text(str(int(before) + 1))
    expect(main).to_contain_text("of the first 10 treated")
    decide(page, "section.card", "continue", me.password)
    expect(main).to_contain_text("Continue the study")


def screens(page: Page, url: str, number: int, today: str, password: str) -> Iterator[str]:
    """Yield every page about ulcers, with and without errors."""
    page.goto(f"{url}/staff/ulcers")
    yield "ulcers"
    press(page, unfold(page, "section.card").locator("button[value=decide]"))
    yield "ulcers with problems"
    page.goto(f"{url}/staff/ulcers/{number}")
    yield "one ulcer"
    press(page, page.locator("button[value=ask]"))
    press(page, unfold(page, "#endoscopies").locator("button[value=done]"))
    yield "endoscopy with problems"
    record(page, today)
    yield "one ulcer with a result"
    press(page, unfold(page, "#decisions").locator("button[value=decide]"))
    yield "decision with problems"
    decide(page, "#decisions", "pause", password)
    yield "one ulcer, decided"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_of_ulcers_for_everybody(
    live_site: Site, study: Study, nurse: Callable[..., JourneyStaff], width: int, language: str
) -> None:
    number, today = with_a_sign(live_site, f"JU-{width}-{language[:2].upper()}")
    me = nurse("investigator", viewport={"width": width, "height": 900})
    me.page.goto(f"{live_site.url}/staff/sign-in?lang={language}")
    met = strangers(me.page, live_site.url)
    me.opens(f"{live_site.url}/staff/ulcers")
    shown = screens(me.page, live_site.url, number, today, me.password)
    wrong = [found for name in shown for found in looked_at(me.page, name, language)]
    assert not wrong, "\n".join(wrong)
    assert not met

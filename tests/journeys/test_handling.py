"""Test an alert at night on phone and desktop: acknowledged, called, graded, closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.accessibility import violations
from tests.journeys.people import PLACES, JourneyParticipant, JourneyStaff, link_in
from tests.journeys.test_checkin import number_on, stored
from tests.journeys.test_visual_checks import sideways, small_targets
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey


def press(page: Page, what: str) -> None:
    """Press a button that leads to another page, and wait for that page."""
    with page.expect_navigation():
        page.locator(what).first.click()


def looks_well(page: Page) -> None:
    """Check that axe finds nothing, nothing overflows, and no target is too small."""
    found = violations(page)
    assert not found, [f"{one['id']} {one['nodes'][0]['html'][:200]}" for one in found]
    assert not sideways(page)
    assert not small_targets(page)


@pytest.mark.parametrize(("language", "place"), [("en", "phone"), ("zh_Hans", "phone"), ("en", "desk")])
def test_an_alert_at_night_is_handled_to_its_end(
    live_site: Site,
    study: Study,
    new_participant: Callable[..., JourneyParticipant],
    nurse: Callable[..., JourneyStaff],
    language: str,
    place: str,
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts().chooses(3).chooses(1)
    doctor = study.staff["investigator"]
    letter = live_site.mailbox.wait(lambda mail: number in str(mail["Subject"]) and doctor.email in str(mail["To"]))

    here = nurse("investigator", **PLACES[place]).opens(link_in(letter.get_content())).page
    if language == "zh_Hans":
        with here.expect_navigation():
            here.locator(".me a[hreflang]").click()
    expect(here.locator("h1")).to_contain_text(number)
    press(here, "button[value=acknowledge]")
    address = here.url.split("?")[0]

    here.locator("#calls .confirm summary").click()
    here.locator("input[name=outcome][value=reached_relative]").check()
    here.fill("#call-text", "Daughter drives her to the emergency room")
    press(here, "#calls button[value=call]")
    expect(here.locator("#calls")).to_contain_text("Daughter drives her")

    press(here, "#judged .acts a")
    looks_well(here)
    expect(here.locator("input[name=grade]:checked")).to_have_count(0)
    press(here, "button[value=assess]")
    expect(here.locator("#errors")).to_be_visible()
    looks_well(here)
    here.locator("input[name=grade][value='3']").check()
    here.fill("input[name=onset_date]", here.locator("input[name=awareness_time]").input_value()[:10])
    here.locator("input[name=attribution][value=radiotherapy]").check()
    here.locator("input[name=serious][value=yes]").check()
    here.fill("textarea[name=action] >> nth=0", "Packed, admitted")
    here.fill("input#password", doctor.password)
    press(here, "button[value=assess]")
    expect(here.locator("#judged")).to_contain_text("Packed, admitted")

    here.locator("#close .confirm summary").click()
    here.locator("input[name=disposition][value=admitted]").check()
    looks_well(here)
    press(here, "#close button[value=close]")
    expect(here.locator("p.ok")).to_be_visible()
    expect(here.locator(".rows > .e", has_text=number)).to_have_count(0)

    here.goto(f"{live_site.url}/staff/adverse-events")
    expect(here.locator("main")).to_contain_text(number)
    looks_well(here)
    press(here, f"tr:has-text('{number}') td a")
    looks_well(here)
    expect(here.locator("button[value=report]")).to_be_visible()
    here.goto(address)
    looks_well(here)
    _form, _answers, alerts = stored(live_site, number)
    assert {alert.disposition for alert in alerts} == {"admitted"}

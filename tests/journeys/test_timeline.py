"""Test the timeline in a browser: the drawings match the numbers at every screen width."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from pro.core.figures import plot_geometry
from tests.journeys.people import JourneyStaff
from tests.journeys.test_visual_checks import LANGUAGES, looked_at, sideways, strangers
from tests.support import factories, form_browser, known_weeks
from tests.support.factories import Clock, Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
# --go and --u-tint of tokens.css, by day.
LINE, SHADE = (10, 92, 96), (255, 241, 220)


@pytest.fixture(scope="session")
def full_study(live_site: Site, study: Study) -> int:
    """Return a participant whose known five weeks ended today."""
    began = datetime.now(UTC).replace(hour=2, minute=0) - timedelta(days=34)
    app_context = replace(live_site.app_context, clock=Clock(began))
    actor = study.staff["coordinator"].actor
    with form_browser.unit_of_work(app_context, actor) as work:
        person = factories.participant(work, "JC-001", phone="", pd1=None)
        found = person.id
    known_weeks.record_five_weeks(app_context, actor, found)
    return found


def picture(drawing: Locator) -> Image.Image:
    """Take a screenshot, one pixel for each pixel of the drawing."""
    return Image.open(io.BytesIO(drawing.screenshot(scale="css"))).convert("RGB")


def near(image: Image.Image, x: float, y: float, colour: tuple[int, int, int]) -> bool:
    """Return True if this colour is within two pixels."""
    left, top = round(x) - 2, round(y) - 2
    pixels = image.crop((left, top, left + 5, top + 5)).tobytes()
    found = zip(pixels[0::3], pixels[1::3], pixels[2::3], strict=True)
    return any(max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 12 for pixel in found)


def opened(nurse: Callable[..., JourneyStaff], site: Site, person: int, language: str, width: int, role: str) -> Page:
    """Open the page in a browser of this width."""
    at_desk = nurse(role, viewport={"width": width, "height": 900}, device_scale_factor=1)
    at_desk.page.goto(f"{site.url}/staff/sign-in?lang={language}")
    at_desk.opens(f"{site.url}/staff/participants/{person}/timeline")
    return at_desk.page


def test_the_line_is_drawn_where_the_scores_are(
    live_site: Site, study: Study, full_study: int, nurse: Callable[..., JourneyStaff]
) -> None:
    page = opened(nurse, live_site, full_study, "en", 1280, "coordinator")
    drawing = page.locator("figure", has_text="Physical functioning").locator("svg")
    expect(drawing).to_be_visible()
    image = picture(drawing)
    scale = image.size[0] / 260
    assert near(image, plot_geometry.X0 * scale + 6 * scale, plot_geometry.score_y(80) * scale, LINE), (
        "the baseline, 80"
    )
    assert near(image, (plot_geometry.X1 - 6) * scale, plot_geometry.score_y(200 / 3) * scale, LINE), "the last, 66.7"
    assert near(image, 60 * scale, (plot_geometry.score_y(83) + 40) * scale, SHADE), "below 83 it is shaded"
    assert not near(image, 60 * scale, (plot_geometry.score_y(83) - 8) * scale, SHADE), "above it is not"
    assert drawing.locator("text.gone").count() == 1


def test_the_timeline_is_drawn_and_moves_in_its_own_frame(
    live_site: Site, study: Study, full_study: int, nurse: Callable[..., JourneyStaff]
) -> None:
    page = opened(nurse, live_site, full_study, "zh_Hans", 390, "monitor")
    frame = page.get_by_role("region", name="时间轴，可左右滑动")
    drawing = frame.locator("svg")
    assert drawing.evaluate("svg => svg.getBoundingClientRect().width") == 1000
    assert frame.evaluate("box => box.scrollWidth > box.clientWidth")
    dose = drawing.locator("path.ba").first
    assert dose.evaluate("shape => getComputedStyle(shape).fill") == "rgb({}, {}, {})".format(*LINE)
    expect(drawing.get_by_text("现在")).to_be_attached()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", LANGUAGES)
def test_everybody_can_read_it(
    live_site: Site, study: Study, full_study: int, nurse: Callable[..., JourneyStaff], language: str, width: int
) -> None:
    page = opened(nurse, live_site, full_study, language, width, "statistician")
    met = strangers(page, live_site.url)
    # An open menu of the bar lies over the page, which axe would name.
    for details in page.locator("main details").all():
        details.evaluate("one => one.open = true")
    wrong = looked_at(page, "course", language)
    assert not wrong, "\n".join(wrong)
    page.set_viewport_size({"width": 320, "height": 640})
    assert not sideways(page)
    assert not met

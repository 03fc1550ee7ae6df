"""Test that the reduced axe report names the same violations as the complete one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.journeys.accessibility import RULES, violations

pytestmark = pytest.mark.journey
FAULTY = """<!doctype html><title>x</title><main><h1>x</h1><img src="x.png"><img src="y.png"><input>
<p style="color:#999;background:#fff">pale</p><button></button></main>"""


def test_every_violation_is_reported(phone: Callable[..., Page]) -> None:
    page = phone()
    page.set_content(FAULTY)
    whole = Axe().run(page, options={"runOnly": RULES["runOnly"]}).response["violations"]
    assert {found["id"] for found in whole} >= {"html-has-lang", "image-alt", "label", "color-contrast", "button-name"}
    assert violations(page) == whole

"""What axe finds wrong with a page: every level of WCAG 2.2 AA and best practice; nothing is left out."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# What passes is not asked for: describing it takes longer than looking.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[dict[str, Any]]:
    """Every violation on the screen, as axe describes it: ``id``, ``nodes`` with their ``html``."""
    page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate("rules => axe.run(rules).then(seen => seen.violations)", RULES)
    return found

"""Find accessibility violations with axe: every level of WCAG 2.2 AA and best practice."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Passed checks are not requested: describing them takes longer than the analysis.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[dict[str, Any]]:
    """Return every violation on the page, as axe gives it: ``id``, ``nodes`` with ``html``."""
    page.evaluate(AXE_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate("rules => axe.run(rules).then(seen => seen.violations)", RULES)
    return found

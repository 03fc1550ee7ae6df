"""Every page that staff can open, declared once: address, right, title, place in the menu.

``accounts.pages.page_guard.staff_page`` fills the registry. Menu, titles, the sign-in page and tests read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

STAFF_URL = "/staff"


@dataclass(frozen=True, slots=True)
class UnsavedTextRule:
    """What a page does with text that was typed before its session ended.

    ``restore`` takes what was typed and the values of the address, and answers with the page, text in its field.
    ``right``: without it the text is shown on the general page of unsaved text. ``field``: nothing is restored while
    this field is empty; "" restores always. ``notice``: the sentence on top of the page.
    """

    restore: Callable[..., ResponseReturnValue]
    right: str
    field: str = ""
    notice: str = "not_saved_yet"

    def applies(self, typed: MultiDict[str, str], has_right: Callable[[str], bool]) -> bool:
        """True if the page is to be shown with ``typed`` to the person whose rights are given."""
        return bool(not self.field or typed.get(self.field, "")) and has_right(self.right)


@dataclass(frozen=True, slots=True)
class StaffPage:
    """One page of the staff side.

    ``endpoint``: published, so it never changes. ``rule``: its address as routes write it. ``right``: guards the view.
    ``title``: ``<title>`` and menu, for translation; "" where the template names its subject in ``block title``.
    ``section``: which entry of the menu is marked. ``menu``: place in the menu, 0 for none. ``way_back``: what the
    sign-in page calls this page and the pages below it; "" if they have no name of their own there.
    """

    endpoint: str
    rule: str
    right: str
    title: str = ""
    section: str = ""
    menu: int = 0
    way_back: str = ""
    kept: UnsavedTextRule | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the address below ``/staff``; what is variable is "*"."""
        return tuple("*" if part.startswith("<") else part for part in _parts(self.rule))

    def is_above(self, path: str) -> bool:
        """True if ``path`` is the address of this page, or lies below it."""
        given = _parts(path)
        return len(given) >= len(self.parts) and all(
            own in ("*", part) for own, part in zip(self.parts, given, strict=False)
        )


# By endpoint, filled as the modules of pages are imported.
PAGES: dict[str, StaffPage] = {}


def add(page: StaffPage) -> None:
    """Note ``page``. ValueError if its endpoint has a page, or its place in the menu is taken."""
    if page.endpoint in PAGES or (page.menu and page.menu in {other.menu for other in PAGES.values()}):
        raise ValueError(f"declared twice: {page.endpoint}, menu {page.menu}")
    PAGES[page.endpoint] = page


def menu_pages() -> tuple[StaffPage, ...]:
    """The pages with a place in the menu, in its order."""
    return tuple(sorted((page for page in PAGES.values() if page.menu), key=lambda page: page.menu))


def page_at(endpoint: str, path: str) -> StaffPage | None:
    """Return the page of ``endpoint``; for a form's address, which has no page, the nearest one above ``path``."""
    return PAGES.get(endpoint) or next(iter(_above(path)), None)


def way_back(path: str) -> StaffPage | None:
    """The page by whose ``way_back`` a sign-in names ``path``; None outside the staff side."""
    return next((page for page in _above(path) if page.way_back), None)


def _above(path: str) -> list[StaffPage]:
    """Pages at or above ``path``, the nearest first; of two addresses as long, the one that says more."""
    found = [page for page in PAGES.values() if page.is_above(path)]
    return sorted(found, key=lambda page: (-len(page.parts), page.parts.count("*")))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("?")[0].removeprefix(STAFF_URL).split("/") if part)

"""Registry of staff pages: address, access right, title, position in the menu.

``accounts.pages.page_guard.staff_page`` fills it. The menu, page titles, the sign-in page and tests read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

STAFF_URL = "/staff"


@dataclass(frozen=True, slots=True)
class UnsavedTextRule:
    """How a page restores unsaved text, typed before the session ended.

    ``restore`` takes the typed fields and the values of the address, and returns the page with the text in its field.
    ``right``: staff without it see the text on the general page of unsaved text. ``field``: restore only if this
    field has text; "" restores always. ``notice``: key of the notice at the top of the page.
    """

    restore: Callable[..., ResponseReturnValue]
    right: str
    field: str = ""
    notice: str = "not_saved_yet"

    def applies(self, typed: MultiDict[str, str], has_right: Callable[[str], bool]) -> bool:
        """Return True if the page restores ``typed`` for a staff member.

        ``has_right``: returns True for each access right of the staff member.
        """
        return bool(not self.field or typed.get(self.field, "")) and has_right(self.right)


@dataclass(frozen=True, slots=True)
class StaffPage:
    """One page of the staff side.

    ``endpoint``: published, so it never changes. ``rule``: URL rule of the route. ``right``: access right for the view.
    ``title``: ``<title>`` and menu text, for translation; "" if the template sets ``block title``. ``section``: marked
    menu entry. ``menu``: position in the menu, 0 for none. ``way_back``: name of this page, and of the pages below it,
    on the sign-in page; "" for none. ``kept``: how unsaved text is restored; None if it is not.
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
        """Return the parts of the address below ``/staff``; a variable part is "*"."""
        return tuple("*" if part.startswith("<") else part for part in _parts(self.rule))

    def is_above(self, path: str) -> bool:
        """Return True if ``path`` is the address of this page or of a page below it."""
        given = _parts(path)
        return len(given) >= len(self.parts) and all(
            own in ("*", part) for own, part in zip(self.parts, given, strict=False)
        )


# By endpoint; filled when the page modules are imported.
PAGES: dict[str, StaffPage] = {}


def add(page: StaffPage) -> None:
    """Add ``page``.

    Raises ValueError if its endpoint has a page, or if its place in the menu, or the section that its menu entry marks,
    belongs to another page of the menu.
    """
    if page.endpoint in PAGES:
        raise ValueError(f"declared twice: {page.endpoint}")
    for other in menu_pages() if page.menu else ():
        if other.menu == page.menu:
            raise ValueError(f"{page.endpoint}: place {page.menu} of the menu belongs to {other.endpoint}")
        if other.section == page.section:
            raise ValueError(f"{page.endpoint}: section {page.section} is marked by {other.endpoint}; give section=")
    PAGES[page.endpoint] = page


def menu_pages() -> tuple[StaffPage, ...]:
    """Return the pages of the menu, in menu order."""
    return tuple(sorted((page for page in PAGES.values() if page.menu), key=lambda page: page.menu))


def page_at(endpoint: str, path: str) -> StaffPage | None:
    """Return the page of ``endpoint``, else the nearest page at or above ``path``.

    The second case is the address that a form posts to, which has no page. None outside the staff side.
    """
    return PAGES.get(endpoint) or next(iter(_above(path)), None)


def way_back(path: str) -> StaffPage | None:
    """Return the page whose ``way_back`` names ``path`` at the sign-in; None if none does."""
    return next((page for page in _above(path) if page.way_back), None)


def _above(path: str) -> list[StaffPage]:
    """Return the pages at or above ``path``, the nearest first.

    Of two addresses with as many parts, the one with fewer variable parts comes first.
    """
    found = [page for page in PAGES.values() if page.is_above(path)]
    return sorted(found, key=lambda page: (-len(page.parts), page.parts.count("*")))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("?")[0].removeprefix(STAFF_URL).split("/") if part)

"""Menu of the staff pages: the first entries in the bar, the others in a folded list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pro.web import page_registry
from pro.web.page_registry import StaffPage

# More entries would break the desktop bar into two lines in English.
MAX_IN_BAR = 6
ALWAYS_IN_BAR, IN_DESKTOP_BAR = 3, 5


@dataclass(frozen=True, slots=True)
class Menu:
    """Entries of the menu.

    ``bar``: always in the bar. ``thumb``: in the bar on a desktop, folded on a phone. ``more``: always folded.
    """

    bar: tuple[StaffPage, ...]
    thumb: tuple[StaffPage, ...] = ()
    more: tuple[StaffPage, ...] = ()


def build_menu(may: Callable[[str], bool]) -> Menu:
    """Return the menu for a staff member, in menu order.

    ``may`` returns True for each access right of the staff member. Up to ``MAX_IN_BAR`` entries all stand in the bar.
    """
    entries = tuple(entry for entry in page_registry.menu_pages() if may(entry.right))
    if len(entries) <= MAX_IN_BAR:
        return Menu(entries)
    return Menu(entries[:ALWAYS_IN_BAR], entries[ALWAYS_IN_BAR:IN_DESKTOP_BAR], entries[IN_DESKTOP_BAR:])

"""Menu of the staff pages: the first entries in the bar, the others in a folded list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pro.web import page_registry
from pro.web.page_registry import StaffPage

# More entries would break the desktop bar into two lines in English.
MAX_IN_BAR = 6
IN_DESKTOP_BAR = 5
# The phone's bar is one row from 320 px on: these stay in it, or the first entries of a role that has none of them.
ON_PHONE = ("to_do_list", "participants")


@dataclass(frozen=True, slots=True)
class Menu:
    """Entries of the menu.

    ``bar``: in the bar on a desktop. ``folded``: those of them that a phone folds. ``more``: always folded.
    """

    bar: tuple[StaffPage, ...]
    folded: tuple[StaffPage, ...] = ()
    more: tuple[StaffPage, ...] = ()


def build_menu(may: Callable[[str], bool]) -> Menu:
    """Return the menu for a staff member, in menu order.

    ``may`` returns True for each access right of the staff member. Up to ``MAX_IN_BAR`` entries all stand in the bar of
    a desktop.
    """
    entries = tuple(entry for entry in page_registry.menu_pages() if may(entry.right))
    wide = len(entries) if len(entries) <= MAX_IN_BAR else IN_DESKTOP_BAR
    bar = entries[:wide]
    kept = [entry for entry in bar if entry.section in ON_PHONE] or list(bar[: len(ON_PHONE)])
    return Menu(bar, tuple(entry for entry in bar if entry not in kept), entries[wide:])

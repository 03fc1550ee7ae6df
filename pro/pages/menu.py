"""The menu of the staff side: what everybody needs stands in the bar, the rest behind one word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pro.web import page_registry
from pro.web.page_registry import StaffPage

# More than these and a desk's bar breaks into two lines in English.
MAX_IN_BAR = 6
ALWAYS_IN_BAR, IN_DESKTOP_BAR = 3, 5


@dataclass(frozen=True, slots=True)
class Menu:
    """``bar``: what stands in the bar; ``more``: what folds. ``thumb``: in the bar of a desk, folded on a phone."""

    bar: tuple[StaffPage, ...]
    thumb: tuple[StaffPage, ...] = ()
    more: tuple[StaffPage, ...] = ()


def build_menu(may: Callable[[str], bool]) -> Menu:
    """The pages that somebody with these rights has, most needed first. Few enough stand in the bar as they are."""
    own = tuple(entry for entry in page_registry.menu_pages() if may(entry.right))
    if len(own) <= MAX_IN_BAR:
        return Menu(own)
    return Menu(own[:ALWAYS_IN_BAR], own[ALWAYS_IN_BAR:IN_DESKTOP_BAR], own[IN_DESKTOP_BAR:])

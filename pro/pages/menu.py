"""The menu of the staff side: what everybody needs stands in the bar, the rest behind one word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pro.web.refusals import N_

# More than these and a desk's bar breaks into two lines in English.
MAX_IN_BAR = 6
ALWAYS_IN_BAR, IN_DESKTOP_BAR = 3, 5


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One page of the menu: who may see it, its endpoint, the ``section`` that its pages name, what it is called."""

    right: str
    endpoint: str
    section: str
    words: str


@dataclass(frozen=True, slots=True)
class Menu:
    """``bar``: what stands in the bar; ``more``: what folds. ``thumb``: in the bar of a desk, folded on a phone."""

    bar: tuple[MenuEntry, ...]
    thumb: tuple[MenuEntry, ...] = ()
    more: tuple[MenuEntry, ...] = ()


# The most often needed first.
ENTRIES = (
    MenuEntry("see_board", "staff.board", "board", N_("To do")),
    MenuEntry("see_inbox", "staff.inbox.everything", "inbox", N_("Texts")),
    MenuEntry("see_participants", "staff.participants.everyone", "participants", N_("Participants")),
    MenuEntry("see_events", "staff.events.everything", "events", N_("Adverse events")),
    MenuEntry("see_ulcers", "staff.ulcers.everything", "ulcers", N_("Ulcers and stopping")),
    MenuEntry("see_cohort", "staff.cohort.show", "cohort", N_("Whole study")),
    MenuEntry("see_roster", "staff.roster.show", "roster", N_("Duty roster")),
    MenuEntry("see_answers", "staff.corrections.everything", "corrections", N_("Corrections")),
    MenuEntry("see_audit", "staff.audit.show", "audit", N_("Audit trail")),
    MenuEntry("manage_staff", "staff.people.everyone", "people", N_("People")),
)


def build_menu(may: Callable[[str], bool]) -> Menu:
    """The pages that somebody with these rights has, most needed first. Few enough stand in the bar as they are."""
    own = tuple(entry for entry in ENTRIES if may(entry.right))
    if len(own) <= MAX_IN_BAR:
        return Menu(own)
    return Menu(own[:ALWAYS_IN_BAR], own[ALWAYS_IN_BAR:IN_DESKTOP_BAR], own[IN_DESKTOP_BAR:])

"""Public holidays: the only module that asks the library for them.

For China the library holds the government's yearly notice with its make-up days as far as it was announced when the
library was made (``announced_until``). Later years have the statutory days alone; a site adds what is announced after
that in its own file of days.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from functools import cache

import holidays

from pro.core.schedule.anchors import WorkingDays

# A trial runs for some years; the library works out the moon's calendar for all of these at once.
YEARS = range(2020, 2061)


def countries() -> frozenset[str]:
    """The codes (ISO 3166-1, two letters) of the countries whose holidays are known."""
    return frozenset(holidays.list_supported_countries(include_aliases=False))


def working_days(country: str, off: Collection[date] = (), on: Collection[date] = ()) -> WorkingDays:
    """The working days of ``country`` ("": Monday to Friday), with a site's own days off and on laid over them."""
    known = _country(country) if country else WorkingDays()
    return WorkingDays((known.off - set(on)) | set(off), (known.on - set(off)) | set(on), known.weekend)


@cache
def announced_until(country: str) -> date | None:
    """The last day for which ``country``'s make-up days are known; None if it has no such days."""
    made_up = _country(country).on
    return date(max(made_up).year, 12, 31) if made_up else None


@cache
def _country(country: str) -> WorkingDays:
    found = holidays.country_holidays(country, years=YEARS)
    return WorkingDays(frozenset(found), frozenset(found.weekend_workdays), frozenset(found.weekend))

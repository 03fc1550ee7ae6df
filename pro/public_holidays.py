"""Public holidays and working days. Only this module imports the library ``holidays``.

For China the library holds the government's yearly notices, with make-up working days, up to the release of the library
(``announced_until``). Later years have the statutory holidays only; a site adds later notices in its own file of days.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from functools import cache

from pro.core.schedule.anchors import WorkingDays

# Longer than any study; the library computes all these years at once, with the lunar calendar.
YEARS = range(2020, 2061)


def countries() -> frozenset[str]:
    """Return the codes (ISO 3166-1, two letters) of the countries whose holidays are known."""
    import holidays

    return frozenset(holidays.list_supported_countries(include_aliases=False))


def working_days(country: str, off: Collection[date] = (), on: Collection[date] = ()) -> WorkingDays:
    """Return the working days of ``country`` ("": Monday to Friday) and of the site.

    ``off`` and ``on``: the site's own days off and working days; they take precedence over the public holidays.
    """
    known = _country(country) if country else WorkingDays()
    return WorkingDays((known.off - set(on)) | set(off), (known.on - set(off)) | set(on), known.weekend)


@cache
def announced_until(country: str) -> date | None:
    """Return the last day with known make-up working days; None if ``country`` has none."""
    made_up = _country(country).on
    return date(max(made_up).year, 12, 31) if made_up else None


@cache
def _country(country: str) -> WorkingDays:
    # Imported where it is needed: a command that scores a file needs no holidays.
    import holidays

    found = holidays.country_holidays(country, years=YEARS)
    return WorkingDays(frozenset(found), frozenset(found.weekend_workdays), frozenset(found.weekend))

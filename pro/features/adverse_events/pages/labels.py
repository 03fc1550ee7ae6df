"""Define the notices of adverse events."""

from __future__ import annotations

from pro.web import notices
from pro.web.notices import NN_
from pro.web.refusals import N_

# Notices after a post.
notices.add("judged", N_("Assessed and signed."), good=True)
notices.add(
    "judged_first",
    N_(
        "%(name)s assessed this participant meanwhile, %(at)s. Nothing of yours is saved yet. Look at that first; "
        "if yours shall count too, sign again."
    ),
)
notices.add(
    "judged_later",
    NN_(
        "%(num)s more alert came while you were reading. Nothing is signed yet; read it first, then sign again.",
        "%(num)s more alerts came while you were reading. Nothing is signed yet; read them first, then sign again.",
    ),
)
notices.add("event_ended", N_("The end is saved."), good=True)
notices.add("event_reported", N_("Saved: it has been reported."), good=True)
notices.add("event_before", N_("Somebody had saved this before. Nothing was changed."))
notices.add("stable_back", N_("The mark is taken back. From the next form on it counts as ever."), good=True)
notices.add("stable_gone", N_("This mark did not count any more. Nothing was changed."))

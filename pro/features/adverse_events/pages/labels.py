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
        "%(name)s assessed this participant at %(at)s, while you were working. Your entry is not "
        "saved. Read the new assessment; if yours still applies, sign again."
    ),
)
notices.add(
    "judged_later",
    NN_(
        "%(num)s new alert arrived while you were reading. Nothing was signed; read it first, then sign again.",
        "%(num)s new alerts arrived while you were reading. Nothing was signed; read them first, then sign again.",
    ),
)
notices.add("event_ended", N_("End date saved."), good=True)
notices.add("event_reported", N_("Saved: marked as reported."), good=True)
notices.add("event_before", N_("Already saved by someone else. Nothing was changed."))
notices.add("stable_back", N_("Mark removed. From the next form on, the symptom is evaluated as usual."), good=True)
notices.add("stable_gone", N_("This mark was no longer active. Nothing was changed."))

"""Labels of queries: states, steps, refusals and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import labels as web_labels
from pro.web import notices, refusals
from pro.web.refusals import N_, NP_

STATES: Mapping[str, str] = {
    "open": NP_("query", "Open"),
    "answered": NP_("query", "Answered"),
    "closed": NP_("query", "Closed"),
}
# Whose turn it is.
TURNS: Mapping[str, str] = {
    "open": N_("to be answered by the study coordinator"),
    "answered": N_("to be closed by the monitor"),
    "closed": N_("nothing to do"),
}
STEPS: Mapping[str, str] = {
    "asked": N_("Query asked"),
    "answered": N_("Query answered"),
    "asked_again": N_("Asked again"),
    "closed": N_("Query closed"),
}

web_labels.add_tables({"query": STATES, "query_turn": TURNS, "query_step": STEPS})

refusals.add(
    {
        "text_needed": N_("Enter a text."),
        "query_moved_on": N_(
            "A colleague was first: this query changed after you opened it. Nothing of yours was saved; your text is "
            "still in its field. Read the newest entry, then decide."
        ),
    }
)

notices.add("query_asked", N_("The query is open. A study coordinator will answer it."), good=True)
notices.add("query_answered", N_("The answer is saved. The monitor reads it and closes the query."), good=True)
notices.add("query_asked_again", N_("Asked again: the query is open."), good=True)
notices.add("query_closed", N_("The query is closed."), good=True)

"""Define the words of ulcers: states, results of endoscopies, decisions and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import notices
from pro.web.refusals import N_, NP_

STATES: Mapping[str, str] = {
    "none": N_("No known ulcer"),
    "suspected": N_("Suspected ulcer"),
    "confirmed": N_("Confirmed ulcer"),
    "cleared": N_("Ulcer resolved or ruled out"),
}
# The same states as a line of the history.
STATUS_CHANGES: Mapping[str, str] = {
    "none": N_("Resolved or ruled out"),
    "suspected": N_("Suspected"),
    "confirmed": NP_("ulcer", "Confirmed"),
}
RESULTS: Mapping[str, str] = {
    "normal": N_("No ulcer, no necrosis"),
    "ulcer": N_("Ulcer"),
    "necrosis": N_("Necrosis"),
    "unclear": N_("Unclear, needs re-examination"),
}
NOT_GRADED = N_("Not graded yet")
ABOUT: Mapping[str, str] = {"ulcer": N_("Ulcer"), "response": N_("Response at 50 Gy")}
CHOICES: Mapping[str, str] = {
    "continue": N_("Continue radiotherapy"),
    "pause": N_("Pause radiotherapy"),
    "stop": N_("Stop radiotherapy"),
    "other": N_("Other (see below)"),
}
STUDY_CHOICES: Mapping[str, str] = {
    "continue": N_("Continue the study"),
    "pause": N_("Pause the study"),
    "stop": N_("Stop the study"),
    "other": N_("Other (see below)"),
}
BASES: Mapping[str, str] = {
    "actual": N_("taken place"),
    "planned": N_("planned"),
    "expected": N_("projected, not recorded yet"),
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "state": STATES,
    "turn": STATUS_CHANGES,
    "result": RESULTS,
    "about": ABOUT,
    "choice": CHOICES,
    "study_choice": STUDY_CHOICES,
    "basis": BASES,
}

# Notices after a post.
notices.add("endoscopy_asked", N_("Endoscopy requested. It stays on the list until a result is recorded."), good=True)
notices.add("endoscopy_done", N_("Result saved. Nothing else was changed."), good=True)
notices.add("endoscopy_taken_back", N_("Cancelled. The record is still shown below."), good=True)
notices.add("endoscopy_meanwhile", N_("Nothing was saved: %(name)s was faster, %(at)s. The current state is shown."))
notices.add("decision_signed", N_("The decision has been signed."), good=True)

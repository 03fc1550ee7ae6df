"""Define the words of ulcers: states, results of endoscopies, decisions and notices."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web import notices
from pro.web.refusals import N_

STATES: Mapping[str, str] = {
    "none": N_("No ulcer known"),
    "suspected": N_("Suspected ulcer"),
    "confirmed": N_("Confirmed ulcer"),
    "cleared": N_("Ulcer cleared"),
}
# The same states as a line of the history.
STATUS_CHANGES: Mapping[str, str] = {"none": N_("Cleared"), "suspected": N_("Suspected"), "confirmed": N_("Confirmed")}
RESULTS: Mapping[str, str] = {
    "normal": N_("No ulcer, no necrosis"),
    "ulcer": N_("Ulcer"),
    "necrosis": N_("Necrosis"),
    "unclear": N_("Unclear; to be looked at again"),
}
NOT_GRADED = N_("Not graded yet")
ABOUT: Mapping[str, str] = {"ulcer": N_("The ulcer"), "response": N_("The response at 50 Gy")}
CHOICES: Mapping[str, str] = {
    "continue": N_("Radiotherapy goes on"),
    "pause": N_("Radiotherapy pauses"),
    "stop": N_("Radiotherapy stops"),
    "other": N_("Something else, as written below"),
}
STUDY_CHOICES: Mapping[str, str] = {
    "continue": N_("The study goes on"),
    "pause": N_("The study pauses"),
    "stop": N_("The study stops"),
    "other": N_("Something else, as written below"),
}
BASES: Mapping[str, str] = {
    "actual": N_("has happened"),
    "planned": N_("planned"),
    "expected": N_("expected, not yet recorded"),
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
notices.add("endoscopy_asked", N_("The endoscopy is asked for. It stands on the list until it is done."), good=True)
notices.add("endoscopy_done", N_("The result is saved. Nothing else was changed by it."), good=True)
notices.add("endoscopy_taken_back", N_("Taken back. It can still be read below."), good=True)
notices.add("endoscopy_meanwhile", N_("Nothing was saved: %(name)s was first, %(at)s. This is how it stands now."))
notices.add("decision_signed", N_("The decision is signed and kept."), good=True)

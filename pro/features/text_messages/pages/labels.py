"""Words for staff about texts: the red flags that the screening names, and what a text was taken for."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web.refusals import N_

# The classes of the shipped lexicon (docs/domain.md 5); a site's own class is shown by its id.
RED_FLAGS: Mapping[str, str] = {
    "bleed_major": N_("heavy bleeding"),
    "bleed": N_("bleeding"),
    "odor": N_("foul smell"),
    "tissue": N_("tissue coming off"),
    "pain": N_("severe pain or headache"),
    "swallow": N_("trouble swallowing"),
    "swallow_total": N_("cannot swallow at all"),
    "breath": N_("cannot breathe"),
    "chest": N_("chest pain or tightness"),
    "palp": N_("palpitations"),
    "fever": N_("fever"),
    "faint": N_("fainting"),
    "neuro": N_("double vision, weakness or other nerve signs"),
    "suicide": N_("thoughts of dying or self-harm"),
    # No red flag, but for a person to ask about.
    "picture": N_("a picture or another file"),
}

# How a red flag was meant, as the screening read it.
FLAG_STATUSES: Mapping[str, str] = {
    "affirmed": N_("said so"),
    "negated": N_("said not to be so"),
    "hypothetical": N_("feared or asked about"),
    "resolved": N_("said to be over"),
    "near": N_("said to be nearly so"),
    "attached": N_("came with the text; it is not kept here, please ask what it shows"),
}

# What a text was taken for.
TEXT_READINGS: Mapping[str, str] = {
    "answer": N_("Taken as an answer"),
    "command": N_("Taken as a command"),
    "unclear": N_("Not understood"),
    "late": N_("Came too late for its form"),
    "text": N_("No question was open"),
    "unmatched": N_("From a number that nobody knew"),
}

# What became of a text of ours; why stands beside it.
DELIVERY_STATUSES: Mapping[str, str] = {
    "waiting": N_("Waiting to be sent"),
    "sent": N_("Sent"),
    "delivered": N_("Delivered"),
    "failed": N_("Failed"),
    "dropped": N_("Not sent"),
}

TABLES: Mapping[str, Mapping[str, str]] = {
    "flag": RED_FLAGS,
    "meant": FLAG_STATUSES,
    "taken": TEXT_READINGS,
    "text_state": DELIVERY_STATUSES,
}

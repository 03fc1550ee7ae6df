"""Consents and corrections in words."""

from __future__ import annotations

from collections.abc import Mapping

from pro.web.refusals import N_

# How the participant confirmed a correction.
HEARD: Mapping[str, str] = {
    "phone": N_("By phone"),
    "visit": N_("Face to face"),
    "text": N_("In a text message"),
    "letter": N_("In writing"),
}

# How a consent was signed, and what a withdrawal ends.
CONSENT_WAYS: Mapping[str, str] = {
    "paper": N_("On paper"),
    "witness": N_("On paper, before a witness"),
    "electronic": N_("Electronically"),
}
SCOPES: Mapping[str, str] = {
    "questions": N_("No more questions; what was answered stays in the study"),
    "data": N_("No more questions, and no further use of the data either"),
}

TABLES: Mapping[str, Mapping[str, str]] = {"heard": HEARD, "consent_way": CONSENT_WAYS, "scope": SCOPES}

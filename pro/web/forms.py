"""What forms of several features share: formats, filters, options, and the form of a phone call.

What only the database knows is checked by the services.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    DateTimeLocalField,
    RadioField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from pro.web.labels import CALL_OUTCOMES
from pro.web.refusals import N_, REFUSALS
from pro.web.typed_moments import local_now

NOTE_LENGTH = 4000
REASON_LENGTH = 500
# What browsers send for a day and a time, and what is typed where they have no field for it. The first is shown.
TYPED_MOMENTS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")
# As a browser without a calendar lets them be typed.
DATE_FORMATS = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"]


def choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """(value, label) pairs as options of a field."""
    return [SelectChoice(value, label) for value, label in pairs]


def posted_row_number(text: str | None) -> int | None:
    """The number of a row as a page posts it; None for anything that no row could have."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def trim(text: str | None) -> str | None:
    """Cut spaces off both ends."""
    return text.strip() if text else text


def to_half_width(text: str | None) -> str | None:
    """Full-width digits and letters, as a Chinese keyboard types them, count as plain ones."""
    return unicodedata.normalize("NFKC", text).strip() if text else text


class CallForm(FlaskForm):
    """A phone call that was made. Field names are those of ``missed_forms.log_call``."""

    outcome = RadioField(
        N_("What came of the call"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=choices(CALL_OUTCOMES.items()),
        validators=[InputRequired(REFUSALS["call_outcome"])],
    )
    at = DateTimeLocalField(
        N_("When you called"), format=list(TYPED_MOMENTS), validators=[InputRequired(REFUSALS["call_at"])]
    )
    text = TextAreaField(
        N_("What was said"),
        filters=[trim],
        validators=[Length(max=NOTE_LENGTH, message=N_("The note is too long. At most 4000 characters."))],
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """True if everything typed can be passed on."""
        fine = bool(super().validate(extra_validators))
        if self.at.process_errors:
            self.at.errors = [REFUSALS["call_at"]]
        return fine

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


def blank_call_form(text: str = "") -> CallForm:
    """The form for a call that was just made; ``text``: what was typed before a sign-in."""
    return CallForm(formdata=None, at=local_now(), text=text)

"""Shared parts of forms: formats, filters, options, and the form for a phone call.

Services check what depends on the database.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import RadioField, TextAreaField, fields
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from pro.web.labels import CALL_OUTCOMES
from pro.web.refusals import N_, REFUSALS
from pro.web.typed_moments import local_now

NOTE_LENGTH = 4000
# Of an INTEGER column; PostgreSQL refuses to compare a larger number with one.
LARGEST_ID = 2**31 - 1
# Years outside are slips of the keyboard, and the first and last ones have no moment in every time zone.
FIRST_YEAR, LAST_YEAR = 1900, 2199
REASON_LENGTH = 500
# Formats of date and time: as browsers send them, and as typed without a date field. The first one is displayed.
TYPED_MOMENTS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")
# Formats of dates, as typed in browsers without a date field.
DATE_FORMATS = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"]


class DateField(fields.DateField):
    """A day; a year outside FIRST_YEAR to LAST_YEAR is refused like a text that is no day."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the typed day."""
        super().process_formdata(valuelist)
        if self.data is not None and not FIRST_YEAR <= self.data.year <= LAST_YEAR:
            setattr(self, "data", None)  # noqa: B010  the type of the field’s data is a date
            raise ValueError(self.gettext("Not a valid date value."))


class DateTimeLocalField(fields.DateTimeLocalField):
    """A day and time; a year outside FIRST_YEAR to LAST_YEAR is refused like a text that is no time."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the typed day and time."""
        super().process_formdata(valuelist)
        if self.data is not None and not FIRST_YEAR <= self.data.year <= LAST_YEAR:
            setattr(self, "data", None)  # noqa: B010  the type of the field’s data is a date
            raise ValueError(self.gettext("Not a valid datetime value."))


def choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """Return (value, label) pairs as options of a field."""
    return [SelectChoice(value, label) for value, label in pairs]


def posted_row_number(text: str | None) -> int | None:
    """Return the posted database number of a row; None if ``text`` is not a valid number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def trim(text: str | None) -> str | None:
    """Return ``text`` without whitespace at both ends."""
    return text.strip() if text else text


def to_half_width(text: str | None) -> str | None:
    """Return ``text`` with full-width characters (Chinese keyboard) as half-width, trimmed."""
    return unicodedata.normalize("NFKC", text).strip() if text else text


class CallForm(FlaskForm):
    """Form to log a phone call. Field names are those of ``missed_forms.log_call``."""

    outcome = RadioField(
        N_("Call outcome"),
        invalid_choice_message=REFUSALS["unknown"],
        choices=choices(CALL_OUTCOMES.items()),
        validators=[InputRequired(REFUSALS["call_outcome"])],
    )
    at = fields.DateTimeLocalField(
        N_("Time of the call"), format=list(TYPED_MOMENTS), validators=[InputRequired(REFUSALS["call_at"])]
    )
    text = TextAreaField(
        N_("Content of the call"),
        filters=[trim],
        validators=[Length(max=NOTE_LENGTH, message=N_("The note is too long: at most 4000 characters."))],
    )

    def validate(self, extra_validators: Any = None) -> bool:
        """Return True if every field is valid."""
        is_valid = bool(super().validate(extra_validators))
        if self.at.process_errors:
            self.at.errors = [REFUSALS["call_at"]]
        return is_valid

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Show the service's refusals (field: why) beside their fields."""
        for name, why in problems.items():
            self[name].errors = [REFUSALS.get(why, why)]


def blank_call_form(text: str = "") -> CallForm:
    """Return an empty form for a call made now; ``text`` restores text typed before a sign-in."""
    return CallForm(formdata=None, at=local_now(), text=text)


def read_id(text: str) -> int | None:
    """Return the row id in ``text``; None if it is none: not ASCII digits, or larger than any id."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None

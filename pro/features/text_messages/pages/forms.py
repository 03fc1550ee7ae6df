"""What staff can type about texts: a reply, whom a text belongs to, why one is set aside."""

from __future__ import annotations

from collections.abc import Mapping

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from pro.features.text_messages.pages import labels
from pro.web import request_context
from pro.web.forms import REASON_LENGTH, trim
from pro.web.refusals import N_, REFUSALS

TEXT_LENGTH = 1000


class RefusableForm(FlaskForm):
    """A form that takes a service's refusals beside its fields."""

    def refuse(self, problems: Mapping[str, str], **values: object) -> None:
        """Put the refusals (field: why) beside their fields; ``values`` fill in what a sentence names."""
        for name, why in problems.items():
            if name in self and not self[name].errors:
                sentence = REFUSALS.get(why, why)
                # A sentence that names a number is translated before it is filled in.
                self[name].errors = [request_context.translator().gettext(sentence, **values) if values else sentence]


class FixedTextForm(RefusableForm):
    """One of the fixed texts."""

    kind = RadioField(
        N_("Text to send"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(labels.REFUSALS["reply_kind"])],
    )


class FreeTextForm(RefusableForm):
    """A text in the sender's own words. Its length is judged by the service, which knows the alphabet."""

    text = TextAreaField(
        N_("Your text"),
        filters=[trim],
        validators=[
            InputRequired(labels.REFUSALS["reply_empty"]),
            Length(max=TEXT_LENGTH, message=REFUSALS["too_long"]),
        ],
    )


class AssignForm(RefusableForm):
    """Whom a text belongs to, and how that is known."""

    participant = SelectField(N_("Who wrote it"), coerce=str, validate_choice=False)
    reason = StringField(
        N_("How do you know?"),
        filters=[trim],
        validators=[
            InputRequired(labels.REFUSALS["assign_reason"]),
            Length(max=REASON_LENGTH, message=REFUSALS["too_long"]),
        ],
    )


class DismissForm(RefusableForm):
    """Why a text concerns nobody in the study."""

    reason = StringField(
        N_("Why does it concern nobody in the study?"),
        id="aside-reason",
        filters=[trim],
        validators=[
            InputRequired(labels.REFUSALS["assign_reason"]),
            Length(max=REASON_LENGTH, message=REFUSALS["too_long"]),
        ],
    )

"""Forms of staff about texts: reply, assign to a participant, dismiss."""

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
    """A form that shows a service's refusals beside its fields."""

    def refuse(self, problems: Mapping[str, str], **values: object) -> None:
        """Put the refusals (field: why) beside their fields; ``values`` fill their placeholders."""
        for name, why in problems.items():
            if name in self and not self[name].errors:
                sentence = REFUSALS.get(why, why)
                # A sentence with placeholders is translated before they are filled.
                self[name].errors = [request_context.translator().gettext(sentence, **values) if values else sentence]


class FixedTextForm(RefusableForm):
    """Choice of one of the fixed texts."""

    kind = RadioField(
        N_("Message to send"),
        invalid_choice_message=REFUSALS["unknown"],
        validators=[InputRequired(labels.REFUSALS["reply_kind"])],
    )


class FreeTextForm(RefusableForm):
    """A text in the sender's own words. The service checks its length in the text's alphabet."""

    text = TextAreaField(
        N_("Your message"),
        filters=[trim],
        validators=[
            InputRequired(labels.REFUSALS["reply_empty"]),
            Length(max=TEXT_LENGTH, message=REFUSALS["too_long"]),
        ],
    )


class AssignForm(RefusableForm):
    """The participant whom a text belongs to, and the reason."""

    participant = SelectField(N_("Sender"), coerce=str, validate_choice=False)
    reason = StringField(
        N_("Evidence"),
        filters=[trim],
        validators=[
            InputRequired(labels.REFUSALS["assign_reason"]),
            Length(max=REASON_LENGTH, message=REFUSALS["too_long"]),
        ],
    )


class DismissForm(RefusableForm):
    """The reason why a text does not concern the study."""

    reason = StringField(
        N_("Why is it unrelated to the study?"),
        id="aside-reason",
        filters=[trim],
        validators=[
            InputRequired(labels.REFUSALS["assign_reason"]),
            Length(max=REASON_LENGTH, message=REFUSALS["too_long"]),
        ],
    )

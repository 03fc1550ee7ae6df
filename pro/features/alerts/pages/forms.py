"""Forms of the pages of alerts and adverse events: grading, outcome, call, note, known and stable symptoms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import (
    Field,
    HiddenField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from pro.features.accounts.signatures import CredentialRefusal
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts.pages.labels import ATTRIBUTIONS, CARE_REFUSALS, DISPOSITIONS, NO_EVENT
from pro.web import request_context
from pro.web.forms import (
    DATE_FORMATS,
    NOTE_LENGTH,
    TYPED_MOMENTS,
    CallForm,
    DateField,
    DateTimeLocalField,
    choices,
    posted_row_number,
    trim,
)
from pro.web.refusals import N_, REFUSALS

ANOTHER_TERM = "another"
CLOSING_DISPOSITIONS = ("admitted", "outpatient", "watching", "elsewhere", "no_action")


class ServiceCheckedForm(FlaskForm):
    """A form whose refusals come from a service, field by field."""

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put refusals (field: why) beside their fields; one whose field is not on the page stands by the first."""
        for name, why in problems.items():
            field: Field = self[name] if name in self else next(iter(self))
            field.errors = [CARE_REFUSALS.get(why) or REFUSALS.get(why, why)]

    def unreadable_dates(self) -> dict[str, str]:
        """Return the dates and times that cannot be read, as refusals."""
        wrong = {}
        for field in self:
            if isinstance(field, DateField) and field.raw_data and field.raw_data[0] and field.data is None:
                wrong[field.name] = "awareness_time" if isinstance(field, DateTimeLocalField) else "date_needed"
        return wrong


class GradingForm(ServiceCheckedForm):
    """A clinician's grading, to be signed.

    ``seen``: the newest grading that the page showed. ``shown``: the term whose grades stand on it.
    """

    # Of the study's terms: a serious event is reported within so many.
    report_hours = 0
    seen = HiddenField()
    shown = HiddenField()
    # Says that what was typed outlives the session.
    keep = HiddenField(default="1")
    event = RadioField(N_("New or known event?"), validate_choice=False)
    term = RadioField(N_("Term"), validate_choice=False)
    another = SelectField(N_("Another term"), validate_choice=False)
    other_term = StringField(N_("Specify (if no term fits)"))
    grade = RadioField(N_("Grade"), validate_choice=False)
    onset_date = DateField(N_("Onset date"), format=DATE_FORMATS)
    from_on = DateField(N_("Grade valid from"), format=DATE_FORMATS)
    attribution = SelectMultipleField(
        N_("Possible causes (select all that apply)"), choices=choices(ATTRIBUTIONS.items()), validate_choice=False
    )
    serious = RadioField(
        N_("Serious adverse event?"),
        choices=[SelectChoice("yes", N_("Yes")), SelectChoice("no", N_("No"))],
        validate_choice=False,
    )
    # Shown once the service asked for it; ``serious_signs`` are the words of what it found.
    not_serious = TextAreaField(N_("Reason why it is not a serious adverse event"))
    serious_signs: tuple[str, ...] = ()
    awareness_time = DateTimeLocalField(N_("Date and time the site became aware (SAE)"), format=list(TYPED_MOMENTS))
    action = TextAreaField(N_("Action taken"))
    password = PasswordField(N_("Your password (as signature)"))

    def offer(self, terms: Iterable[tuple[str, str]], suggested: list[str], events: list[tuple[str, str]]) -> None:
        """Offer the terms, the suggested ones as buttons, and the ongoing events."""
        named = dict(terms)
        first = [(term, named[term]) for term in suggested if term in named]
        self.term.choices = choices([*first, (ANOTHER_TERM, N_("Another term"))] if first else [])
        if not first:
            self.another.label.text = N_("Term")
        self.another.choices = choices([("", request_context.translator().gettext("Please choose")), *named.items()])
        self.event.choices = choices([("", N_("New adverse event")), *events] if events else [])

    @property
    def chosen(self) -> str:
        """The term that is chosen now, "" for none."""
        term = self.term.data if self.term.choices else ANOTHER_TERM
        return (self.another.data or "") if term == ANOTHER_TERM else (term or "")

    @property
    def event_id(self) -> int | None:
        """The event that gets a new grade, if one is chosen."""
        return posted_row_number(self.event.data)

    def grading_draft(self) -> GradingDraft:
        """Return the typed values for the service."""
        serious = {"yes": True, "no": False}.get(self.serious.data or "")
        known: datetime | None = self.awareness_time.data
        return GradingDraft(
            term=self.chosen,
            other_term=self.other_term.data or "",
            onset_date=self.onset_date.data,
            grade=posted_row_number(self.grade.data),
            attribution=tuple(self.attribution.data or ()),
            serious=serious,
            awareness_time=known.replace(tzinfo=ZoneInfo(request_context.state().zone)) if known else None,
            action=self.action.data or "",
            event_id=self.event_id,
            from_on=self.from_on.data,
            not_serious=self.not_serious.data or "",
        )

    def refuse_signature(self, refusal: CredentialRefusal) -> None:
        """Show why the grading could not be signed."""
        self.refuse({"password": refusal.why})


class NoEventForm(ServiceCheckedForm):
    """The reason why an alert is no adverse event, to be signed."""

    seen = HiddenField(id="none-seen")
    keep = HiddenField(default="1", id="none-keep")
    none_reason = RadioField(
        N_("Reason for no adverse event"), choices=choices(NO_EVENT.items()), validate_choice=False
    )
    action = TextAreaField(N_("Findings"), id="none-action")
    password = PasswordField(N_("Your password (as signature)"), id="none-password")

    def grading_draft(self) -> GradingDraft:
        """Return the typed values for the service."""
        return GradingDraft(none_reason=self.none_reason.data or "none", action=self.action.data or "")

    def refuse_signature(self, refusal: CredentialRefusal) -> None:
        """Show why the grading could not be signed."""
        self.refuse({"password": refusal.why})


class CloseForm(ServiceCheckedForm):
    """The outcome of the alerts of one form."""

    keep = HiddenField(default="1", id="close-keep")
    disposition = RadioField(
        N_("Outcome"),
        choices=choices((key, DISPOSITIONS[key]) for key in CLOSING_DISPOSITIONS),
        validate_choice=False,
    )
    reason = StringField(N_("Comment (required if no action is needed)"), id="close-reason")
    # Shown once the service asked for it.
    not_serious = StringField(N_("Reason why this admission is not a serious adverse event"), id="close-not-serious")


class StableForm(ServiceCheckedForm):
    """The symptoms that are known and stable, with the reason."""

    keep = HiddenField(default="1", id="stable-keep")
    items = SelectMultipleField(N_("Known and stable"), validate_choice=False)
    reason = StringField(N_("Reason"), id="stable-why")


class AlertCallForm(CallForm):
    """A call about an alert; its text is not the note's."""

    keep = HiddenField(default="1", id="call-keep")
    text = TextAreaField(
        N_("Content of the call"), id="call-text", filters=[lambda text: text.strip() if text else text]
    )


class EventEndForm(ServiceCheckedForm):
    """The end date of an event."""

    end_date = DateField(N_("End date"), format=DATE_FORMATS)


class NoteForm(FlaskForm):
    """A note on the alerts of one form."""

    text = TextAreaField(
        N_("Note"),
        filters=[trim],
        validators=[
            DataRequired(N_("The note is empty. Enter what you did or found.")),
            Length(max=NOTE_LENGTH, message=N_("The note is too long: at most 4000 characters.")),
        ],
    )

"""Labels for staff: words for stored keys (roles, states, reasons), and formats of times.

Every function uses the language of the page. A key without a label is shown unchanged, never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask
from markupsafe import Markup

from pro.core.rule_language.level import Level
from pro.core.schedule.intervals import Interval
from pro.web import request_context
from pro.web.refusals import N_, NP_, REFUSALS

# Time limits for staff (docs/domain.md 3.3): acknowledge an emergency, contact the participant of an urgent alert.
ACT_WITHIN: Mapping[Level, timedelta] = {
    Level.EMERGENCY: timedelta(minutes=30),
    Level.URGENT: timedelta(hours=24),
}

ROLES: Mapping[str, str] = {
    "coordinator": N_("study coordinator"),
    "investigator": N_("investigator"),
    "nurse": N_("research nurse"),
    "monitor": N_("monitor"),
    "statistician": N_("statistician"),
    "administrator": N_("administrator"),
}

PLACES: Mapping[str, str] = {"on_call": N_("On call now"), "backup": N_("Backup")}
# The same places on the duty roster, where most shifts are in the future.
PLACES_HELD: Mapping[str, str] = {"on_call": N_("On call"), "backup": N_("Backup")}

FORM_STATES: Mapping[str, str] = {
    "issued": N_("Sent, not started"),
    "started": N_("Started, not finished"),
    "submitted": N_("Received"),
    "cancelled": N_("Cancelled"),
    "expired": N_("Expired without an answer"),
}

# The scope of a withdrawal of consent.
WITHDRAWAL_SCOPES: Mapping[str, str] = {
    "questions": N_("No more questionnaires; existing answers remain in the study"),
    "data": N_("No more questionnaires, and no further use of existing data"),
}

PARTICIPANT_STATES: Mapping[str, str] = {
    "active": N_("In the study"),
    "withdrawn": N_("Withdrawn"),
    "died": N_("Died"),
    "mistake": N_("Enrolled by mistake"),
}

MESSAGE_STATES: Mapping[str, str] = {
    "waiting": N_("Queued"),
    "sent": N_("Sent"),
    "delivered": N_("Delivered"),
    "failed": NP_("message", "Failed"),
    "dropped": N_("Dropped, no longer useful"),
}

CHANNELS: Mapping[str, str] = {"email": N_("by email"), "sms": N_("by text message")}

TEMPLATES: Mapping[str, str] = {
    "alert": N_("Alert"),
    "alert_escalation": N_("Alert escalation"),
    "alert_sms": N_("Alert by text message"),
    "daily_digest": N_("Daily digest"),
    "test_alert": N_("Weekly test alert"),
    "test_alert_sms": N_("Weekly test alert by text message"),
    "test_alert_failed": N_("Weekly test alert failed"),
    "form_message": N_("Form message with link"),
    "form_message_code": N_("Form message with code"),
    "reminder": N_("Reminder with link"),
    "reminder_code": N_("Reminder with code"),
    "safety": N_("Safety message"),
    "question": N_("Question"),
    "advice": N_("Emergency advice"),
    "thanks": N_("Thank-you message"),
    "clarify": N_("Clarification request"),
    "clarify_free": N_("Clarification request"),
    "onward_link": N_("Link to continue"),
    "onward_code": N_("Code to continue"),
    "stopped": N_("Opt-out confirmation"),
    "started": N_("Opt-in confirmation"),
    "help": N_("Help"),
    "help_contact": N_("Help"),
    "unknown_sender": N_("Text message from an unknown number"),
    "staff_call": N_("Callback request"),
    "staff_soon": N_("Notice: we will call"),
    "staff_text": N_("Free-text message"),
    "staff_invitation": N_("Invitation of a colleague"),
    "staff_reset": N_("Link for a new password"),
}

TEST_ALERT_STATES: Mapping[str, str] = {
    "running": N_("Running"),
    "passed": NP_("test alert", "Confirmed"),
    "failed": NP_("test alert", "Failed"),
    "overdue": N_("Not held"),
}

TEST_ALERT_FAILURES: Mapping[str, str] = {
    "not_confirmed": N_("Not confirmed in time. Ask the staff notified whether they received it and, if not, why."),
    "not_delivered": N_("A message was not delivered. Find out why and ask the IT department to run another test."),
    "nobody_on_duty": N_("Nobody was on duty. Enter the on-call staff and ask the IT department to run another test."),
    "not_an_emergency": N_("The rules did not rate it as an emergency. Tell the person who maintains the plan file."),
}

WORDING: Mapping[str, str] = {
    "not debriefed": N_("Own wording, not yet cognitively debriefed with patients."),
    "demonstration": N_("Demonstration wording, not the licensed questionnaire. Do not use with patients."),
    "licensed": N_("Licensed wording."),
}

BASIS: Mapping[str, str] = {"L": N_("literature"), "C": N_("CTCAE"), "E": N_("expert opinion")}

ANSWERED_BY: Mapping[str, str] = {
    "self": N_("answered by the participant"),
    "helped": N_("answered with help"),
    "proxy": N_("answered by someone else on the participant’s behalf"),
    "staff": N_("entered by staff"),
}

IDENTIFIED: Mapping[str, str] = {
    "link": N_("entered with a link"),
    "code": N_("entered with a code"),
    "card": N_("entered with card and PIN"),
    "phone": N_("identified by phone number"),
}

MODES: Mapping[str, str] = {
    "web": N_("on a web page"),
    "sms": N_("by text message"),
    "chat": N_("in the chat"),
    "phone": N_("in a phone interview"),
    "paper": N_("on paper"),
}

LANGUAGES: Mapping[str, str] = {"zh_Hans": N_("Chinese"), "en": N_("English")}

EVENTS: Mapping[str, str] = {
    "alert.raised": N_("Alert raised by rule"),
    "alert.uncovered": N_("No longer superseded by a more urgent alert, rule"),
    "alert.closed_itself": N_("Alert closed automatically, answer received; rule"),
    "alert.superseded": N_("Superseded by a more urgent rule"),
    "alert.advised": N_("Participant saw the emergency advice and continued; rule"),
    "alert.corrected": N_("Participant saw the emergency advice and changed the answer; rule"),
    "alert.acknowledged": N_("Acknowledged by"),
    "alert.taken_over": N_("Taken over by"),
    "alert.closed": N_("Closed by"),
    "grading.signed": N_("Assessed and signed by"),
    "call.made": N_("Called by"),
    "assessment.submitted": N_("Form received"),
    "message.waiting": N_("Alert email being sent to"),
    "message.sent": N_("Alert email sent to"),
    "message.delivered": N_("Alert email delivered to"),
    "message.failed": N_("Alert email not sent to"),
    "message.dropped": N_("Alert email no longer needed, not sent to"),
}

# Short names of this project for the scales of QLQ-C30 (docs/domain.md 1.2).
SCALES: Mapping[str, str] = {
    "QL": N_("Global health and quality of life"),
    "PF": N_("Physical functioning"),
    "RF": N_("Role functioning"),
    "EF": N_("Emotional functioning"),
    "CF": N_("Cognitive functioning"),
    "SF": N_("Social functioning"),
    "FA": N_("Fatigue"),
    "NV": N_("Nausea and vomiting"),
    "PA": N_("Pain"),
    "DY": N_("Breathlessness"),
    "SL": N_("Sleep trouble"),
    "AP": N_("Loss of appetite"),
    "CO": N_("Constipation"),
    "DI": N_("Diarrhea"),
    "FI": N_("Financial difficulties"),
    "C30SUMMARY": N_("Summary score"),
}

# Outcomes of a phone call, by the keys of ``models.CALL_OUTCOMES``.
CALL_OUTCOMES: Mapping[str, str] = {
    "reached": N_("Participant reached"),
    "reached_relative": N_("Relative reached"),
    "no_answer": N_("Call not answered"),
    "wrong_number": N_("Wrong number"),
    "refused": N_("Participant reached, declines to continue"),
    "died": N_("The participant has died"),
}

# Outcomes of a call task.
TASK_ENDS: Mapping[str, str] = {**CALL_OUTCOMES, "answered": N_("A form was answered before any call")}

CARD_STATES: Mapping[str, str] = {
    "made": N_("Created, not used yet"),
    "used": NP_("card", "Active"),
    "locked": N_("Locked after five wrong PINs"),
    "revoked": N_("Revoked"),
}

# States of an expected form.
EXPECTED_FORM_STATES: Mapping[str, str] = {
    "not_open": N_("Not open yet"),
    "open": NP_("form state", "Open"),
    "due": N_("Due today"),
    "late": N_("Overdue, still open"),
    "received": N_("Received"),
    "partial": N_("Partially completed, not submitted"),
    "served_elsewhere": N_("Covered by the form of another visit"),
    "missed": N_("Missed"),
    "expired": N_("Not answered (optional)"),
}

# Reasons for a missing form (docs/domain.md 6, rule 4).
MISSING_REASONS: Mapping[str, str] = {
    "forgot": N_("Forgot"),
    "too_ill": N_("Too ill"),
    "refused": N_("Declined to answer"),
    "technical": N_("Technical problem"),
    "administrative": N_("Organisational reason"),
}

# Effects of a changed date on an expected form.
DATE_CHANGE_EFFECTS: Mapping[str, str] = {
    "moved": N_("rescheduled"),
    "added": N_("new"),
    "dropped": N_("cancelled"),
    "opened": N_("unchanged, already opened"),
    "over": N_("unchanged, window closed"),
}

TABLES: dict[str, Mapping[str, str]] = {
    "role": ROLES,
    "place": PLACES,
    "place_held": PLACES_HELD,
    "form": FORM_STATES,
    "participant": PARTICIPANT_STATES,
    "message": MESSAGE_STATES,
    "channel": CHANNELS,
    "template": TEMPLATES,
    "test_alert": TEST_ALERT_STATES,
    "test_alert_failure": TEST_ALERT_FAILURES,
    "wording": WORDING,
    "basis": BASIS,
    "answered_by": ANSWERED_BY,
    "mode": MODES,
    "identified": IDENTIFIED,
    "language": LANGUAGES,
    "event": EVENTS,
    "scale": SCALES,
    "refusal": REFUSALS,
    "call": CALL_OUTCOMES,
    "card": CARD_STATES,
    "task_end": TASK_ENDS,
    "ledger": EXPECTED_FORM_STATES,
    "missing": MISSING_REASONS,
    "move": DATE_CHANGE_EFFECTS,
}


def word(table: str, key: str | None) -> str:
    """Return the label of ``key`` in the table named ``table``, in the page's language.

    Return the key itself if it has no label, "" if ``key`` is empty or None. Raises KeyError for an unknown table.
    """
    if not key:
        return ""
    label = TABLES[table].get(key)
    return request_context.translator().gettext(label) if label else key


def waiting_time(since: datetime, until: datetime) -> str:
    """Return the time from ``since`` to ``until`` in at most two units, rounded down.

    Examples: 4 min, 5 h 20 min, 2 days.
    """
    ngettext = request_context.translator().ngettext
    minutes = max(0, int((until - since).total_seconds() // 60))
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return ngettext("%(num)s day", "%(num)s days", hours // 24)
    if hours >= 12 or (hours and not rest):
        return ngettext("%(num)s h", "%(num)s h", hours)
    if hours:
        return request_context.translator().gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=rest)
    return ngettext("%(num)s min", "%(num)s min", minutes)


def moment_shown(at: datetime, now: datetime) -> str:
    """Return ``at`` in the page's zone, as short as it is clear.

    Examples: 03:01 (today), yesterday 21:45, 20 Nov 14:02; the year is added if it is not the current one.
    """
    zone = ZoneInfo(request_context.state().zone)
    day, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    day_offset = (day - today).days
    if day_offset == 0:
        pattern = N_("HH:mm")
    elif day_offset == -1:
        pattern = N_("'yesterday' HH:mm")
    elif day_offset == 1:
        pattern = N_("'tomorrow' HH:mm")
    elif day.year == today.year:
        pattern = N_("d MMM HH:mm")
    else:
        pattern = N_("d MMM y HH:mm")
    return request_context.when(at, pattern)


def weekday_shown(at: datetime) -> str:
    """Return a day with its weekday: Sun 22 Nov."""
    return request_context.when(at, N_("EEE d MMM"))


def hours_shown(part: Interval, day: Interval) -> str:
    """Return the hours of ``part`` of a local ``day``: 08:00–20:00.

    The whole day is "all day"; midnight at the end of the day is 24:00.
    """
    if part == day:
        return request_context.translator().gettext("all day")
    ends = "24:00" if part.ends == day.ends else request_context.when(part.ends, N_("HH:mm"))
    return f"{request_context.when(part.starts, N_('HH:mm'))}–{ends}"


def zone_shown(now: datetime) -> str:
    """Return the time zone of the page with its offset at ``now``: Beijing time (UTC+8)."""
    name = request_context.state().zone
    minutes = int((now.astimezone(ZoneInfo(name)).utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    offset = f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
    shown = request_context.translator().gettext("Beijing time") if name == "Asia/Shanghai" else name
    return request_context.translator().gettext("%(zone)s (%(offset)s)", zone=shown, offset=offset)


def act_by(level: Level, raised_at: datetime) -> datetime | None:
    """Return the time by which staff must act on an alert of ``level``.

    None if the next working day is soon enough.
    """
    within = ACT_WITHIN.get(level)
    return raised_at + within if within else None


def phone_shown(number: str) -> str:
    """Return an E.164 number in groups that can be read aloud: +86 199 0000 0007."""
    if number.startswith("+86") and len(number) == 14:
        return f"+86 {number[3:6]} {number[6:10]} {number[10:]}"
    return number


def score_shown(value: float | None) -> str | Markup:
    """Return a score rounded for display; a missing score is a word, never 0."""
    if value is None:
        return Markup('<span class="miss">%s</span>') % request_context.translator().gettext("missing")
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def parse_instant(text: str) -> datetime:
    """Return the time that a notice carries as ISO text."""
    return datetime.fromisoformat(text)


def basis_shown(letters: str) -> str:
    """Return the basis of a rule from its letters: "L+E" is literature, expert opinion."""
    return request_context.translator().gettext(", ").join(word("basis", letter) for letter in letters.split("+"))


def add_tables(tables: Mapping[str, Mapping[str, str]]) -> None:
    """Add the label tables of a feature to those that every feature shares."""
    TABLES.update(tables)


def install(app: Flask) -> None:
    """Register the filters and functions that staff templates use for labels."""
    app.jinja_env.filters.update(instant=parse_instant, basis_shown=basis_shown)
    app.jinja_env.globals.update(
        word=word,
        waited=waiting_time,
        moment=moment_shown,
        act_by=act_by,
        phone_shown=phone_shown,
        score_shown=score_shown,
        zone_shown=zone_shown,
        weekday_shown=weekday_shown,
        hours_shown=hours_shown,
    )

"""Labels of the visit schedule: anchors, dates, windows, problems of dates, notices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flask import Flask, url_for

from pro.core.schedule import treatment_phase
from pro.core.schedule.anchors import AnchorProblem
from pro.core.schedule.treatment_phase import TreatmentPhase
from pro.core.study_plan import PlanWords, VisitSchedule
from pro.features.schedule import dates_page
from pro.models import TASK_KINDS
from pro.web import notices, request_context, typography
from pro.web.notices import NN_
from pro.web.refusals import N_

# Problem -> (field of the form that shows it, sentence).
PROBLEMS: Mapping[str, tuple[str, str]] = {
    "unknown": ("on", N_("This study has no such date.")),
    "number": ("number", N_("%(kind)s: only numbers 1 to %(most)s exist.")),
    "once": ("number", N_("%(kind)s occurs only once and has no number.")),
    "twice": ("number", N_("%(what)s is entered twice.")),
    "future": ("on", N_("%(on)s is in the future. Record %(kind)s after it has taken place.")),
    "future_plannable": (
        "on",
        N_("%(on)s is in the future. Record %(what)s after it has taken place, or choose “planned”."),
    ),
    "too_far": ("on", N_("%(on)s is more than two years ahead. Check the year.")),
    "long_ago": ("on", N_("%(on)s is more than ten years ago. Check the year.")),
    "not_planned": ("on", N_("%(kind)s cannot be planned. Record it after it has taken place.")),
    "before": ("on", N_("%(what)s on %(on)s would be before %(other)s on %(other_on)s. Check both dates.")),
    "order": (
        "on",
        N_("%(what)s on %(on)s would be before %(other)s on %(other_on)s. Higher numbers need later dates."),
    ),
    "needs": ("on", N_("%(what)s on %(on)s: no date for “%(other)s” is recorded up to that day.")),
    "after_last": ("on", N_("%(what)s on %(on)s would be after %(other)s on %(other_on)s.")),
}

# Reasons that the page of treatment dates gives by itself; stored as keys.
DAILY_REASONS: Mapping[str, str] = {
    dates_page.UNDONE: N_("undone on the day it was recorded"),
    "not_given_machine": N_("not given: the machine was not available"),
    "not_given_ill": N_("not given: too ill"),
    "not_given_absent": N_("not given: the participant was absent"),
    "not_given_order": N_("not given: the investigator paused the treatment"),
    "not_given_other": N_("not given: other reason"),
}


def anchor_shown(words: PlanWords, kind: str, number: int) -> str:
    """Return the name of an anchor, with its number if it has one: Radiotherapy fraction 12."""
    name = words.anchors.get(kind, kind)
    return request_context.translator().gettext(N_("%(kind)s %(number)s"), kind=name, number=number) if number else name


def problem_sentences(
    visit_schedule: VisitSchedule, words: PlanWords, problems: Iterable[AnchorProblem]
) -> dict[str, str]:
    """Return field -> text of ``problems``, one sentence each, in the page's language."""
    say = request_context.translator().gettext
    found: dict[str, list[str]] = {}
    known = list(problems)
    # An invalid number makes every other problem of the same change irrelevant.
    for problem in [one for one in known if one.key == "number"] or known:
        anchor = problem.anchor
        kind = visit_schedule.anchors.get(anchor.kind)
        key = problem.key
        if key == "number" and not problem.most:
            key = "once"
        if key == "future" and kind is not None and kind.plannable:
            key = "future_plannable"
        field, text = PROBLEMS[key]
        sentence = say(
            text,
            kind=words.anchors.get(anchor.kind, anchor.kind),
            what=anchor_shown(words, anchor.kind, anchor.number),
            on=day_shown(anchor.on),
            most=problem.most,
            other=anchor_shown(words, problem.other, problem.other_number),
            other_on=day_shown(problem.other_on) if problem.other_on else "",
        )
        found.setdefault(field, []).append(sentence)
    return {field: typography.sentence_gap(request_context.language()).join(parts) for field, parts in found.items()}


def day_shown(on: date) -> str:
    """Return a day with its weekday: Mon 2 Mar; with the year if it is not the current one."""
    zone = ZoneInfo(request_context.state().zone)
    noon = datetime.combine(on, time(12), tzinfo=zone)
    return request_context.when(noon, N_("EEE d MMM") if _this_year(noon) else N_("EEE d MMM y"))


def short_day(on: date) -> str:
    """Return a day without weekday and year, for the head of a narrow column: 2 Mar."""
    return request_context.when(_noon(on), N_("d\u00a0MMM"))


def short_weekday(on: date) -> str:
    """Return the weekday of a date: Mon."""
    return request_context.when(_noon(on), N_("EEE"))


def window_shown(opens: datetime, closes: datetime) -> str:
    """Return a visit window as first and last day, or one day with hours.

    Examples: 28 Feb – 4 Mar; Mon 2 Mar 08:00–23:59.
    """
    zone = ZoneInfo(request_context.state().zone)
    start, end = opens.astimezone(zone), closes.astimezone(zone)
    if start.date() == end.date():
        hours = "–".join(request_context.when(moment, "HH:mm") for moment in (start, end))
        return f"{day_shown(start.date())} {hours}"
    return request_context.translator().gettext(
        N_("%(first)s – %(last)s"), first=day_shown(start.date()), last=day_shown(end.date())
    )


def _noon(on: date) -> datetime:
    return datetime.combine(on, time(12), tzinfo=ZoneInfo(request_context.state().zone))


def _this_year(moment: datetime) -> bool:
    return moment.year == request_context.work().now.astimezone(moment.tzinfo).year


def task_reason(kind: str) -> str:
    """Return the reason of a call task by its kind; "" if the missing forms are the reason."""
    known = TASK_KINDS.get(kind)
    return request_context.translator().gettext(known.why.key) if known and known.why else ""


def phase_shown(plan_id: str, phase: TreatmentPhase | None) -> str:
    """Return a phase in words: Radiotherapy, fraction 12 of 28; "" if it is not known."""
    if phase is None:
        return ""
    words = request_context.work().catalogue.plan_words[plan_id, request_context.language()]
    said = _phase_sentence(words, phase)
    watch = words.anchors.get(phase.watch, phase.watch)
    return request_context.translator().gettext(N_("%(one)s · %(other)s"), one=said, other=watch) if watch else said


def _phase_sentence(words: PlanWords, phase: TreatmentPhase) -> str:
    """Return the phase without the period that runs beside it."""
    say = request_context.translator().gettext
    if phase.state == treatment_phase.BEFORE:
        return say(N_("Before treatment"))
    if phase.state in (treatment_phase.WITHDRAWN, treatment_phase.DIED):
        on = day_shown(phase.since) if phase.since else ""
        left = phase.state == treatment_phase.WITHDRAWN
        return say(N_("Withdrawn %(on)s") if left else N_("Died %(on)s"), on=on)
    name = words.phases.get(phase.name, phase.name) or words.anchors.get(phase.start, phase.start)
    values = {"phase": name, "number": phase.number, "most": phase.most, "day": phase.day}
    if phase.stopped:
        ended = N_("%(phase)s, ended after fraction %(number)s of %(most)s (day %(day)s)")
        return say(ended if phase.daily else N_("%(phase)s, ended after cycle %(number)s (day %(day)s)"), **values)
    if phase.has_count:
        counted = N_("%(phase)s, fraction %(number)s of %(most)s")
        return say(counted if phase.daily else N_("%(phase)s, cycle %(number)s"), **values)
    return say(N_("%(phase)s, day %(day)s") if phase.day else N_("%(phase)s, from today"), **values)


def install(app: Flask) -> None:
    """Register the functions that staff templates use for the visit schedule."""
    app.jinja_env.globals.update(
        anchor_shown=anchor_shown,
        day_shown=day_shown,
        short_day=short_day,
        short_weekday=short_weekday,
        window_shown=window_shown,
        task_reason=task_reason,
        phase_shown=phase_shown,
    )


# Notices after an action.
notices.add(
    "message_settled",
    N_("The message has been removed from the list. If you phoned, log the call on the participant’s page."),
    good=True,
)
notices.add(
    "message_resolved",
    N_("The message is marked as resolved. If you phoned, log the call on the participant’s page."),
    good=True,
)
notices.add("message_arrived", N_("This message has arrived in the meantime. Nothing more to do."), good=True)
notices.add("message_settled_before", N_("%(name)s already resolved this message at %(at)s. Nothing was changed."))
notices.add("call_logged", N_("Call saved."), good=True)
notices.add(
    "call_wrong_number",
    N_("Call logged. The number is wrong, and text messages still go to it."),
    link=notices.Link(N_("Correct the number now"), notices.page_address("staff.details.show", of="participant_id")),
)
notices.add("call_again", N_("Call saved. The task will come back at a suitable time."), good=True)
notices.add(
    "call_died",
    N_("Call saved. The date of death has not been recorded yet; questionnaires and messages continue until it is."),
    link=notices.Link(N_("Record it now"), notices.page_address("staff.dates.dates", of="participant_id")),
)
notices.add("date_set", N_("Saved: %(what)s. The expected forms have been updated."), good=True)
notices.add("date_taken_back", N_("Removed: %(what)s. The expected forms have been updated."), good=True)
notices.add("treated", N_("Recorded for today: %(what)s. No expected form moved."), good=True)
notices.add("undone", N_("Undone: %(what)s is no longer recorded for today."), good=True)
notices.add("undone_before", N_("This was changed in the meantime. Nothing was changed; please check again."))
notices.add("treated_before", N_("%(name)s already recorded %(what)s. Nothing was changed."))
notices.add(
    "recorded_meanwhile",
    N_("%(name)s has just recorded %(what)s for another date. Nothing was changed; please check again."),
)
notices.add("suspicion_cleared", N_("Saved. The suspected ulcer has been ruled out."), good=True)
notices.add("reason_set", N_("Reason saved."), good=True)
notices.add("reasons_set", NN_("Reason saved for %(num)s form.", "Reason saved for %(num)s forms."), good=True)
notices.add(
    "forms_queued_later",
    NN_(
        "Quiet hours: %(num)s text message is sent when they end (%(at)s).",
        "Quiet hours: %(num)s text messages are sent when they end (%(at)s).",
    ),
    good=True,
    link=notices.Link(N_("See the delivery status"), lambda _values: url_for("staff.sent.show")),
)
notices.add(
    "forms_queued",
    NN_("%(num)s text message is being sent.", "%(num)s text messages are being sent."),
    good=True,
    link=notices.Link(N_("See the delivery status"), lambda _values: url_for("staff.sent.show")),
)

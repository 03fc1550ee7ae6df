"""Labels of the duty roster: refusals and notices."""

from __future__ import annotations

from pro.web import notices, refusals
from pro.web.refusals import N_

# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "no_plan": N_("Please choose the study."),
        "person_missing": N_("Please choose who."),
        "no_account": N_("This account is closed. Please choose somebody else."),
        "cannot_act": N_("This person’s role may not act on alerts. Please choose somebody else."),
        "same": N_("This person holds it already. Please choose somebody else."),
        "absent": N_("%(name)s is away from %(starts)s to %(ends)s. Choose another person, or other times."),
        "away_already": N_("%(name)s is down as away from %(starts)s to %(ends)s already. Take that back first."),
        "ends_first": N_("It ends before it starts. Please check both times."),
        "past": N_("This time is over. Please choose times that lie ahead."),
        "too_far": N_("This is more than a year away. Please check the date."),
        "day_and_time_needed": N_("Please give the day and the time."),
        "stretch_too_long": N_(
            "This is too long: duty at most 31 days, an absence at most a year. Please check both dates."
        ),
        "overlaps": N_("%(name)s holds this place from %(starts)s to %(ends)s. Choose other times, or hand that over."),
        "holds_other_place": N_(
            "%(name)s holds the other place from %(starts)s to %(ends)s: alerts would go to the same person twice. "
            "Choose somebody else, or tick below that it is meant."
        ),
        "outside": N_("The stretch goes from %(starts)s to %(ends)s. Please choose times within it."),
    }
)

# Notices after an action.
notices.add("duty_put", N_("The duty is in the roster."), good=True)
notices.add("handed_over", N_("Handed over. Please make sure that both know."), good=True)
notices.add("duty_back", N_("Taken back. Please look below whether a gap is left."))
notices.add("absence_put", N_("The absence is in the roster."), good=True)
notices.add(
    "absence_over_duty",
    N_(
        "The absence falls on this person’s own duty. That duty does not count now: please hand it over, or put "
        "somebody else there."
    ),
)
notices.add("absence_back", N_("The absence is taken back. Duty that fell into it counts again."))
notices.add(
    "roster_changed",
    N_("Nothing was changed: %(name)s had changed this already, %(at)s. This is the roster as it is now."),
)
notices.add("roster_past", N_("Nothing was changed: this time is over."))

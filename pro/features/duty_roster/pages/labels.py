"""Labels of the duty roster: refusals and notices."""

from __future__ import annotations

from pro.web import notices, refusals
from pro.web.refusals import N_

# Refusals, by the ``why`` of the failure or of a field.
REFUSALS = refusals.add(
    {
        "no_plan": N_("Choose the study."),
        "person_missing": N_("Choose a person."),
        "no_account": N_("This account is deactivated. Choose another person."),
        "cannot_act": N_("This person’s role may not handle alerts. Choose someone else."),
        "same": N_("This person already has the shift. Choose someone else."),
        "absent": N_("%(name)s is absent from %(starts)s to %(ends)s. Choose another person or other times."),
        "away_already": N_("%(name)s already has an absence from %(starts)s to %(ends)s. Cancel that one first."),
        "ends_first": N_("The end time is not after the start time. Check both."),
        "past": N_("This time is in the past. Choose a future time."),
        "too_far": N_("This is more than a year ahead. Check the date."),
        "day_and_time_needed": N_("Enter the date and time."),
        "stretch_too_long": N_("Too long: a shift at most 31 days, an absence at most one year. Check both dates."),
        "overlaps": N_(
            "%(name)s is already on this shift from %(starts)s to %(ends)s. Choose other times, or hand "
            "over that shift first."
        ),
        "holds_other_place": N_(
            "%(name)s already has the other shift from %(starts)s to %(ends)s: alerts would go to the "
            "same person twice. Choose another person, or tick the box below to confirm."
        ),
        "outside": N_("The shift is from %(starts)s to %(ends)s. Choose times within it."),
    }
)

# Notices after an action.
notices.add("duty_put", N_("Shift added."), good=True)
notices.add("handed_over", N_("Handed over. Make sure that both staff members know."), good=True)
notices.add("duty_back", N_("Cancelled. Check below whether a gap remains."))
notices.add("absence_put", N_("Absence saved."), good=True)
notices.add(
    "absence_over_duty",
    N_("The absence falls on this person’s own shifts. They no longer count: hand them over or assign someone else."),
)
notices.add("absence_back", N_("Absence cancelled. Shifts during it count again."))
notices.add(
    "roster_changed",
    N_("Nothing was changed: %(name)s already changed this at %(at)s. The current roster is shown."),
)
notices.add("roster_past", N_("Nothing was changed: this period is over."))

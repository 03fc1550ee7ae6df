"""The audit trail: entries with actor, time and reason; filter, export, verification."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField

from pro.errors import BadData, NotAllowed
from pro.exports.csv_format import rows_to_csv
from pro.features.accounts.pages import page_guard
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.audit import audit_chain, audit_groups, audit_trail
from pro.features.audit.audit_trail import AuditFilter, AuditLine
from pro.features.audit.pages import labels
from pro.features.audit.pages.labels import (
    GROUP_WORDS,
    KIND_WORDS,
    KINDS,
    action_sentence,
    actor_name,
    fact_name,
    fact_value,
    format_timestamp,
    reason_shown,
)
from pro.web import request_context
from pro.web.forms import DATE_FORMATS, FIRST_YEAR, LAST_YEAR, DateField, choices, read_id
from pro.web.labels import word
from pro.web.refusals import N_, REFUSALS

pages = Blueprint("audit", __name__, url_prefix="/audit")

HEADER = (
    N_("Number"),
    N_("Time (UTC)"),
    N_("Site time"),
    N_("Staff member"),
    N_("Role"),
    N_("Participant"),
    N_("Form"),
    N_("Event"),
    N_("Key"),
    N_("Before"),
    N_("After"),
    N_("Reason"),
    N_("Seal"),
)


class AuditFilterForm(FlaskForm):
    """Filter of the audit trail. An empty field does not filter."""

    number = StringField(N_("Participant number"), filters=[lambda text: (text or "").strip()])
    ref = StringField(N_("Form"), filters=[lambda text: (text or "").strip()])
    who = SelectField(N_("Staff member"), validate_choice=False)
    since = DateField(N_("From"), format=DATE_FORMATS)
    until = DateField(N_("To (inclusive)"), format=DATE_FORMATS)
    kind = SelectField(N_("Content"), validate_choice=False)

    def wish(self) -> dict[str, Any]:
        """Return the typed values as arguments of ``audit_trail.make_filter``.

        Raises BadData if a date is invalid.
        """
        days = [self[name] for name in ("since", "until")]
        wrong = {day.short_name: "date_needed" for day in days if day.process_errors and day.raw_data[0]}
        if wrong:
            raise BadData("pick", fields=wrong)
        return {
            "number": self.number.data,
            "ref": self.ref.data,
            "who": (self.who.data or "")[:12],
            "since": self.since.data,
            "until": self.until.data,
            "actions": KINDS.get(self.kind.data or "", ()),
        }

    def refuse(self, problems: Mapping[str, str]) -> None:
        """Put the refusals beside their fields; an empty date is valid."""
        for field in self:
            field.errors = [REFUSALS[problems[field.short_name]]] if field.short_name in problems else []


@pages.record_once
def install(state: BlueprintSetupState) -> None:
    """Make the words of the audit trail available to the templates."""
    labels.install(cast(Flask, state.app))


@staff_page(
    pages, "", endpoint="show", right="see_audit", title=N_("Audit trail"), menu=90, way_back=N_("the audit trail")
)
def show_audit(staff: SignedInStaff) -> ResponseReturnValue:
    """Show one page of the audit trail: ``show`` in the address is a group, by default changes and decisions.

    The address holds numbers only: a post turns a typed participant number into an id.
    """
    return _audit_page(_filter_of_address())


@pages.post("", endpoint="act")
@needs("see_audit")
def act_on_audit(staff: SignedInStaff) -> ResponseReturnValue:
    """Apply a filter, export the entries, or verify the hash chain."""
    wish = request.form.get("do", "")
    if wish in ("verify", "verify_anew"):
        checked = audit_chain.verify_next_part(request_context.work(), anew=wish == "verify_anew")
        return _audit_page(_filter_of_address(), checked=checked)
    if wish == "export":
        page_guard.require_right(staff, "export_audit")
        return _export_csv(_filter_of_address())
    if wish == "pick":
        return _apply_filter()
    raise BadData("unknown_act")


def _apply_filter() -> ResponseReturnValue:
    form = _filter_form(request.form)
    try:
        found = audit_trail.make_filter(request_context.work(), **form.wish())
    except BadData as bad:
        form.refuse(cast(Mapping[str, str], bad.details["fields"]))
        return _audit_page(_filter_of_address(), form=form, status=400)
    address = url_for("staff.audit.show", **cast(dict[str, Any], _address_arguments(found, form.kind.data or "")))
    return redirect(address, code=303)


def _export_csv(pick: AuditFilter) -> ResponseReturnValue:
    work = request_context.work()
    try:
        lines = audit_trail.export_lines(work, pick, request_context.language())
    except NotAllowed as refusal:
        return _audit_page(pick, refused=refusal.why, status=409)
    say = request_context.translator().gettext
    body = rows_to_csv([say(head) for head in HEADER], [_csv_cells(line) for line in lines])
    name = f"audit-{work.now:%Y%m%d-%H%M%S}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, mimetype="text/csv", headers=headers)


def _csv_cells(line: AuditLine) -> tuple[str, ...]:
    plan = line.plan
    said = [(fact_name(one), fact_value(one, one.old, plan), fact_value(one, one.new, plan)) for one in line.facts]
    before = [f"{name}: {old}".removeprefix(": ") for name, old, _new in said if old]
    after = [f"{name}: {new}".removeprefix(": ") for name, _old, new in said if new]
    return (
        str(line.id),
        line.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        format_timestamp(line.at),
        line.name or actor_name(line),
        word("role", line.role) if line.actor == "staff" else "",
        line.participant_number,
        line.ref,
        action_sentence(line.action),
        line.action,
        "; ".join(before),
        "; ".join(after),
        reason_shown(line.reason),
        line.digest,
    )


def _audit_page(
    pick: AuditFilter,
    *,
    form: AuditFilterForm | None = None,
    checked: audit_chain.PartialVerification | None = None,
    refused: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    work = request_context.work()
    before = request.args.get("before", "")
    kind, show = request.args.get("kind", ""), _chosen_group()
    found = audit_groups.read_page(work, pick, show, request_context.language(), read_id(before))
    shown = {
        "found": found,
        "trail": found.page,
        "show": "" if kind in KINDS else show,
        "groups": GROUP_WORDS,
        "chain": audit_chain.read_chain_state(work),
        "form": form or _filter_form(None, pick, kind),
        "address": _address_arguments(pick, kind),
        "picked": pick != AuditFilter(),
        "first": not before,
        "checked": checked,
        "refused": REFUSALS.get(refused, refused),
        "most": audit_trail.MAX_EXPORTED,
        "problems": audit_chain.PROBLEMS,
    }
    return render_template("audit/audit.html", **shown), status


def _filter_form(typed: Mapping[str, str] | None, pick: AuditFilter | None = None, kind: str = "") -> AuditFilterForm:
    form = AuditFilterForm(formdata=typed)
    say = request_context.translator().gettext
    others = [("participant", say(N_("Participants"))), ("system", say(N_("The system")))]
    accounts = [
        (number, f"{name} · {word('role', role)}")
        for number, name, role in audit_trail.staff_list(request_context.work())
    ]
    form.who.choices = choices([("", say(N_("All staff"))), *accounts, *others])
    kinds = [(key, say(text)) for key, text in KIND_WORDS.items()]
    form.kind.choices = choices([("", say(N_("All kinds"))), *kinds])
    if pick is not None:
        form.number.data = audit_trail.participant_number(request_context.work(), pick.participant_id)
        form.ref.data, form.who.data, form.kind.data = pick.ref, pick.who, kind
        form.since.data, form.until.data = pick.since, pick.until
    return form


def _chosen_group() -> str:
    show = request.args.get("show", "")
    return show if show in audit_groups.GROUPS else audit_groups.CHANGES


def _filter_of_address() -> AuditFilter:
    """Return the filter that the address names; an invalid value does not filter."""
    args = request.args
    return AuditFilter(
        participant_id=read_id(args.get("participant", "")),
        ref=args.get("form", "")[:16],
        who=args.get("who", "")[:12],
        since=_parse_day(args.get("since", "")),
        until=_parse_day(args.get("until", "")),
        actions=KINDS.get(args.get("kind", ""), ()),
    )


def _address_arguments(pick: AuditFilter, kind: str) -> dict[str, str]:
    said = {
        "participant": str(pick.participant_id or ""),
        "form": pick.ref,
        "who": pick.who,
        "since": pick.since.isoformat() if pick.since else "",
        "until": pick.until.isoformat() if pick.until else "",
        "kind": kind if kind in KINDS else "",
        # The kind of the filter selects what the chip would.
        "show": _chosen_group().replace(audit_groups.CHANGES, "") if kind not in KINDS else "",
    }
    return {name: text for name, text in said.items() if text}


def _parse_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None

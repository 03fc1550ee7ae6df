"""The staff page that tries changed rules on stored or generated answers, without storing."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from pro.core.study_plan import StudyPlan
from pro.core.triage.rule_comparison import RuleComparison
from pro.errors import BadData
from pro.features.accounts.pages.page_guard import SignedInStaff, needs, staff_page
from pro.features.alerts import alert_list
from pro.features.reports import rule_simulator
from pro.features.reports.rule_simulator import SimulationRun
from pro.web import request_context
from pro.web.refusals import N_
from pro.web.sentences import translated

pages = Blueprint("simulator", __name__, url_prefix="/simulator")

# Choices of how many weeks back; 0: all forms.
WEEKS_BACK = (4, 12, 26, 0)
# Time limit of a simulation in seconds; older forms are left out, and the page says so.
SECONDS = 15.0
GENERATED = 500
# Rows of the list of changed forms, and of each other list; all of them are counted.
MOST_ROWS = (100, 50)
NO_FILE = N_("Choose a plan file first: the study’s plan file with your changes.")
NOT_TEXT = N_("This is not a text file. Choose the study’s plan file (.yaml) with your changes.")
INVALID_PLAN = N_("This file cannot be used as it is. Correct it and choose it again:")


@staff_page(
    pages,
    "",
    endpoint="show",
    right="simulate",
    title=N_("Rule simulator"),
    section="study_overview",
    way_back=N_("the rule simulator"),
)
def show_rule_simulator(staff: SignedInStaff) -> ResponseReturnValue:
    """Show the empty form."""
    return _page(_chosen_plan())


@pages.get("/plan.yaml", endpoint="file")
@needs("simulate")
def download_plan_file(staff: SignedInStaff) -> ResponseReturnValue:
    """Send the plan file in use, to be changed and tried."""
    plan = _chosen_plan()
    sent = Response(request_context.app_context().catalogue.plan_texts[plan.id], mimetype="application/yaml")
    sent.headers.set("Content-Disposition", "attachment", filename=f"{plan.id}.yaml")
    return sent


@pages.post("", endpoint="run")
@needs("simulate")
def run_simulation(staff: SignedInStaff) -> ResponseReturnValue:
    """Try the uploaded plan file. It stays in memory, and nothing is stored."""
    plan = _chosen_plan()
    sent = request.files.get("file")
    content = sent.read(4 * rule_simulator.MAX_FILE_LENGTH + 1) if sent is not None else b""
    if not content.strip():
        return _page(plan, error=NO_FILE), 400
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _page(plan, error=NOT_TEXT), 400
    try:
        new = rule_simulator.parse_changed_plan(request_context.app_context(), plan, text)
    except BadData as bad:
        return _page(
            plan, error=INVALID_PLAN, detail=translated(bad.details["sentence"], request_context.translator())
        ), 400
    # Releases the write transaction: the evaluation of the forms takes seconds.
    request_context.release()
    if request.form.get("source") == "generated":
        found = rule_simulator.simulate_generated_forms(request_context.app_context(), plan, new, GENERATED)
    else:
        back = _chosen_weeks()
        since = request_context.app_context().clock() - timedelta(weeks=back) if back else None
        found = rule_simulator.replay_stored_forms(
            request_context.app_context(), plan, new, since=since, seconds=SECONDS
        )
    return _page(plan, run=found, version=new.version)


def _chosen_weeks() -> int:
    text = request.form.get("weeks", "")
    return int(text) if text in {str(number) for number in WEEKS_BACK} else WEEKS_BACK[1]


def _chosen_plan() -> StudyPlan:
    plans = request_context.app_context().catalogue.plans
    return plans.get(request.values.get("plan", ""), next(iter(plans.values())))


def _page(
    plan: StudyPlan, *, run: SimulationRun | None = None, version: str = "", error: str = "", detail: str = ""
) -> str:
    difference: RuleComparison | None = run.difference if run else None
    return render_template(
        "reports/rule_simulator.html",
        study=plan,
        plans=request_context.app_context().catalogue.plans,
        back=WEEKS_BACK,
        weeks=_chosen_weeks(),
        source=request.form.get("source", "stored"),
        generated=GENERATED,
        most=MOST_ROWS,
        run=run,
        found=difference,
        version=version,
        error=error,
        detail=detail,
        rule_sentence=rule_sentence,
        instrument_title=instrument_title,
    )


def rule_sentence(plan_id: str, rule: str) -> str:
    """Return a rule in the reader's words; the id for a rule that only the new file has."""
    return alert_list.rule_sentence(request_context.work(), plan_id, rule, request_context.language())


def instrument_title(instrument: str) -> str:
    """Return the title of an instrument in the reader's language."""
    return request_context.app_context().catalogue.staff_title(instrument, request_context.language())

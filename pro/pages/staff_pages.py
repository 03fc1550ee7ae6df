"""Blueprint of all staff pages. List each new module of views or labels here.

``accounts.pages.page_guard.staff_page`` declares the pages.
"""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from pro.errors import RecordFrozen
from pro.features.accounts.pages import account_admin_views, login_step_views, login_views, my_account_views
from pro.features.accounts.pages import labels as accounts_labels
from pro.features.accounts.pages.page_guard import staff_blueprint as pages
from pro.features.adverse_events.pages import labels as adverse_events_labels
from pro.features.adverse_events.pages import views as adverse_events_views
from pro.features.alerts.pages import alert_views, test_alert_views
from pro.features.alerts.pages import labels as alerts_labels
from pro.features.assessments.pages import data_correction_views, data_entry_views
from pro.features.assessments.pages import labels as assessments_labels
from pro.features.audit.pages import labels as audit_labels
from pro.features.audit.pages import views as audit_views
from pro.features.duty_roster.pages import labels as duty_roster_labels
from pro.features.duty_roster.pages import views as duty_roster_views
from pro.features.operations.pages import try_views
from pro.features.participants.pages import (
    card_views,
    consent_views,
    details_views,
    freeze_views,
    participant_views,
)
from pro.features.participants.pages import labels as participants_labels
from pro.features.queries.pages import labels as queries_labels
from pro.features.queries.pages import views as queries_views
from pro.features.reports.pages import (
    rule_simulator_views,
    study_overview_views,
    timeline_views,
    visit_matrix_views,
)
from pro.features.schedule.pages import call_task_views, form_action_views, visit_schedule_views
from pro.features.schedule.pages import labels as schedule_labels
from pro.features.text_messages.pages import inbox_views, messages_tab_views, sent_message_views
from pro.features.text_messages.pages import labels as text_messages_labels
from pro.features.to_do_list.pages import views as to_do_list_views
from pro.features.ulcers.pages import events_tab_views
from pro.features.ulcers.pages import labels as ulcers_labels
from pro.features.ulcers.pages import views as ulcers_views
from pro.pages import page_frame
from pro.web import request_context

# Modules whose views belong to the parent blueprint: their endpoints are ``staff.<view>``.
ON_PARENT = (login_views, alert_views, to_do_list_views, try_views)
# Modules with a blueprint of their own, ``pages``: their endpoints are ``staff.<blueprint>.<view>``.
WITH_BLUEPRINT = (
    login_step_views,
    my_account_views,
    account_admin_views,
    participant_views,
    card_views,
    consent_views,
    details_views,
    freeze_views,
    duty_roster_views,
    visit_schedule_views,
    call_task_views,
    test_alert_views,
    adverse_events_views,
    data_entry_views,
    data_correction_views,
    queries_views,
    inbox_views,
    sent_message_views,
    messages_tab_views,
    ulcers_views,
    events_tab_views,
    timeline_views,
    study_overview_views,
    visit_matrix_views,
    form_action_views,
    rule_simulator_views,
    audit_views,
)
# Modules of labels: importing them adds label tables, notices and refusals.
WORDS = (
    accounts_labels,
    participants_labels,
    duty_roster_labels,
    schedule_labels,
    alerts_labels,
    adverse_events_labels,
    assessments_labels,
    queries_labels,
    text_messages_labels,
    ulcers_labels,
    audit_labels,
)

pages.record_once(page_frame.install)
pages.context_processor(page_frame.layout_context)
for _module in WITH_BLUEPRINT:
    pages.register_blueprint(_module.pages)


@pages.errorhandler(RecordFrozen)
def handle_frozen_record(refusal: RecordFrozen) -> ResponseReturnValue:
    """Render the page for a frozen record (409) and roll back this request."""
    request_context.discard()
    return render_template("participants/frozen.html", said=refusal.details), 409

"""Run the steps of the weekly test alert in a clinic."""

from __future__ import annotations

from datetime import timedelta

from pro.features.alerts import test_alerts
from pro.features.operations import worker_health, worker_steps
from pro.messaging.sender_protocol import Letter
from pro.models import StaffMember, WeeklyTestAlert
from tests.operations.test_worker_steps import RecordingSender
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account

# The clinic's clock starts on Monday 2026-03-02 at 09:00 in Shanghai; the test alert is on Wednesday at 10:00.
UNTIL_TEST_ALERT = timedelta(days=2, hours=1)


class FailingSender:
    """A sender that raises the given failure."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def send(self, _letter: Letter) -> str:
        raise self.failure


def run_jobs(clinic: Clinic, sender: object = None, worker: str = "worker-1") -> None:
    sender = sender or RecordingSender()
    worker_steps.run_jobs(clinic.app_context, {"email": sender, "sms": sender}, worker)  # type: ignore[dict-item]


def begin_test_alerts(clinic: Clinic) -> int:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return test_alerts.start_due_test_alerts(work)


def confirm_test_alert(clinic: Clinic, person: Account, test_alert_id: int = 1) -> bool:
    with form_browser.unit_of_work(clinic.app_context, person.actor) as work:
        return test_alerts.confirm_test_alert(work, test_alert_id)


def read_states(clinic: Clinic) -> list[str]:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return [found.state for found in test_alerts.weekly_test_alert_status(work)]


def is_reported_as_trouble(clinic: Clinic) -> bool:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return "test_alert" in worker_health.find_troubles(work)


def give_phone(clinic: Clinic, person: Account) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, person.id).phone_sealed = work.vault.seal("+8613700137000")


def only_test_alert(clinic: Clinic) -> WeeklyTestAlert:
    (found,) = clinic.rows(WeeklyTestAlert)
    return found

"""What the tests of the weekly synthetic alert do to their ward."""

from __future__ import annotations

from datetime import timedelta

from pro.features.alerts import alert_drills
from pro.features.operations import worker_health, worker_steps
from pro.messaging.sender_protocol import Letter
from pro.models import Drill, Staff
from tests.operations.test_worker_steps import Kept
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import Account

# The ward's clock starts on Monday 2026-03-02 at 09:00 in Shanghai; the drill is on Wednesday at 10:00.
TO_THE_DRILL = timedelta(days=2, hours=1)


class Broken:
    """A sender that raises what it is told to."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def send(self, _letter: Letter) -> str:
        raise self.failure


def tick(ward: Ward, sender: object = None, worker: str = "worker-1") -> None:
    sender = sender or Kept()
    worker_steps.tick(ward.house, {"email": sender, "sms": sender}, worker)  # type: ignore[dict-item]


def begin(ward: Ward) -> int:
    with form_browser.working(ward.house) as work:
        return alert_drills.begin(work)


def confirm(ward: Ward, person: Account, drill_id: int = 1) -> bool:
    with form_browser.working(ward.house, person.actor) as work:
        return alert_drills.confirm(work, drill_id)


def states(ward: Ward) -> list[str]:
    with form_browser.working(ward.house) as work:
        return [found.state for found in alert_drills.drill_status(work)]


def troubled(ward: Ward) -> bool:
    with form_browser.working(ward.house) as work:
        return "drill" in worker_health.troubles(work)


def give_phone(ward: Ward, person: Account) -> None:
    with form_browser.working(ward.house) as work:
        work.session.get_one(Staff, person.id).phone_sealed = work.vault.seal("+8613700137000")


def the_drill(ward: Ward) -> Drill:
    (found,) = ward.rows(Drill)
    return found

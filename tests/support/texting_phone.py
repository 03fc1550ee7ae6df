"""Drive a participant who answers by text message, and deliver the queued texts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pro.app_context import AppContext
from pro.features.text_messages import incoming_messages, text_answers
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter
from pro.models import Assessment, IncomingMessage, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import PHONES

_ids = itertools.count(1)


@dataclass
class RecordingSmsSender:
    """A provider that accepts every text and stores it."""

    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> str:
        """Store ``letter``."""
        self.letters.append(letter)
        return f"SM{len(self.letters)}"


@dataclass
class TextingPhone:
    """One phone. ``got``: the texts that arrived on it, oldest first."""

    app_context: AppContext
    number: str = PHONES["zh_Hans"]
    line: RecordingSmsSender = field(default_factory=RecordingSmsSender)

    @property
    def got(self) -> list[str]:
        return [
            re.sub(r"^\[[^\]]*\] (?:示例医院：|Example Hospital: )?", "", letter.text)
            for letter in self.line.letters
            if self._is_mine(letter)
        ]

    @property
    def kinds(self) -> list[str]:
        return [letter.template for letter in self.line.letters if self._is_mine(letter)]

    def _is_mine(self, letter: Letter) -> bool:
        return letter.channel == "sms" and letter.address == self.number

    def write(self, text: str, provider_id: str = "", *, deliver: bool = True) -> IncomingMessage:
        """Send a text to the system; unless not ``deliver``, deliver the replies at once."""
        with form_browser.unit_of_work(self.app_context) as work:
            row = incoming_messages.receive_message(
                work, provider_id=provider_id or f"IN{next(_ids)}", address=self.number, text=text
            )
        if deliver:
            self.wait()
        return row

    def wait(self) -> None:
        """Deliver the queued messages."""
        outbox.deliver(self.app_context, self.senders, "test:1")

    @property
    def senders(self) -> Mapping[str, RecordingSmsSender]:
        return {"sms": self.line, "email": RecordingSmsSender()}


def with_two_way_texts(clinic: Clinic, on: bool = True) -> Clinic:
    """Return the clinic with two-way texts switched on or off."""
    return replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, sms_two_way=on))
    )


def start_form_by_text(clinic: Clinic) -> TextingPhone:
    """Return the participant's phone after the check-in was started by text."""
    texter = TextingPhone(clinic.app_context)
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        texter.number = work.vault.open(person.phone_sealed or "")
        form = work.session.get_one(Assessment, clinic.checkin.assessment_id)
        begun = text_answers.first_question(work, person, form)
        assert begun is not None
        out = text_answers.ReplyDraft(begun[0], begun[1], f"first:{form.id}", person.language, form)
        text_answers.queue_reply(work, out, texter.number, person)
    texter.wait()
    return texter

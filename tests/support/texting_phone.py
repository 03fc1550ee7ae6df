"""A participant with a phone that can only text: what is written comes in, what waits in the outbox arrives."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pro.app_context import AppContext
from pro.features.text_messages import incoming_texts, text_answers
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter
from pro.models import Assessment, Inbound, Participant
from tests.support import form_browser
from tests.support.alert_ward import Ward
from tests.support.factories import PHONES

_ids = itertools.count(1)


@dataclass
class Kept:
    """A provider that takes every text and keeps it."""

    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> str:
        """Keep ``letter``."""
        self.letters.append(letter)
        return f"SM{len(self.letters)}"


@dataclass
class Texter:
    """One phone. ``got``: what arrived on it, oldest first."""

    house: AppContext
    number: str = PHONES["zh_Hans"]
    line: Kept = field(default_factory=Kept)

    @property
    def got(self) -> list[str]:
        return [re.sub(r"^\[[^\]]*\] ", "", letter.text) for letter in self.line.letters if self._is_mine(letter)]

    @property
    def kinds(self) -> list[str]:
        return [letter.template for letter in self.line.letters if self._is_mine(letter)]

    def _is_mine(self, letter: Letter) -> bool:
        return letter.channel == "sms" and letter.address == self.number

    def write(self, text: str, provider_id: str = "", *, deliver: bool = True) -> Inbound:
        """Text us; what that brings arrives at once, unless nothing is delivered now."""
        with form_browser.working(self.house) as work:
            row = incoming_texts.receive(
                work, provider_id=provider_id or f"IN{next(_ids)}", address=self.number, text=text
            )
        if deliver:
            self.wait()
        return row

    def wait(self) -> None:
        """What waits in the outbox goes out."""
        outbox.deliver(self.house, self.senders, "test:1")

    @property
    def senders(self) -> Mapping[str, Kept]:
        return {"sms": self.line, "email": Kept()}


def two_way(ward: Ward, on: bool = True) -> Ward:
    """The ward where people can (not) answer by text."""
    return replace(ward, house=replace(ward.house, config=replace(ward.house.config, sms_two_way=on)))


def asked(ward: Ward) -> Texter:
    """The participant's phone, after the check-in began by text."""
    texter = Texter(ward.house)
    with form_browser.working(ward.house) as work:
        person = work.session.get_one(Participant, ward.participant_id)
        texter.number = work.vault.open(person.phone_sealed or "")
        form = work.session.get_one(Assessment, ward.checkin.assessment_id)
        begun = text_answers.first_question(work, person, form)
        assert begun is not None
        out = text_answers.Out(begun[0], begun[1], f"first:{form.id}", person.language, form)
        text_answers.queue(work, out, texter.number, person)
    texter.wait()
    return texter

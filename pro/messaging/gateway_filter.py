"""Nothing leaves but what the gateway takes: between the outbox and a provider of text messages."""

from __future__ import annotations

from dataclasses import replace

from pro.core.sms_gateway import SmsGateway, TextNotAllowed
from pro.messaging.sender_protocol import Letter, ProviderRefused, Sender


class GatewayFilter:
    """``sender``, asked only for texts that ``gateway`` takes; it is told the gateway's name of each approved one."""

    def __init__(self, sender: Sender, gateway: SmsGateway) -> None:
        self._sender = sender
        self._gateway = gateway
        self.at_once = int(getattr(sender, "at_once", 1))

    def send(self, letter: Letter) -> str:
        """Hand the letter over. Refused: not_registered, text_differs, link_not_allowed; else as the provider."""
        try:
            approved = self._gateway.match(letter.template, letter.language, letter.text, letter.params)
        except TextNotAllowed as unfit:
            raise ProviderRefused(unfit.why) from unfit
        if approved is not None:
            filling = {gap: str(letter.params[gap]) for gap in approved.gaps}
            letter = replace(letter, template_id=approved.id, template_params=filling)
        return self._sender.send(letter)

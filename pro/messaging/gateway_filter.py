"""Pass on to the provider only the texts that the SMS gateway accepts."""

from __future__ import annotations

from dataclasses import replace

from pro.core.sms_gateway import SmsGateway, TextNotAllowed
from pro.messaging.sender_protocol import Letter, ProviderRefused, Sender


class GatewayFilter:
    """Wrap ``sender`` and pass on only texts that ``gateway`` accepts.

    An approved text is passed on with the gateway's template id and the values of its placeholders.
    """

    def __init__(self, sender: Sender, gateway: SmsGateway) -> None:
        self._sender = sender
        self._gateway = gateway
        self.at_once = int(getattr(sender, "at_once", 1))

    def send(self, letter: Letter) -> str:
        """Send the letter and return the provider's reference.

        Raises ProviderRefused (not_registered, text_differs, link_not_allowed), or what the provider raises.
        """
        try:
            approved = self._gateway.match(letter.template, letter.language, letter.text, letter.params)
        except TextNotAllowed as refusal:
            raise ProviderRefused(refusal.why) from refusal
        if approved is not None:
            filling = {gap: str(letter.params[gap]) for gap in approved.gaps}
            letter = replace(letter, template_id=approved.id, template_params=filling)
        return self._sender.send(letter)

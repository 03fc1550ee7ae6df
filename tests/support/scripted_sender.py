"""A sender whose behaviour a test chooses for each address."""

from __future__ import annotations

from dataclasses import dataclass, field

from pro.messaging.sender_protocol import Letter, ProviderRefused, ProviderUnreachable


@dataclass
class ScriptedSender:
    """Accept every letter, except to addresses in ``refused`` and ``unreachable``; keep what was accepted."""

    refused: set[str] = field(default_factory=set)
    unreachable: set[str] = field(default_factory=set)
    accepted: list[Letter] = field(default_factory=list)
    at_once: int = 4

    def send(self, letter: Letter) -> str:
        """Accept a letter and return a reference, or fail as the test wants."""
        if letter.address in self.refused:
            raise ProviderRefused("address_refused:550")
        if letter.address in self.unreachable:
            raise ProviderUnreachable("no_line")
        self.accepted.append(letter)
        return f"ref-{len(self.accepted)}"

    def addresses(self) -> list[str]:
        """Return the addresses of the accepted letters, in order."""
        return [letter.address for letter in self.accepted]

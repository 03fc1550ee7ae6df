"""Value domains: the values of a name in the rule language, and the constants it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pro.core.translatable_sentence import Sentence

Constant = int | Decimal | str


@dataclass(frozen=True, slots=True)
class ValueDomain:
    """The values that a name may have: codes, a number in a range, a word, true/false, a text.

    ``ordered``: whether the codes have an order. ``minimum``, ``maximum``: bounds of a number; None: none.
    """

    kind: Literal["codes", "number", "words", "truth", "text"]
    codes: frozenset[int] = frozenset()
    ordered: bool = True
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    words: frozenset[str] = frozenset()

    def refuses(self, shown: str, value: Constant) -> Sentence | None:
        """Return why ``shown`` cannot be compared with ``value``; None if it can.

        ``shown``: the name as the sentence writes it.
        """
        if self.kind == "words":
            if value not in self.words:
                listed = tuple(sorted(self.words))
                return Sentence(
                    "%(what)s is one of %(listed)s; %(value)s is not possible",
                    what=shown,
                    listed=listed,
                    value=repr(value),
                )
        elif isinstance(value, str) or self.kind in ("truth", "text"):
            return Sentence("%(what)s cannot be compared with %(value)s", what=shown, value=repr(value))
        elif self.kind == "codes":
            if value not in self.codes:
                listed = tuple(map(str, sorted(self.codes)))
                return Sentence(
                    "%(what)s has no code %(value)s; its codes are %(listed)s", what=shown, value=value, listed=listed
                )
        elif (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            return Sentence(
                "%(what)s ranges from %(least)s to %(most)s; %(value)s is not possible",
                what=shown,
                least=self.minimum,
                most=self.maximum,
                value=value,
            )
        return None


TRUTH = ValueDomain("truth")
SCORE = ValueDomain("number", minimum=Decimal(0), maximum=Decimal(100))
# Facts that decide which questions are asked (``ask_if`` in instruments).
FORM_FACTS: Mapping[str, ValueDomain] = {"pd1": TRUTH, "selfharm_enabled": TRUTH}

"""Drive the chat as a participant without JavaScript: quick replies, typed text, bubbles."""

from __future__ import annotations

import re
from typing import Any

from tests.support.factories import FormLinks
from tests.support.participant_browser import ParticipantBrowser


class ChatBrowser(ParticipantBrowser):
    """A participant in the chat, without JavaScript."""

    def begins(self, way: FormLinks, by: str = "self") -> None:
        """Open the chat link and press Start."""
        self.open(f"{way.path}/chat")
        assert self.press(by=by).status_code == 303

    def replies(self, **data: Any) -> Any:
        """Submit the form of the chat with the question that it shows."""
        seen = re.search(r'name="seen" value="(\d+)"', self.page)
        answer = self.post(self.at.split("#")[0].split("?")[0], item=self.item, seen=seen[1] if seen else "", **data)
        if answer.status_code == 303:
            self.open(answer.headers["Location"])
        return answer

    def says(self, *texts: str) -> None:
        """Type one reply after the other; assert that each is understood."""
        for text in texts:
            assert self.replies(do="send", text=text).status_code == 303, text

    def taps_on(self, *codes: object) -> None:
        """Tap one quick reply after the other."""
        for code in codes:
            assert self.replies(value=code).status_code == 303, code

    @property
    def item(self) -> str:
        """Return the item that the page asks; "" for the review."""
        found = re.search(r'name="item" value="(\w*)"', self.page)
        assert found is not None, self.page
        return found[1]

    @property
    def bubbles(self) -> list[str]:
        """Return the bubbles in order, with the speaker's name."""
        log = self.page[self.page.index('id="log"') : self.page.index("</ol>")]
        said = re.findall(r"<li[^>]*>(.*?)</li>", log, re.DOTALL)
        return [re.sub(r"<[^>]+>", "", one).strip() for one in said]

    @property
    def field(self) -> str:
        """Return the content of the text field."""
        found = re.search(r'id="t"[^>]*?(?: value="([^"]*)">|>\n(.*?)</textarea>)', self.page, re.DOTALL)
        assert found is not None
        return found[1] or found[2] or ""

    def to(self, item: str) -> None:
        """Answer 0 until ``item`` is asked."""
        while self.item != item:
            if self.item == "other7":
                assert self.replies(do="none").status_code == 303
            elif "value" in self.page and 'class="chip"' in self.page:
                self.taps_on(0)
            else:
                assert self.replies(do="skip").status_code == 303

"""The gateway file (``PRO_GATEWAY_FILE``): limits and approved texts of the SMS gateway."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pro.catalogue.yaml_source import CatalogueError, FilePart, parse_file
from pro.core.sms_gateway import PER_DAY, ApprovedText, SmsGateway

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(?:_[A-Za-z]+)*$")]
Text = Annotated[str, Field(min_length=1)]
YesNo = Literal["yes", "no"]
# A mistyped placeholder would be sent to participants as it is.
MISTYPED_PLACEHOLDER = re.compile(r"\$(?!\{[a-z_]+\})|(?<!\$)\{|%\(")


class ApprovedFile(FilePart):
    """One approved text. Several may stand for one message and language, where its words vary."""

    message: Name = Field(description="Kind of message, as `flask templates draft` lists them")
    language: Language
    id: Text = Field(description="What the gateway calls it, for example SMS_123456789")
    text: Text = Field(description="The approved text to the letter, without the signature; gaps as ${code}")
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the text in UTF-8, as `flask templates draft` prints it: proof that nobody edited it"
    )


class GatewayFile(FilePart):
    """The whole file."""

    provider: Name = Field(description="As PRO_SMS")
    links: YesNo = Field(description="May a text hold a link that stands in no approved text?")
    templates_only: YesNo = Field(description="Does the gateway send approved texts only?")
    signature: str = Field("", description="What the gateway puts before every text; only counted")
    per_day: int = Field(PER_DAY, ge=1, le=1000, description="Text messages to one number in a day")
    identical_per_day: int | None = Field(
        None, ge=1, le=100, description="The same words to one number within 24 hours; left out: no limit"
    )
    refused_words: tuple[Text, ...] = Field((), description="Words for which it is known to refuse a text")
    templates: tuple[ApprovedFile, ...] = ()


def text_hash(text: str) -> str:
    """Return the SHA-256 of ``text`` in hex; it shows if an approved text was edited."""
    return hashlib.sha256(text.encode()).hexdigest()


def gateway_file_text(gateway: SmsGateway) -> str:
    """Return the text of a gateway file for ``gateway``, with newly computed hashes."""
    quoted = partial(json.dumps, ensure_ascii=False)
    lines = [
        f"provider: {gateway.provider}",
        f"links: {quoted('yes' if gateway.links else 'no')}",
        f"templates_only: {quoted('yes' if gateway.templates_only else 'no')}",
        f"signature: {quoted(gateway.signature)}",
        f"per_day: {gateway.per_day}",
        f"identical_per_day: {quoted(gateway.identical_per_day)}",
        f"refused_words: {quoted(gateway.refused_words)}",
        "templates:",
    ]
    for one in gateway.templates:
        lines += [
            f"  - message: {one.message}",
            f"    language: {one.language}",
            f"    id: {quoted(one.id)}",
            f"    text: {quoted(one.text)}",
            f"    hash: {quoted(text_hash(one.text))}",
        ]
    return "\n".join(lines) + "\n"


def read_gateway(path: Path, provider: str = "") -> SmsGateway:
    """Read the gateway file ``path``.

    ``provider``: SMS provider of this installation; "" accepts any. Raises CatalogueError that names the entry and the
    reason: another provider, no approved texts where required, a wrong hash, a wrong placeholder, a text twice.
    """
    file = parse_file(path, GatewayFile)
    if provider and file.provider != provider:
        raise CatalogueError(path, "provider", f"The file is for {file.provider}, but PRO_SMS is {provider}.")
    if file.templates_only == "yes" and not file.templates:
        raise CatalogueError(path, "templates", "Without approved texts nothing could be sent.")
    seen: set[tuple[str, str, str]] = set()
    for place, entry in enumerate(file.templates):
        where = f"templates.{place} ({entry.message}, {entry.language}, {entry.id})"
        if text_hash(entry.text) != entry.hash:
            sentence = "The text is not the one that the hash was made of. Was it edited after it was approved?"
            raise CatalogueError(path, where, sentence)
        if wrong := MISTYPED_PLACEHOLDER.search(entry.text):
            sentence = f"A gap is written ${{code}}; “{entry.text[wrong.start() : wrong.start() + 12]}” is none."
            raise CatalogueError(path, where, sentence)
        key = (entry.message, entry.language, entry.text)
        if key in seen:
            raise CatalogueError(path, where, "This text appears twice.")
        seen.add(key)
    return SmsGateway(
        provider=file.provider,
        links=file.links == "yes",
        templates_only=file.templates_only == "yes",
        signature=file.signature,
        per_day=file.per_day,
        identical_per_day=file.identical_per_day,
        refused_words=file.refused_words,
        templates=tuple(ApprovedText(each.message, each.language, each.id, each.text) for each in file.templates),
    )

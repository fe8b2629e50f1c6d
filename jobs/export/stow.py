"""Objects into a PACS by STOW-RS (PS3.18 10.5): what it says it stored is believed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.sources.archive import AnswerRefused
from jobs.sources.http_peer import Answer, HttpPeer
from jobs.sources.multipart import CutOff, joined_parts

ANSWER_BYTES = 16 * 2**20
"""The longest answer that is read (ours)."""

ANSWERED = frozenset({200, 202, 409})
"""All stored; some; none. Which, the answer tells by instance."""

DUPLICATE = 0x0111
"""The PACS has an object of this UID: it was sent before."""

REASONS = {
    0x0110: "processing failure",
    0x0122: "objects of this class are not supported",
    0x0124: "not authorized",
    0xA700: "out of resources",
    0xA900: "the object does not match its class",
    0xC000: "cannot be understood",
}
"""Failure reasons of PS3.18 table I.2-2 and PS3.4 annex B in words."""

FAILED_SEQUENCE, REFERENCED_SEQUENCE = "00081198", "00081199"
REFERENCED_INSTANCE, FAILURE_REASON = "00081155", "00081197"


@dataclass(frozen=True)
class Stored:
    """What a PACS said of the objects that it was sent."""

    stored: frozenset[str]
    """SOP instance UIDs of those it holds now."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """SOP instance UID and reason, in words, of those that it does not hold."""


def store(peer: HttpPeer, objects: Mapping[str, bytes]) -> Stored:
    """Send DICOM files. The same object may be sent again: a PACS keeps it once.

    Args:
        peer: the PACS.
        objects: files by their SOP instance UID.

    Raises:
        SourceUnreachable: no connection, no access, or busy to the end. Some may have been stored.
        AnswerRefused: it refuses the whole, or its answer cannot be read.
    """
    body, content_type = joined_parts(list(objects.values()), "application/dicom")
    return peer.post(
        "studies",
        body,
        content_type=content_type,
        accept="application/dicom+json",
        statuses=ANSWERED,
        limit_bytes=ANSWER_BYTES,
        take=lambda answer: _read(answer, list(objects)),
    )


def _read(answer: Answer, sent: Sequence[str]) -> Stored:
    """The store instances response (PS3.18 table I.1-1) in the DICOM JSON model."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        raise CutOff("the answer is no JSON, or breaks off") from None
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if not isinstance(told, dict):
        raise AnswerRefused("the answer does not tell what was stored")
    stored = {uid for uid, _ in _items(told, REFERENCED_SEQUENCE)}
    reasons = dict(_items(told, FAILED_SEQUENCE))
    stored |= {uid for uid, reason in reasons.items() if reason == DUPLICATE}
    failed = {uid: _words(reasons[uid]) if uid in reasons else "not answered for" for uid in sent if uid not in stored}
    return Stored(stored=frozenset(stored & set(sent)), failed=failed)


def _items(told: Mapping[str, Any], sequence: str) -> Iterator[tuple[str, int | None]]:
    """SOP instance UID and failure reason of every item of a sequence."""
    element = told.get(sequence)
    items = element.get("Value") if isinstance(element, dict) else None
    for item in items if isinstance(items, list) else []:
        uid, reason = (_value(item, tag) for tag in (REFERENCED_INSTANCE, FAILURE_REASON))
        if isinstance(uid, str):
            yield uid, reason if isinstance(reason, int) else None


def _value(item: Any, tag: str) -> Any:
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _words(reason: int | None) -> str:
    if reason is None:
        return "no reason told"
    # The last two digits of A7, A9 and C tell details of the vendor's.
    known = REASONS.get(reason) or REASONS.get(reason & 0xFF00) or REASONS.get(reason & 0xF000)
    return f"{known or 'failure'} ({reason:04X})"

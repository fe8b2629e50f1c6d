"""multipart/related (RFC 2387): the one part of an answer, or an error where it did not come whole; parts to send."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from email.message import Message

from urllib3.exceptions import ProtocolError

PART_LENGTH = re.compile(rb"(?i)\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*(?=\r\n|\Z)")


class CutOff(ProtocolError):
    """The answer breaks off before its closing boundary, or a part is shorter than it says."""


def only_part(body: bytes, content_type: Message) -> bytes:
    """The content of an answer's only part; an answer that is not multipart is its own content.

    Whoever reads parts until there are no more takes a cut-off answer for a whole one: it has no length of its own when
    it is sent in chunks or until the connection ends. The closing boundary is what tells.

    Raises:
        CutOff: no closing boundary, or fewer bytes than the part's own Content-Length.
        ValueError: several parts, or no boundary in the header.
    """
    if content_type.get_content_maintype() != "multipart":
        return body
    boundary = content_type.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise ValueError("The answer has parts and no boundary.")
    delimiter = b"--" + boundary.encode("latin-1", "replace")
    start = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if not body.startswith(delimiter, start):
        raise CutOff("no boundary")
    header_start = start + len(delimiter)
    header_end = body.find(b"\r\n\r\n", header_start)
    end = body.find(b"\r\n" + delimiter, header_end + 2)
    if header_end < 0 or end < 0:
        raise CutOff("no closing boundary")
    closing = body[end + 2 + len(delimiter) : end + 4 + len(delimiter)]
    if len(closing) < 2:
        raise CutOff("half a closing boundary")
    if closing != b"--":
        raise ValueError("The answer has more than one part.")
    content = body[header_end + 4 : end]
    length = PART_LENGTH.search(body, header_start, header_end)
    if length is not None and int(length[1]) != len(content):
        raise CutOff("a part of another length than it says")
    return content


def joined_parts(parts: Sequence[bytes], media_type: str) -> tuple[bytes, str]:
    """Parts of one media type as a body, and the Content-Type that goes with it."""
    boundary = uuid.uuid4().hex
    head = f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    body = b"".join([*(head + part + b"\r\n" for part in parts), f"--{boundary}--\r\n".encode()])
    return body, f'multipart/related; type="{media_type}"; boundary={boundary}'

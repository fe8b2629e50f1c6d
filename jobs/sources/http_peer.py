"""One HTTP server, asked politely and not trusted: TLS, credentials, time limits, back-off, whole answers only."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError, IncompleteRead, SSLError
from urllib3.util import Retry, make_headers

from jobs.errors import SettingsError
from jobs.sources.archive import AnswerRefused
from jobs.sources.base import SourceUnreachable
from jobs.sources.multipart import CutOff

T = TypeVar("T")

BUSY = frozenset({429, 502, 503, 504})
"""Statuses of a server that may answer later."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
WHOLE_ANSWER_TIMES = 10
"""Ours: a whole answer may take so many times as long as the server may keep silent."""

RETRY = Retry(
    total=4,
    connect=2,
    read=2,
    status=4,
    other=1,
    redirect=0,
    allowed_methods=None,
    status_forcelist=BUSY,
    backoff_factor=0.3,
    backoff_max=20,
    backoff_jitter=0.2,
    retry_after_max=60,
    raise_on_status=True,
)
"""Ours: 0.6, 1.2, 2.4 seconds and so on, or what the server asks for (Retry-After), up to a minute."""


class AnswerTooLarge(Exception):
    """An answer is longer than it may be; the rest of it was not read."""


class Forbidden(SourceUnreachable):
    """The server lets us in, and not to this (403). Whoever asked for one photo may go on to the next."""


class Busy(SourceUnreachable):
    """The server answered to the end that it has no time, or not the thing at hand (429, 502, 503, 504)."""


class NothingThere(Exception):
    """The server says that it holds no such thing (404, 410)."""


@dataclass(frozen=True)
class Answer:
    """A complete answer of a status that was asked for."""

    body: bytes
    content_type: Message
    """Its media type and parameters: `get_content_type()`, `get_param(name)`."""
    framed: bool
    """Whether the server said where the answer ends (a length, or chunks), so that a cut was noticed."""
    status: int


@dataclass(frozen=True)
class HttpPeer:
    """A server below `root`. Small and picklable; its connections are made in each process when they are needed."""

    root: str
    user: str | None = None
    password: SecretStr | None = field(default=None, repr=False)
    token: SecretStr | None = field(default=None, repr=False)
    ca_file: Path | None = None
    connections: int = 8
    timeout_seconds: float = 30

    def __post_init__(self) -> None:
        """Refuse what would send a secret in the clear or to nobody knows whom.

        Raises:
            SettingsError: the root is no http(s) address, holds credentials, or credentials would go unencrypted.
        """
        parts = urlsplit(self.root)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise SettingsError(
                "FAHR_PACS_URL is no http(s) address.", next_step="Set it to the DICOMweb root: https://host/dicom-web"
            )
        if parts.username or parts.password:
            raise SettingsError(
                "FAHR_PACS_URL holds credentials.", next_step="Set FAHR_PACS_USER and FAHR_PACS_PASSWORD instead."
            )
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise SettingsError(
                "FAHR_PACS_URL is not encrypted: photographs and credentials would travel in the clear.",
                next_step="Use https; put a TLS proxy before a PACS that has none.",
            )
        if (self.user is None) != (self.password is None) or (self.user and self.token):
            raise SettingsError(
                "The credentials of the PACS do not fit together.",
                next_step="Set FAHR_PACS_USER and FAHR_PACS_PASSWORD, or FAHR_PACS_TOKEN alone, or none.",
            )
        if self.ca_file is not None and not self.ca_file.is_file():
            raise SettingsError("FAHR_PACS_CA_FILE is no file.", next_step="Name the PEM file of the authorities.")

    def get(
        self,
        path: str,
        query: list[tuple[str, str]],
        *,
        accept: str,
        limit_bytes: int,
        take: Callable[[Answer], T],
        patient: bool = True,
    ) -> T:
        """Ask for `path` below the root until `take` gets something out of the answer.

        A broken connection, an answer that is cut off (`take` raises CutOff) and, if we are `patient`, a busy server
        are tried again, later and later.

        Raises:
            SourceUnreachable: no connection, no trust in its certificate, no access (of which 403 is Forbidden), or
                busy to the end (Busy).
            NothingThere: 404 or 410.
            AnswerTooLarge: more than `limit_bytes`.
            AnswerRefused: another status, or cut off every time.
        """
        retry = RETRY if patient else RETRY.new(status=0)
        headers = {"Accept": accept}
        return self._asked("GET", path, query, headers, None, frozenset({200, 204}), limit_bytes, take, retry)

    def post(
        self,
        path: str,
        body: bytes,
        *,
        content_type: str,
        accept: str,
        statuses: frozenset[int],
        limit_bytes: int,
        take: Callable[[Answer], T],
    ) -> T:
        """Send `body` to `path` until `take` gets something out of an answer of one of `statuses`.

        As `get`, it sends again: only for what does no harm twice.

        Raises:
            As `get`.
        """
        headers = {"Accept": accept, "Content-Type": content_type}
        return self._asked("POST", path, [], headers, body, statuses, limit_bytes, take, RETRY)

    def release(self) -> None:
        """End the connections of this process that wait for another request."""
        _pool_of(self).clear()

    def _asked(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
        statuses: frozenset[int],
        limit_bytes: int,
        take: Callable[[Answer], T],
        retry: Retry,
    ) -> T:
        url = f"{self.root.rstrip('/')}/{path}" + (f"?{urlencode(query, safe=',*')}" if query else "")
        while True:
            response: urllib3.BaseHTTPResponse | None = None
            error: HTTPError | None = None
            try:
                response = self._ask(method, url, headers, body)
                if response.status not in BUSY:
                    return take(self._answer(response, statuses, limit_bytes))
                response.drain_conn()
            except SSLError:
                raise SourceUnreachable("its certificate is not trusted") from None
            except HTTPError as problem:
                error = problem
            try:
                retry = retry.increment(method, url, response=None if error else response, error=error)
            except HTTPError:
                if isinstance(error, (CutOff, IncompleteRead)):
                    raise AnswerRefused("cut off every time") from None
                if error is None:
                    raise Busy("it is busy") from None
                raise SourceUnreachable("it does not answer") from None
            retry.sleep(None if error else response)

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
        return _pool_of(self).request(
            method,
            url,
            body=body,
            headers={**self._headers(), **headers},
            timeout=urllib3.Timeout(connect=self.timeout_seconds, read=self.timeout_seconds),
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _answer(self, response: urllib3.BaseHTTPResponse, statuses: frozenset[int], limit_bytes: int) -> Answer:
        """The whole of an answer that is meant well; HTTPError where it is cut off or trickles."""
        try:
            if response.status in (401, 407):
                raise SourceUnreachable("it refuses the credentials")
            if response.status == 403:
                raise Forbidden("it does not let this user have that")
            if response.status in (404, 410):
                raise NothingThere
            if response.status not in statuses:
                raise AnswerRefused(f"status {response.status}")
            body = self._body(response, limit_bytes)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        media_type = Message()
        media_type["Content-Type"] = response.headers.get("Content-Type", "application/octet-stream")
        framed = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
        return Answer(body=body, content_type=media_type, framed=framed, status=response.status)

    def _body(self, response: urllib3.BaseHTTPResponse, limit_bytes: int) -> bytes:
        ends_by = time.monotonic() + WHOLE_ANSWER_TIMES * self.timeout_seconds
        pieces = []
        size = 0
        while piece := response.read1(READ_BYTES):
            size += len(piece)
            if size > limit_bytes:
                raise AnswerTooLarge
            if time.monotonic() > ends_by:
                raise urllib3.exceptions.TimeoutError("The answer trickles.")
            pieces.append(piece)
        return b"".join(pieces)

    def _headers(self) -> Mapping[str, str]:
        # Without `identity` some servers compress pictures that are compressed already, at a tenth of the speed.
        headers = {"Accept-Encoding": "identity"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        elif self.user is not None and self.password is not None:
            headers |= make_headers(basic_auth=f"{self.user}:{self.password.get_secret_value()}")
        return headers


READ_BYTES = 2**20


@functools.lru_cache(maxsize=8)
def _pool_of(peer: HttpPeer) -> urllib3.PoolManager:
    """The connections of this process to a peer: never more than it bears, and past any proxy of the environment."""
    tls: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED"}
    if peer.ca_file is not None:
        tls["ca_certs"] = str(peer.ca_file)
    return urllib3.PoolManager(num_pools=1, maxsize=peer.connections, block=True, **tls)

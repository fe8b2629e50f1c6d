"""A proxy on loopback before a PACS: it passes requests on, and spoils the answers as a test asks; also with TLS."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit


@dataclass
class Request:
    """What was asked, as the proxy may change it before it is passed on."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    method: str = "GET"
    body: bytes | None = None

    @property
    def is_retrieval(self) -> bool:
        return "/instances/" in self.path

    @property
    def is_study_search(self) -> bool:
        return self.path.endswith("/studies")


@dataclass
class Reply:
    """What the PACS answered, as the proxy may spoil it. `sent` is how much of the body really goes out."""

    status: int
    headers: dict[str, str]
    body: bytes
    framing: str = "length"
    sent: int | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        return json.loads(self.body or b"[]")

    @rows.setter
    def rows(self, rows: list[dict[str, Any]]) -> None:
        self.body = json.dumps(rows).encode()


@dataclass
class Proxy:
    """What a test sets, and what the proxy saw."""

    port: int = 0
    scheme: str = "http"
    before: Callable[[Request], Reply | None] = lambda request: None
    after: Callable[[Request, Reply], None] = lambda request, reply: None
    seen: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_once: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/dicom-web"

    def retrieved(self) -> int:
        """How many photographs were asked for."""
        return sum(request.is_retrieval for request in self.seen)


@contextmanager
def proxy_running(upstream_port: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """The proxy on a free port of loopback; stopped afterwards."""
    proxy = Proxy(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Written in two pieces, an answer would otherwise wait for the client's delayed acknowledgement.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query: dict[str, str] = {}
            for name, value in parse_qsl(parts.query):
                query[name] = f"{query[name]},{value}" if name in query else value
            body = self.rfile.read(int(self.headers["Content-Length"])) if self.command == "POST" else None
            request = Request(parts.path, query, dict(self.headers), self.command, body)
            with proxy.lock:
                proxy.seen.append(request)
                proxy.at_once += 1
                proxy.most_at_once = max(proxy.most_at_once, proxy.at_once)
            try:
                reply = proxy.before(request) or _ask(upstream_port, request)
                proxy.after(request, reply)
            finally:
                with proxy.lock:
                    proxy.at_once -= 1
            with suppress(BrokenPipeError, ConnectionResetError):
                self._send(reply)

        do_POST = do_GET

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "keep-alive"):
                    self.send_header(name, value)
            body = reply.body if reply.sent is None else reply.body[: reply.sent]
            if reply.framing == "length":
                self.send_header("Content-Length", str(len(reply.body)))
            elif reply.framing == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
                body = b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if reply.sent is None else b"")
            if reply.framing == "until_close" or reply.sent is not None:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Print nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *arguments: object) -> None:
            """A client that goes away is no error of the test's."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.port = server.server_address[1]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def busy(status: int, retry_after: str | None = None) -> Reply:
    """The answer of a server that has no time."""
    return Reply(status, {} if retry_after is None else {"Retry-After": retry_after}, b"")


def hang(seconds: float) -> Reply:
    """An answer that comes too late."""
    time.sleep(seconds)
    return busy(503)


def _ask(port: int, request: Request) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
    try:
        query = f"?{urlencode(request.query)}" if request.query else ""
        connection.request(request.method, request.path + query, body=request.body, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.getheaders()), answer.read())
    except (OSError, http.client.HTTPException):
        return Reply(502, {}, b"")
    finally:
        connection.close()

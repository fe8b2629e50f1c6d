"""dcmtk's dcmqrscp as an archive without DICOMweb: on loopback, over a temporary folder, stopped afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.demo.pacs import free_port
from jobs.sources.dimse_peer import DimsePeer, release_idle

TITLE, OWN_TITLE = "QRSCP", "FAHRTEST"
START_SECONDS = 20


@dataclass
class QueryRetrieve:
    """A running dcmqrscp."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def peer(self) -> DimsePeer:
        """It, as it is to be asked."""
        return DimsePeer(TITLE, "127.0.0.1", self.port, own_title=OWN_TITLE, connections=3, timeout_seconds=10)

    @property
    def address(self) -> str:
        """It, as FAHR_PACS_DIMSE names it."""
        return f"{TITLE}@127.0.0.1:{self.port}"

    def store(self, files: Sequence[Path]) -> None:
        """Register files, each as it is, in its own transfer syntax."""
        for file in files:
            target = self.folder / "store" / f"{len(list((self.folder / 'store').iterdir()))}.dcm"
            target.write_bytes(file.read_bytes())
            subprocess.run(["dcmqridx", str(self.folder / "store"), str(target)], check=True, capture_output=True)

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["dcmqrscp", "--prefer-jpeg8", *self.options, "-c", str(self.folder / "config"), str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Kill it with the children that serve associations."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def qrscp_running(files: Sequence[Path], *options: str) -> Iterator[QueryRetrieve]:
    """dcmqrscp over `files`, with more options of its own."""
    with tempfile.TemporaryDirectory(prefix="fahr-qrscp-", ignore_cleanup_errors=True) as folder:
        archive = QueryRetrieve(Path(folder), free_port(), options)
        (archive.folder / "store").mkdir()
        (archive.folder / "config").write_text(
            f"NetworkTCPPort = {archive.port}\n"
            "MaxPDUSize = 16384\n"
            "MaxAssociations = 16\n"
            "HostTable BEGIN\n"
            f"ours = ({OWN_TITLE}, 127.0.0.1, {free_port()})\n"
            "HostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            "AETable BEGIN\n"
            f"{TITLE} {archive.folder / 'store'} RW (500, 1024mb) ANY\n"
            "AETable END\n"
        )
        archive.store(files)
        archive.start()
        try:
            yield archive
        finally:
            release_idle(archive.peer)
            archive.stop()

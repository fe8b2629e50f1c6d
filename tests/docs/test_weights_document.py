"""docs/weights.md names every option of `fahr weights import`, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from jobs.weights_cli import app

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "weights.md").read_text()


def test_every_option_stands_in_the_document_and_no_other() -> None:
    commands = typer.main.get_command(app).commands
    options = {
        option
        for command in commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    of_training = {"--start-from"}
    assert set(re.findall(r"--[a-z][a-z0-9-]+", DOCUMENT)) - of_training == options - {"--help"}
    assert set(re.findall(r"fahr weights (\w+)", DOCUMENT)) == set(commands)

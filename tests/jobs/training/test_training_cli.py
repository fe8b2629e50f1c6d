"""`fahr train data-set` as a person types it."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from jobs.errors import UsageError
from jobs.training.cli import app
from jobs.training.crop_files import open_data_set
from model.drawing import draw_face, random_conditions, random_latents
from tests.nights.photograph import jpeg_bytes


@pytest.fixture
def environment(settings, monkeypatch):
    monkeypatch.setenv("FAHR_HOME", str(settings.home))
    monkeypatch.setenv("FAHR_WAREHOUSE_URL", settings.warehouse_url.get_secret_value())
    monkeypatch.setenv("FAHR_SPARK_MASTER", "local[1]")
    return settings


def run(*words: str):
    train = typer.Typer()
    train.add_typer(app)
    train.command("other")(lambda: None)  # a group of one command would take no name
    return CliRunner().invoke(train, ["data-set", *words], catch_exceptions=False)


@pytest.mark.slow
def test_a_folder_becomes_a_data_set_and_its_id_is_printed(environment, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "age", "sex", "subject"])
        for number in range(3):
            rng = np.random.default_rng(number)
            pixels = draw_face(random_latents(rng), random_conditions(rng), 256).pixels
            (folder / f"{number}.jpg").write_bytes(jpeg_bytes(pixels))
            writer.writerow([f"{number}.jpg", 40 + number, "F", number])
        writer.writerow(["gone.jpg", 40, "F", "x"])
    words = ("--folder", str(folder), "--labels", str(tmp_path / "labels.csv"), "--synthetic", "--folds", "3")
    result = run(*words, "--date", "2026-03-01")
    told = re.fullmatch(
        r"data set ([0-9a-f]{16}) \(synthetic\): photos 3, people 3, deaths 0, train \d, validation \d, test \d,"
        r" file_missing 1\n",
        result.stdout,
    )
    assert told
    assert len(open_data_set(environment.home / "training" / told[1])) == 3


@pytest.mark.parametrize("words", [("--folder", "x"), ("--labels", "x"), ("--synthetic",)])
def test_words_that_do_not_go_together_are_refused(environment, words):
    with pytest.raises(UsageError):
        run(*words)


def test_a_date_is_written_as_one():
    assert run("--date", "yesterday").exit_code == 2

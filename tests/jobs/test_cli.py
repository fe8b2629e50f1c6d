"""The `fahr` command: usage, exit codes, and what its errors do not say."""

from __future__ import annotations

import os
import subprocess

import pytest

from jobs.spark_conf import environment_bin


def fahr(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `fahr` as a person would."""
    return subprocess.run(
        [str(environment_bin() / "fahr"), *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments", [("pull", "--date", "2026-13-01"), ("pull", "--no-such-option"), ("no-such-verb",)]
)
def test_wrong_words_end_with_2(arguments, tmp_path):
    assert fahr(*arguments, FAHR_HOME=str(tmp_path)).returncode == 2


def test_a_setting_that_cannot_be_used_ends_with_10_and_is_named_but_not_quoted(tmp_path):
    answer = fahr("warehouse", "start", FAHR_HOME=str(tmp_path), FAHR_SMALL_CELL="secret-value")
    assert answer.returncode == 10
    assert "FAHR_SMALL_CELL" in answer.stderr
    assert "secret-value" not in answer.stderr


def test_a_warehouse_that_does_not_answer_ends_with_10_and_its_url_is_not_shown(tmp_path):
    url = "postgresql://somebody:hunter2@127.0.0.1:1/nowhere"
    answer = fahr("publish", "--date", "2026-03-01", FAHR_HOME=str(tmp_path), FAHR_WAREHOUSE_URL=url)
    assert answer.returncode == 10
    assert "hunter2" not in answer.stdout + answer.stderr
    assert "What to do" in answer.stderr


def test_a_model_that_is_not_there_ends_with_12(settings):
    answer = fahr(
        "score",
        "--date",
        "2026-03-01",
        FAHR_HOME=str(settings.home),
        FAHR_WAREHOUSE_URL=settings.warehouse_url.get_secret_value(),
        FAHR_MODEL="no-such-model",
    )
    assert answer.returncode == 12


def test_the_home_of_the_product_is_closed_to_others(tmp_path):
    home = tmp_path / "home"
    fahr("warehouse", "stop", FAHR_HOME=str(home))
    assert home.stat().st_mode & 0o777 == 0o700

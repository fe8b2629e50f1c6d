from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from jobs.warehouse.dictionary import data_dictionary

FILE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"


def test_the_data_dictionary_is_current(owner_engine: Engine) -> None:
    with owner_engine.connect() as connection:
        current = data_dictionary(connection)
    assert FILE.read_text() == current, "run: python -m jobs.warehouse.dictionary > docs/data-dictionary.md"

"""A small warehouse whose cohort was granted to researchers, and a key."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from jobs.settings import Settings

KEY = "a key of the tests, which no hospital has"


@pytest.fixture
def granted(settings: Settings, small_warehouse: Engine) -> Settings:
    """Settings with a key; the cohort `cancer_photo` is granted to every researcher."""
    with small_warehouse.begin() as connection:
        connection.execute(
            text("INSERT INTO fahr.cohort_grant_v1 (grantee, cohort) VALUES ('fahr_researcher', 'cancer_photo')")
        )
    return settings.model_copy(update={"pseudonym_key": SecretStr(KEY)})

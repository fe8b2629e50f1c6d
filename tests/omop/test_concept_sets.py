"""Concept sets: declared in YAML, put in force by a migration, joined by SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from jobs.errors import SettingsError
from jobs.settings import Settings
from jobs.warehouse.commands import migrate_command
from jobs.warehouse.connection import open_warehouse
from schemas.concept_sets import CONCEPTS, load_concept_sets
from schemas.written_concepts import load_written_concepts
from tests.omop.conftest import Ask

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "omop.md").read_text()

OWN = """
concept_set: cancer_site
title: Site of the cancer
column: condition_occurrence.condition_concept_id
members:
  breast:
    - {concept_id: 4112853, name: Malignant tumor of breast}
  other:
    - {concept_id: 443392, name: Malignant neoplastic disease}
    - {concept_id: 999, name: Something, descendants: false}
"""


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Callable[[str], Settings]:
    """Settings with a folder that holds one concept set of the hospital's."""

    def written(content: str) -> Settings:
        (tmp_path / "concepts").mkdir(exist_ok=True)
        (tmp_path / "concepts" / "cancer_site.yaml").write_text(content)
        return settings.model_copy(update={"concepts": tmp_path / "concepts"})

    return written


def test_no_concept_id_stands_in_code_or_cohorts() -> None:
    """Ids are looked for where they were: in SQL and Python outside the demo's vocabulary."""
    suspicious = re.compile(r"concept_id\s*(=|<>|!=|IN|BETWEEN)\s*\(?\d|WHEN \d{4,} THEN|\b2_?000_?000_?[1-9]\d\d\b")
    files = [
        *(ROOT / "schemas").rglob("*.sql"),
        *(path for path in (ROOT / "schemas").rglob("*.py")),
        *(path for path in (ROOT / "jobs").rglob("*.py") if path.name != "vocabulary.py"),
        *(ROOT / "jobs").rglob("*.sql"),
    ]
    assert len(files) > 200
    found = [path.name for path in files if suspicious.search(path.read_text())]
    assert found == []


def test_the_view_gives_what_is_declared(ask: Ask) -> None:
    declared = {
        (declared.concept_set, member, concept.concept_id)
        for declared in load_concept_sets()
        for member, concepts in declared.members.items()
        for concept in concepts
    }
    assert {tuple(row) for row in ask("SELECT concept_set, member, concept_id FROM fahr.concept_set")} == declared
    assert {path.stem for path in CONCEPTS.glob("*.yaml")} == {name for name, _, _ in declared}


def test_a_hospitals_set_stands_instead_of_the_shipped_one(own, ask: Ask) -> None:
    settings = own(OWN)
    with pytest.raises(SettingsError, match="not that of this version"):
        open_warehouse(settings)
    assert migrate_command(settings) == "The warehouse is migrated."
    open_warehouse(settings).dispose()
    sets = "SELECT member, concept_id, is_declared FROM fahr.concept_set WHERE concept_set = 'cancer_site' ORDER BY 2"
    assert ask(sets) == [("other", 999, True), ("other", 443392, True), ("breast", 4112853, True)]
    assert ask("SELECT count(*) FROM fahr.concept_set WHERE concept_set = 'stage'") == [(4,)]


def test_descendants_mean_what_the_nearest_ancestor_means(own, ask: Ask, owner_engine: Engine) -> None:
    """Breast cancer lies two below malignancy; what lies below both means breast."""
    migrate_command(own(OWN))
    with owner_engine.begin() as connection:
        connection.execute(text("DROP TABLE cdm.concept_ancestor"))
        connection.execute(
            text(
                "CREATE TABLE cdm.concept_ancestor (ancestor_concept_id integer, descendant_concept_id integer,"
                " min_levels_of_separation integer, max_levels_of_separation integer)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO cdm.concept_ancestor VALUES (443392, 443392, 0, 0), (443392, 4112853, 2, 2),"
                " (443392, 77, 1, 1), (443392, 88, 3, 3), (4112853, 88, 1, 1), (999, 111, 1, 1)"
            )
        )
    sets = "SELECT member, concept_id, is_declared FROM fahr.concept_set WHERE concept_set = 'cancer_site' ORDER BY 2"
    assert ask(sets) == [
        ("other", 77, False),
        ("breast", 88, False),
        ("other", 999, True),
        ("other", 443392, True),
        ("breast", 4112853, True),
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("concept_set: cancer_site", "concept_set: site", "must be called as the file"),
        ("concept_id: 999", "concept_id: 443392", "stands twice"),
        ("concept_id: 999", "concept_id: many", r"members\.other\.1\.concept_id"),
        ("title:", "titel:", "title: Field required"),
        ("members:", "members: [", "cancer_site.yaml:"),
    ],
)
def test_a_wrong_set_is_told_by_file_and_key(own, old: str, new: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        open_warehouse(own(OWN.replace(old, new)))


def test_the_documents_queries_run_and_find_the_demos_concepts(ask: Ask) -> None:
    sites, unknown = re.findall(r"```sql\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert len(ask(sites)) == 25
    # The demo's vocabulary has no races but "Unknown".
    assert {row.concept_set for row in ask(unknown)} == {"race"}


def test_the_document_names_every_set_and_our_concepts(ask: Ask) -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| `\w+\.\w+_concept_id` \| (.+) \|$", DOCUMENT, flags=re.MULTILINE))
    assert table == {declared.concept_set: ", ".join(declared.members) for declared in load_concept_sets()}
    documented = {int(number) for number in re.findall(r"^\| (2000100\d{3}) \|", DOCUMENT, flags=re.MULTILINE)}
    written = load_written_concepts()
    assert documented == {written.id_of(role) for role in written.concepts}

"""Export: what researchers may see of a cohort, as files that are the same again, and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from jobs.errors import SettingsError, UsageError
from jobs.export.job import export


@pytest.fixture
def exported(granted, engine, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    export(settings=granted, engine=engine, cohort="cancer_photo", folder=folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_hold_what_a_researcher_sees_of_the_latest_analysis(exported: Path, granted) -> None:
    members = pq.read_table(exported / "researcher_member.parquet")
    assert members.num_rows == 80
    assert set(members["analysis_id"].to_pylist()) == {"second"}
    assert set(members["cohort"].to_pylist()) == {"cancer_photo"}
    assert json.loads(members["covariates"][0].as_py())["sex"] in ("male", "female")
    assert pq.read_table(exported / "researcher_session.parquet").num_rows == 180
    assert pq.read_table(exported / "researcher_risk_subgroup.parquet")["persons"].to_pylist() == [80, 45, 35]
    assert (exported.stat().st_mode & 0o777) == 0o700


def test_sessions_and_members_join_on_the_pseudonym_and_intervals_are_true(exported: Path) -> None:
    members = pq.read_table(exported / "researcher_member.parquet").to_pandas()
    sessions = pq.read_table(exported / "researcher_session.parquet").to_pandas()
    joined = sessions.merge(members, on="pseudonym")
    assert len(joined) == len(sessions)
    days = joined.session_on.astype("datetime64[s]") - joined.index_on.astype("datetime64[s]")
    assert (days.dt.days == joined.days_from_index).all()


def test_nothing_leaves_that_names_a_person_or_a_photo(exported: Path) -> None:
    columns = {name for file in exported.glob("*.parquet") for name in pq.read_schema(file).names}
    assert not columns & {
        "person_id",
        "photo_id",
        "session_id",
        "content_sha256",
        "captured_on",
        "index_date",
        "run_id",
    }
    assert b"fahr_loader" not in b"".join(content(exported).values())


def test_the_same_data_give_the_same_bytes(exported: Path, granted, engine) -> None:
    before = content(exported)
    assert len(before) == 22
    export(settings=granted, engine=engine, cohort="cancer_photo", folder=exported)
    assert content(exported) == before


def test_sha256sum_finds_a_changed_byte(exported: Path) -> None:
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=exported, capture_output=True, check=False).returncode == 0
    file = exported / "researcher_member.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert subprocess.run(check, cwd=exported, capture_output=True, check=False).returncode == 1
    named = {line.partition("  ")[2] for line in (exported / "SHA256SUMS").read_text().splitlines()}
    assert named == {path.name for path in exported.iterdir()} - {"SHA256SUMS"}


def test_the_manifest_counts_and_says_that_nobody_is_meant(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert (manifest["cohort"], manifest["analysis_id"], manifest["is_synthetic"]) == ("cancer_photo", "second", True)
    assert [model["model_id"] for model in manifest["models"]] == ["new-2"]
    files = {file["name"]: file for file in manifest["files"]}
    assert files["researcher_member.parquet"]["rows"] == 80
    assert all(
        pq.read_metadata(exported / name).num_rows == file["rows"] for name, file in files.items() if "rows" in file
    )
    assert "drawn faces" in (exported / "data-dictionary.md").read_text()


def test_the_dictionary_tells_every_column_of_every_file(exported: Path) -> None:
    dictionary = (exported / "data-dictionary.md").read_text()
    for file in exported.glob("*.parquet"):
        section = dictionary.split(f"## `{file.name}`")[1].split("## `")[0]
        for field in pq.read_schema(file):
            (line,) = [line for line in section.splitlines() if line.startswith(f"| `{field.name}` |")]
            meaning = line.split("|")[3].strip()
            assert len(meaning) > 5
            assert field.metadata[b"meaning"].decode().startswith(meaning[:20])


def test_an_export_is_in_the_audit(exported: Path, engine) -> None:
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT subject, counts FROM fahr.audit_v1 WHERE action = 'export'"))
    sums = {
        name: digest
        for digest, _, name in (line.partition("  ") for line in (exported / "SHA256SUMS").read_text().splitlines())
    }
    assert row.subject == f"cancer_photo {sums['manifest.json']}"
    assert (row.counts["persons"], row.counts["files"]) == (80, 22)


def test_what_was_not_granted_does_not_leave(granted, engine, small_warehouse, tmp_path: Path) -> None:
    with small_warehouse.begin() as connection:
        connection.execute(text("DELETE FROM fahr.cohort_grant_v1 WHERE grantee = 'fahr_researcher'"))
    with pytest.raises(SettingsError, match="not granted to fahr_researcher"):
        export(settings=granted, engine=engine, cohort="cancer_photo", folder=tmp_path / "out")
    assert list(tmp_path.glob("out*")) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM fahr.audit_v1 WHERE action = 'export'")).scalar() == 0


def test_an_analyst_or_the_loader_exports_nothing(granted, engine, tmp_path: Path) -> None:
    for role in ("fahr_analyst", "fahr_loader"):
        with pytest.raises(SettingsError, match="rights of fahr_researcher"):
            export(settings=granted, engine=engine, cohort="cancer_photo", folder=tmp_path / "out", role=role)


def test_no_key_and_no_analysis_are_told(settings, granted, engine, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No key"):
        export(settings=settings, engine=engine, cohort="cancer_photo", folder=tmp_path / "out")
    with pytest.raises(UsageError, match="No analysis"):
        export(settings=granted, engine=engine, cohort="of another name", folder=tmp_path / "out")


def test_a_folder_with_something_else_in_it_is_left_alone(exported: Path, granted, engine, tmp_path: Path) -> None:
    (exported / "notes.txt").write_text("mine")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.docx").write_text("mine")
    for folder in (exported, other):
        with pytest.raises(UsageError, match="no export"):
            export(settings=granted, engine=engine, cohort="cancer_photo", folder=folder)
    assert (other / "thesis.docx").read_text() == (exported / "notes.txt").read_text() == "mine"

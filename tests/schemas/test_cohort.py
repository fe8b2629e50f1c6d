"""A cohort's declaration is checked before anything is read, and mistakes are told by file, line and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.cohort import COHORTS, DeclarationError, load_cohort


@pytest.mark.parametrize("folder", sorted(path.name for path in COHORTS.iterdir() if path.is_dir()))
def test_every_shipped_cohort_loads(folder):
    cohort = load_cohort(folder)
    assert cohort.declared.cohort == folder
    assert len(cohort.sha256) == 64


def test_cancer_photo_declares_what_the_papers_table_needs():
    cohort = load_cohort("cancer_photo")
    assert cohort.declared.covariates["face_age_years"].per == 10
    assert cohort.declared.covariates["face_survival_log_risk"].per == "SD"
    assert cohort.declared.models["age_sex_clinical"].covariates == ("age_years", "sex", "site", "stage", "ecog")
    assert cohort.column_of("face_age_quartile") == "face_age_years"
    assert cohort.columns.count("face_age_years") == 1
    assert all(table.startswith("cdm.") for table in cohort.declared.reads)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COHORTS / "cancer_photo", tmp_path / "cancer_photo"))


def edited(folder: Path, old: str, new: str) -> int:
    """Replace `old`, which stands once, and return its line."""
    path = folder / "cohort.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("    reference: breast\n", "    reference: liver\n", "covariates.site.reference", "'liver' is not among"),
        ("model: both_adjusted", "model: all_adjusted", "prediction.model", "no model 'all_adjusted'"),
        (
            "covariates: [face_survival_log_risk]",
            "covariates: [risk]",
            "models.face_survival_univariable.covariates.0",
            "no covariate 'risk'",
        ),
        ("    unit: point\n", "    units: point\n", "covariates.ecog.units", "Extra inputs"),
        ("    per: SD\n", "    per: -1\n", "covariates.face_survival_log_risk.per", ""),
        ("    per: SD\n", "", "covariates.face_survival_log_risk.per", "missing"),
        ("levels: [female, male]", "levels: [female, yes]", "covariates.sex.levels.1", "string"),
        ("folds: 5", "folds: 1", "prediction.folds", "greater than or equal to 2"),
        ("cohort: cancer_photo", "cohort: cancer", "cohort", "folder"),
        ("curves: [face_survival_quartile, face_age_quartile]", "curves: [age_years]", "curves.0", "continuous"),
        ("  sex:\n    label: Sex", "  age_years:\n    label: Sex", "age_years", "stands twice"),
        ("  - cdm.person\n", "  - person; DROP TABLE\n", "reads.0", "pattern"),
        ("title: People", "title: [People", "", "not YAML"),
    ],
)
def test_mistakes_name_file_line_and_key(copy, old, new, key, says):
    line = edited(copy, old, new)
    with pytest.raises(DeclarationError) as raised:
        load_cohort(copy)
    message = str(raised.value)
    assert message.startswith("cancer_photo/cohort.yaml:")
    assert key in message and says in message
    if says not in ("missing", "not YAML"):
        assert message.startswith(f"cancer_photo/cohort.yaml:{line}: {key}")


def test_missing_files_and_unknown_names_are_told(copy):
    (copy / "cohort.sql").unlink()
    with pytest.raises(DeclarationError, match=r"cancer_photo/cohort\.sql is missing"):
        load_cohort(copy)
    with pytest.raises(DeclarationError, match=r"no cohort 'nobody'.*cancer_photo"):
        load_cohort("nobody")


def test_hash_follows_both_files(copy):
    before = load_cohort(copy).sha256
    assert before == load_cohort("cancer_photo").sha256
    (copy / "cohort.sql").write_text((copy / "cohort.sql").read_text() + "-- changed\n")
    assert load_cohort(copy).sha256 != before

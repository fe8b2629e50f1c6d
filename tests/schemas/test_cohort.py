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
        ("model: both_adjusted\n  folds", "model: all\n  folds", "prediction.model", "no model 'all'"),
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
        ("horizons_years: [1, 3]", "horizons_years: [3, 1]", "endpoint.horizons_years.1", "does not follow 3"),
        ("horizons_years: [1, 3]", "horizons_years: [0]", "endpoint.horizons_years.0", "greater than 0"),
        ("    cuts: [50, 60, 70, 80]\n", "    cuts: [50, 50]\n", "covariates.age_band.cuts", "does not follow"),
        ("    cuts: [50, 60, 70, 80]\n", "", "covariates.age_band.cuts", "missing"),
        (
            "    column: face_age_years\n    unit: years\n    knots: 4",
            "    column: face_age_years\n    knots: 9",
            "covariates.face_age_spline.knots",
            "less than or equal to 7",
        ),
        (
            "    unit: point\n",
            "    unit: point\n    knots: 4\n",
            "covariates.ecog.knots",
            "continuous covariate has none",
        ),
        (
            "    unit: point\n",
            "    unit: point\n    transform: cube\n",
            "covariates.ecog.transform",
            "'log' or 'sqrt'",
        ),
        ("    strata: [site]", "    strata: [stage]", "models.both_stratified_by_site.strata.0", "is a covariate"),
        (
            "    strata: [site]",
            "    strata: [face_age_quartile]",
            "models.both_stratified_by_site.strata.0",
            "strata need a categorical covariate",
        ),
        (
            "    strata: [site]",
            "    method: cause_specific",
            "models.both_stratified_by_site.method",
            "needs the key competing",
        ),
        (
            "    smaller: age_univariable\n",
            "    smaller: face_survival_univariable\n",
            "comparisons.face_age_beyond_age.larger",
            "not nested: 'age_and_face_age' lacks face_survival_log_risk",
        ),
        (
            "    smaller: age_univariable\n",
            "    smaller: age_and_face_age\n",
            "comparisons.face_age_beyond_age.larger",
            "nothing is added",
        ),
        (
            "    smaller: age_univariable\n",
            "    smaller: age\n",
            "comparisons.face_age_beyond_age.smaller",
            "no model 'age'",
        ),
        ("by: [sex, age_band", "by: [sex, age_years", "subgroups.by.1", "subgroups need levels"),
        (
            "exposures: [face_age_years, face_survival_log_risk]",
            "exposures: [face_age_quartile]",
            "subgroups.exposures.0",
            "an exposure is continuous",
        ),
        (
            "subgroups:\n  model: both_adjusted",
            "subgroups:\n  model: face_age_adjusted",
            "subgroups.exposures.1",
            "is no covariate of 'face_age_adjusted'",
        ),
        (
            "  face_age_quartile: face_age_quartile_adjusted",
            "  face_age_quartile: face_age_adjusted",
            "adjusted_curves.face_age_quartile",
            "is no covariate of 'face_age_adjusted'",
        ),
        ("  repeats: 200", "  repeats: -1", "resampling.repeats", "greater than or equal to 0"),
        ("endpoint:\n", "entry: event\nendpoint:\n", "entry", "means something else"),
        ("endpoint:\n", "cluster: index_date\nendpoint:\n", "cluster", "means something else"),
        ("endpoint:\n", "weights: event\nendpoint:\n", "weights", "means something else"),
        ("endpoint:\n", "missing: {impute: 1}\nendpoint:\n", "missing.impute", "2 or more, or 0"),
        ("endpoint:\n", "missing: {impute: few}\nendpoint:\n", "missing.impute", "valid integer"),
        ("endpoint:\n", "missing: {impute: 5, only: [grade]}\nendpoint:\n", "missing.only.0", "no covariate 'grade'"),
        ("endpoint:\n", "missing: {only: [stage]}\nendpoint:\n", "missing.only", "nothing is imputed"),
        (
            "endpoint:\n",
            "landmark: {measured_until: last_photo_years}\nendpoint:\n",
            "landmark",
            "one of the two",
        ),
        (
            "endpoint:\n",
            "landmark: {years: 1, column: own_years, measured_until: last_photo_years}\nendpoint:\n",
            "landmark",
            "one of the two",
        ),
        ("endpoint:\n", "landmark: {years: 1}\nendpoint:\n", "landmark.measured_until", "required"),
        (
            "endpoint:\n",
            "landmark: {years: 1, measured_until: index_date}\nendpoint:\n",
            "landmark.measured_until",
            "means something else",
        ),
        (
            "endpoint:\n",
            "competing: {column: cause, of_interest: cancer, others: [cancer]}\nendpoint:\n",
            "competing.others.0",
            "is the event of interest",
        ),
    ],
)
def test_mistakes_name_file_line_and_key(copy, old, new, key, says):
    line = edited(copy, old, new)
    with pytest.raises(DeclarationError) as raised:
        load_cohort(copy)
    message = str(raised.value)
    assert message.startswith("cancer_photo/cohort.yaml:")
    assert key in message and says in message
    at_the_edit = new.strip("\n").count("\n") == 0 and not key.endswith(".larger")
    if says not in ("missing", "not YAML") and at_the_edit:
        assert message.startswith(f"cancer_photo/cohort.yaml:{line}: {key}")


@pytest.mark.parametrize(
    ("keys", "key", "says"),
    [
        ("entry: entry_years\nlandmark: {years: 1, measured_until: last_years}\n", "entry", "one or the other"),
        ("cluster: person_id\nmissing: {impute: 5}\n", "missing.impute", "takes no cluster"),
        ("weights: sampling\nmissing: {impute: 5}\n", "missing.impute", "takes no weights"),
        ("weights: sampling\n", "adjusted_curves.face_survival_quartile", "take no weights"),
    ],
)
def test_keys_that_do_not_go_together_are_told(copy, keys, key, says):
    edited(copy, "endpoint:\n", f"{keys}endpoint:\n")
    with pytest.raises(DeclarationError, match=says) as raised:
        load_cohort(copy)
    line = int(str(raised.value).split(":")[1])
    assert f": {key}: " in str(raised.value)
    assert key.split(".")[-1] in (copy / "cohort.yaml").read_text().split("\n")[line - 1]


def test_the_line_of_a_mistake_that_spans_two_models_is_that_of_the_larger(copy):
    edited(copy, "    smaller: age_univariable\n", "    smaller: face_survival_univariable\n")
    line = 1 + (copy / "cohort.yaml").read_text().split("\n").index("    larger: age_and_face_age")
    with pytest.raises(DeclarationError, match=rf"cohort\.yaml:{line}: comparisons\.face_age_beyond_age\.larger"):
        load_cohort(copy)


def test_a_cohort_of_other_tables_needs_no_scores(copy):
    assert load_cohort(copy).reads_scores
    (copy / "cohort.sql").write_text("-- fahr.session_score_unseen is not read\nSELECT * FROM registry.rossi\n")
    assert not load_cohort(copy).reads_scores


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

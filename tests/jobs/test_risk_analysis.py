"""What an analysis may say where rows depend on each other, models are stratified, or gaps were filled."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from jobs.risk.job import analyse
from jobs.risk.tables import Analysis
from model.survival.concordance import harrells_c
from model.survival.spline import place_knots
from schemas.cohort import load_cohort

DECLARED: dict[str, Any] = {
    "cohort": "made_up",
    "title": "Made up",
    "reads": ["registry.made_up"],
    "endpoint": {"name": "death", "origin": "index", "horizons_years": [1, 2]},
    "covariates": {
        "age": {"label": "Age", "type": "continuous", "column": "age_years", "per": "SD"},
        "score": {"label": "Score", "type": "continuous", "per": 1},
        "curve": {"label": "Score", "type": "spline", "column": "score", "knots": 3},
        "quarter": {"label": "Points", "type": "quartile", "column": "points"},
        "site": {"label": "Site", "type": "categorical", "levels": ["a", "b"], "reference": "a"},
    },
    "models": {
        "age": {"description": "Age", "covariates": ["age"]},
        "both": {"description": "Age and score", "covariates": ["age", "score"]},
        "curved": {"description": "Age and a curve", "covariates": ["age", "curve"]},
        "quarters": {"description": "Quarters", "covariates": ["quarter"]},
        "within_sites": {"description": "Within sites", "covariates": ["age", "score"], "strata": ["site"]},
    },
    "comparisons": {"score_beyond_age": {"label": "Score", "smaller": "age", "larger": "both"}},
    "prediction": {"model": "both", "folds": 3},
    "resampling": {"repeats": 0},
}


def people(rows: int = 600, seed: int = 2) -> pd.DataFrame:
    """Whole months of follow-up; site b dies five times as fast."""
    rng = np.random.default_rng(seed)
    age, score = rng.normal(60, 10, rows), rng.normal(size=rows)
    site = rng.choice(np.array(["a", "b"], dtype=object), rows)
    hazard = 0.25 * np.exp(0.03 * (age - 60) + 0.5 * score) * np.where(site == "b", 5, 1)
    death, censored = rng.exponential(1 / hazard), rng.uniform(0.5, 5, rows)
    return pd.DataFrame(
        {
            "person_id": np.arange(1, rows + 1),
            "episode": 1,
            "index_date": np.full(rows, date(2020, 1, 1), dtype=object),
            "followup_years": np.ceil(np.minimum(death, censored) * 12) / 12,
            "event": death <= censored,
            "age_years": age,
            "score": score,
            "points": rng.choice(5, rows, p=(0.3, 0.3, 0.2, 0.1, 0.1)).astype(float),
            "site": site,
        }
    )


def analysed(folder: Path, frame: pd.DataFrame, **declared: Any) -> Analysis:
    folder = folder / "made_up"
    folder.mkdir(exist_ok=True)
    (folder / "cohort.sql").write_text("SELECT * FROM registry.made_up")
    (folder / "cohort.yaml").write_text(yaml.safe_dump(DECLARED | declared, sort_keys=False))
    return analyse(frame, load_cohort(str(folder)), "analysis", "data", None)


def thrice(frame: pd.DataFrame) -> pd.DataFrame:
    """Every person has three rows that are alike."""
    rows = pd.concat([frame.assign(episode=number) for number in (1, 2, 3)], ignore_index=True)
    return rows.assign(family=(rows["person_id"] + 1) // 2)


def test_dependent_rows_have_no_likelihood_and_no_test_of_proportional_hazards(tmp_path: Path) -> None:
    found = analysed(tmp_path, thrice(people()), cluster="person_id")
    hazards = [row for row in found.diagnostics if row.diagnostic.startswith("proportional_hazards")]
    assert {(row.term, row.p_value) for row in hazards} == {("all", None)}
    assert "no robust variance" in str(hazards[0].note)
    nested = found.contrasts[0]
    assert nested.statistic == "wald" and nested.p_value is not None and nested.delta_aic is None


def test_a_calibration_slope_of_alike_rows_is_no_surer_than_that_of_one(tmp_path: Path) -> None:
    def width(found: Analysis) -> float:
        (slope,) = (row for row in found.performance if row.metric == "calibration_slope" and row.model_name == "both")
        assert slope.upper_95 is not None and slope.lower_95 is not None
        return slope.upper_95 - slope.lower_95

    once = width(analysed(tmp_path, people()))
    assert width(analysed(tmp_path, thrice(people()), cluster="person_id")) == pytest.approx(once, rel=0.15)
    assert width(analysed(tmp_path, thrice(people()))) < 0.7 * once


def test_a_stratified_model_ranks_people_by_the_survival_it_predicts(tmp_path: Path) -> None:
    frame = people()
    found = analysed(tmp_path, frame, prediction={"model": "within_sites", "folds": 3})
    table = found.predicted
    assert table is not None
    (measured,) = (row for row in found.performance if row.metric == "harrells_c" and row.model_name == "within_sites")
    durations, events = frame["followup_years"].to_numpy(), frame["event"].to_numpy()
    by_survival = harrells_c(durations, events, -table["survival_2_year"].to_numpy()).c_index
    assert measured.estimate == pytest.approx(by_survival)
    assert by_survival > harrells_c(durations, events, table["log_risk"].to_numpy()).c_index + 0.05
    percentile = table["percentile"].groupby(frame["site"]).mean()
    assert percentile["b"] > percentile["a"] + 30


def test_completed_data_sets_have_the_knots_and_cut_points_of_what_is_known(tmp_path: Path) -> None:
    frame = people()
    holes = np.random.default_rng(3)
    frame.loc[holes.random(len(frame)) < 0.4, "score"] = np.nan
    frame.loc[holes.random(len(frame)) < 0.4, "points"] = np.nan
    found = analysed(tmp_path, frame, missing={"impute": 4, "seed": 1})
    curved, quarters = found.models["curved"].fit, found.models["quarters"].fit
    knots = place_knots(frame["score"].dropna().to_numpy(), 3)
    assert [fit.design.learnt[1].knots for fit in curved.fits] == [knots] * 4
    deviation = float(frame["age_years"].std())
    assert [fit.design.learnt[0].scale for fit in curved.fits] == pytest.approx([deviation] * 4)
    cuts = tuple(np.quantile(frame["points"].dropna(), (0.25, 0.5, 0.75)))
    assert [fit.design.learnt[0].cuts for fit in quarters.fits] == [cuts] * 4
    tested = {row.term for row in found.diagnostics if (row.model_name, row.p_value is None) == ("quarters", False)}
    assert tested == {*(c.term.name for c in quarters.coefficients), "quarter", "all"}

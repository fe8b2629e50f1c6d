"""Follow-up in which all events are at one time: models can be fitted, and proportional hazards cannot be tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
from opened_page import Opened
from test_risk import rows, run_risk
from test_risk_like_r import declared, load

from jobs.risk.page import risk_page

YEARLY = {
    "cohort.sql": """
        SELECT person_id, CAST('2000-01-01' AS date) AS index_date, followup_years, event, score, site
        FROM registry.yearly
    """,
    "cohort.yaml": """
        cohort: yearly
        title: Seen again once, after a year
        reads: [registry.yearly]
        endpoint: {name: death, origin: index, horizons_years: [1]}
        covariates:
          score: {label: Score, type: continuous, per: 1}
          site: {label: Site, type: categorical, levels: [a, b], reference: a}
        models:
          alone: {description: Score alone, covariates: [score]}
          within_sites: {description: Score within sites, covariates: [score], strata: [site]}
        prediction: {model: alone, folds: 2}
        resampling: {repeats: 0}
    """,
}


def test_the_models_are_fitted_and_the_page_says_what_cannot_be_tested(
    settings, engine, owner_engine, tmp_path, browser
):
    rng = np.random.default_rng(8)
    score = rng.normal(size=300)
    people = pd.DataFrame(
        {
            "person_id": np.arange(1, 301),
            "followup_years": 1.0,
            "event": rng.random(300) < 1 / (1 + np.exp(-score)),
            "score": score,
            "site": rng.choice(["a", "b"], 300),
        }
    )
    load(owner_engine, "yearly", people)
    folder = declared(tmp_path, "yearly", YEARLY)
    assert run_risk(settings, engine, cohort=folder)["models_fitted"] == 2
    found = rows(engine, "SELECT * FROM fahr.risk_diagnostic WHERE diagnostic = 'proportional_hazards'")
    assert set(found["note"]) == {"proportional hazards cannot be tested: all events are at one time"}
    assert found["term"].tolist() == ["all", "all"] and found["p_value"].isna().all()
    opened = Opened(browser, risk_page(settings=settings, engine=engine, cohort=folder))
    assert opened.complaints == [] and "all events are at one time" in opened.words("#checks")

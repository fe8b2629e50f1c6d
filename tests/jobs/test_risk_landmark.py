"""Landmarks: who enters, from when on follow-up counts, and that time in which nobody could die does not."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from opened_page import Opened
from scored_hospital import fill_hospital
from sqlalchemy import text
from test_risk import rows, run_risk
from test_risk_like_r import declared, load

from jobs.demo.population import DEMO_NIGHT, admit_patients
from jobs.demo.sessions import plan_sessions
from jobs.errors import SettingsError
from jobs.risk.landmark import from_landmark
from jobs.risk.page import risk_page
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from schemas.cohort import COHORTS, load_cohort

PATIENTS, SEED = 200, 7

TREATED = {
    "cohort.sql": """
        SELECT person_id, CAST('2000-01-01' AS date) AS index_date, followup_years, event,
            treated_years IS NOT NULL AND treated_years <= 1 AS was_treated,
            least(treated_years, 1) AS measured_years
        FROM registry.treated
    """,
    "cohort.yaml": """
        cohort: treated
        title: A treatment that does nothing, given to who lives long enough
        reads: [registry.treated]
        endpoint: {name: death, origin: landmark, horizons_years: [1]}
        landmark: {years: 1, measured_until: measured_years}
        covariates:
          was_treated: {label: Treated, type: categorical, levels: ["False", "True"], reference: "False"}
        models:
          treatment: {description: Treatment alone, covariates: [was_treated]}
        prediction: {model: treatment, folds: 2}
        resampling: {repeats: 0}
    """,
}


def patients() -> pd.DataFrame:
    """Everybody dies at the same rate; a treatment that changes nothing comes after a while, to who is still alive."""
    rng = np.random.default_rng(5)
    death, waiting = rng.exponential(1.5, 3000), rng.exponential(1.0, 3000)
    followup = np.minimum(death, 4.0)
    return pd.DataFrame(
        {
            "person_id": np.arange(1, 3001),
            "followup_years": followup,
            "event": death <= 4,
            "treated_years": np.where(waiting < followup, waiting, np.nan),
        }
    )


def test_immortal_time_makes_a_useless_treatment_save_lives_and_a_landmark_does_not(
    settings, engine, owner_engine, tmp_path
):
    people = patients()
    treated = Covariate("treated", "treated", "continuous")
    naive = fit_cox(people.assign(treated=people["treated_years"].notna().astype(float)), (treated,)).coefficients[0]
    assert naive.ci_upper < 0.7, "counted from the start, who was ever treated seems to live longer"

    load(owner_engine, "treated", people)
    counts = run_risk(settings, engine, cohort=declared(tmp_path, "treated", TREATED))
    alive = people[people["followup_years"] > 1]
    assert counts["analysed"] == len(alive) and counts["before_landmark"] == len(people) - len(alive)
    found = rows(engine, "SELECT * FROM fahr.risk_coefficient").iloc[0]
    assert found["ci_lower"] < 1 < found["ci_upper"] and abs(found["log_hazard_ratio"]) < 0.15
    # From the landmark on, the hazard ratio is that of a fit to who was alive then, counted from there.
    by_hand = alive.assign(
        followup_years=alive["followup_years"] - 1, treated=(alive["treated_years"] <= 1).astype(float)
    )
    expected = fit_cox(by_hand, (treated,)).coefficients[0]
    assert found["log_hazard_ratio"] == pytest.approx(expected.log_hazard_ratio, abs=1e-9)
    members = rows(engine, "SELECT DISTINCT index_date FROM fahr.cohort_member")
    assert members["index_date"].tolist() == [date(2000, 12, 31)]
    flow = rows(engine, "SELECT reason, remaining, label FROM fahr.risk_flow ORDER BY step").set_index("reason")
    assert flow.loc["before_landmark", "remaining"] == len(alive) and "landmark" in flow.loc["before_landmark", "label"]


def test_as_many_days_after_a_landmark_are_the_same_time():
    """Landmarks of their own: follow-up less the landmark must tie as the days do, or Efron's ties are others."""
    rng = np.random.default_rng(3)
    at, later = rng.integers(10, 900, 2000), rng.integers(1, 200, 2000)
    people = pd.DataFrame(
        {
            "followup_years": (at + later) / 365.25,
            "landmark_years": at / 365.25,
            "last_photo_years": at / 365.25,
            "index_date": np.full(2000, date(2020, 1, 1), dtype=object),
        }
    )
    moved, _ = from_landmark(people, load_cohort("face_aging_rate"))
    assert moved["followup_years"].nunique() == len(np.unique(later))
    assert moved["followup_years"].to_numpy() == pytest.approx(later / 365.25, abs=1e-7)


def test_what_was_measured_after_the_landmark_stops_the_job(settings, engine, owner_engine, tmp_path):
    load(owner_engine, "treated", patients())
    files = TREATED | {"cohort.sql": TREATED["cohort.sql"].replace("least(treated_years, 1)", "treated_years")}
    with pytest.raises(SettingsError, match="uses what was measured after the landmark, of"):
        run_risk(settings, engine, cohort=declared(tmp_path, "treated", files))


@pytest.fixture
def cohort(owner_engine, tmp_path) -> str:
    """The shipped cohort of the Face Aging Rate, without bootstraps."""
    fill_hospital(owner_engine, patients=PATIENTS, seed=SEED)
    folder = Path(shutil.copytree(COHORTS / "face_aging_rate", tmp_path / "face_aging_rate"))
    path = folder / "cohort.yaml"
    path.write_text(path.read_text().replace("repeats: 200", "repeats: 0"))
    return str(folder)


def test_the_face_aging_rate_is_of_the_first_two_sessions_and_survival_from_the_second(
    settings, engine, cohort, browser
):
    counts = run_risk(settings, engine, cohort=cohort)
    sessions = pd.DataFrame(
        [
            {"person_id": one.patient.person_id, "day": one.day, "last": one.patient.last_day, "died": one.patient.died}
            for one in plan_sessions(admit_patients(PATIENTS, SEED), SEED)
        ]
    )
    expected = {}
    for person, own in sessions.groupby("person_id"):
        first = own["day"].iloc[0]
        later = [day for day in own["day"].iloc[1:] if 10 <= (day - first).days <= 1460]
        if later and own["last"].iloc[0] > later[0]:
            expected[person] = (first, later[0], own["last"].iloc[0], own["died"].iloc[0])
    assert counts["analysed"] == len(expected) > 50
    assert counts["persons"] == counts["analysed"] + sum(
        counts[reason] for reason in ("no_second_session", "without_followup", "before_landmark", "without_landmark")
    )

    members = rows(engine, "SELECT * FROM fahr.cohort_member ORDER BY person_id").set_index("person_id")
    scores = rows(engine, "SELECT person_id, session_on, face_age_years FROM fahr.session_score_unseen")
    face_age = scores.set_index(["person_id", "session_on"])["face_age_years"]
    for person, (first, second, last, died) in expected.items():
        member = members.loc[person]
        assert member["index_date"] == second and member["event"] == died
        assert member["followup_years"] == pytest.approx((last - second).days / 365.25, abs=1e-9)
        rate = (face_age[person, second] - face_age[person, first]) / ((second - first).days / 365.25)
        assert member["covariates"]["face_aging_rate"] == pytest.approx(rate, abs=1e-9)

    models = rows(engine, "SELECT * FROM fahr.risk_model").set_index("model_name")
    assert models.loc[["rate_univariable", "rate_as_studied", "rate_adjusted"], "status"].tolist() == ["fitted"] * 3
    groups = rows(engine, "SELECT * FROM fahr.risk_subgroup WHERE group_name = 'interval'")
    assert set(groups["level"]) == {"<=1", "(1, 2]", "> 2"} and groups["persons"].sum() == len(expected)
    opened = Opened(browser, risk_page(settings=settings, engine=engine, cohort=cohort))
    assert opened.complaints == []
    assert "Landmark analysis" in opened.words("#methods") and "before the landmark" in opened.words("#flow")
    axes = opened.page.locator("#curves svg text", has_text="years since").all_text_contents()
    assert axes and set(axes) == {"years since landmark"}


def test_photographs_after_the_landmark_change_nothing(settings, engine, owner_engine, cohort):
    """Third sessions are taken out of the warehouse: the same members, the same rates, the same numbers."""
    run_risk(settings, engine, cohort=cohort)
    query = "SELECT model_name, term, log_hazard_ratio FROM fahr.risk_coefficient WHERE is_latest ORDER BY 1, 2"
    before = rows(engine, query)
    with owner_engine.begin() as connection:
        removed = connection.execute(
            text("""
                DELETE FROM fahr.face_score_v1 WHERE content_sha256 IN (
                    SELECT content_sha256 FROM (
                        SELECT content_sha256, dense_rank() OVER (PARTITION BY person_id ORDER BY captured_at::date)
                            AS n
                        FROM fahr.photo_v1 WHERE content_sha256 IS NOT NULL
                    ) AS numbered WHERE n >= 3
                )
            """)
        ).rowcount
    assert removed > 10
    assert run_risk(settings, engine, night=DEMO_NIGHT + timedelta(days=1), cohort=cohort) == {}, (
        "the data are the same"
    )
    pd.testing.assert_frame_equal(rows(engine, query), before)

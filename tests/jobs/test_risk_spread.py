"""The same tables to the bit, whether resamples, refits and subgroups are worked on here or on Spark."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from jobs.risk.job import analyse
from jobs.risk.spread import WORTH_SPREADING, WORTH_STARTING, SparkMapper
from jobs.risk.tables import Analysis
from jobs.spark import LazySpark
from model.survival.mapping import mapped_in_chunks, mapping_by
from schemas.cohort import Cohort, load_cohort

PERSONS = 600


def few_resamples() -> Cohort:
    cohort = load_cohort("cancer_photo")
    resampling = cohort.declared.resampling.model_copy(update={"repeats": 26})
    return replace(cohort, declared=cohort.declared.model_copy(update={"resampling": resampling}))


def people() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    age = rng.normal(64, 10, PERSONS).round(2)
    frame = pd.DataFrame(
        {
            "person_id": np.arange(1, PERSONS + 1),
            "episode": 1,
            "index_date": np.full(PERSONS, pd.Timestamp("2020-01-01").date(), dtype=object),
            "age_years": age,
            "face_age_years": age + rng.normal(0, 5, PERSONS),
            "face_survival_log_risk": rng.normal(0, 1, PERSONS),
            "ecog": rng.choice(np.arange(3.0), PERSONS),
        }
    )
    for name, declared in load_cohort("cancer_photo").declared.covariates.items():
        if declared.type == "categorical":
            frame[name] = rng.choice(np.array(declared.levels, dtype=object), PERSONS)
    risk = 0.03 * (age - 64) + 0.4 * frame["face_survival_log_risk"]
    death = np.ceil(rng.exponential(1500 * np.exp(-risk)))
    censored = np.ceil(rng.uniform(200, 2500, PERSONS))
    return frame.assign(followup_years=np.minimum(death, censored) / 365.25, event=death <= censored)


def told(analysis: Analysis) -> str:
    """Everything but the fits, every float to its last bit."""
    parts = {field.name: getattr(analysis, field.name) for field in fields(analysis)}
    fitted = {name: (result.reason, result.concordance, result.fit and result.fit.coefficients)
              for name, result in parts.pop("models").items()}  # fmt: skip
    curves = [(curve.stratifier, curve.stratum, curve.points.to_csv()) for curve in parts.pop("curves")]
    predicted = parts.pop("predicted").to_csv()
    parts.pop("members")
    return "\n".join([repr(parts), repr(fitted), repr(curves), predicted])


@pytest.fixture(scope="module")
def here() -> str:
    return told(analyse(people(), few_resamples(), "analysis", "data", "model"))


def test_spark_finds_the_same_to_the_bit(here: str, spark: LazySpark) -> None:
    mapper = SparkMapper(spark, worth=1)
    with mapping_by(mapper):
        assert told(analyse(people(), few_resamples(), "analysis", "data", "model")) == here
    assert mapper.sent > 50, "bootstraps, optimism, adjusted curves and subgroups were to go to Spark"


def test_a_small_cohort_starts_no_spark(here: str) -> None:
    class NoSpark:
        is_started = False

        @property
        def session(self) -> None:
            raise AssertionError("Spark was started")

    mapper = SparkMapper(NoSpark())  # type: ignore[arg-type]
    with mapping_by(mapper):
        assert told(analyse(people(), few_resamples(), "analysis", "data", "model")) == here
    assert mapper.sent == 0


def test_results_come_back_in_the_order_of_the_pieces(spark: LazySpark) -> None:
    with mapping_by(SparkMapper(spark, worth=1)):
        assert mapped_in_chunks(lambda piece: piece**2, list(range(130)), size=130) == [n**2 for n in range(130)]


def test_spark_is_started_by_much_work_and_then_takes_less(spark: LazySpark) -> None:
    class Started:
        def __init__(self) -> None:
            self.is_started = False

        @property
        def session(self) -> SparkSession:
            self.is_started = True
            return spark.session

    mapper, pieces = SparkMapper(Started()), [1, 2, 3]  # type: ignore[arg-type]
    sent = []
    for size in (WORTH_SPREADING, WORTH_STARTING, WORTH_SPREADING, WORTH_SPREADING - 1):
        assert mapper(lambda piece: 2 * piece, pieces, size) == [2, 4, 6]
        sent.append(mapper.sent)
    assert sent == [0, 3, 6, 6]

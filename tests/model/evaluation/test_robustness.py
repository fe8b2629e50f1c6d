"""Robustness: known changes come out as they went in, and a scorer that reads brightness is caught doing so."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap, percentileofscore, spearmanr

from model.decode import decode_photo
from model.detect import MtcnnDetector
from model.drawing import draw_scene_without_face
from model.evaluation.nuisance import DRAWN_NUISANCES, PICTURE_NUISANCES
from model.evaluation.robustness import (
    BASELINE,
    DRAWN,
    READING_COLUMNS,
    SAME_DAY,
    Subject,
    drawn_subjects,
    read_under_nuisances,
)
from model.evaluation.robustness_figures import dot_plot, example_strip
from model.evaluation.robustness_table import (
    FACE_AGE,
    LOG_RISK,
    RISK_RANK,
    WEAKNESS,
    WITHIN_NOISE,
    robustness_findings,
    weaknesses,
    with_risk_ranks,
)
from model.release import SHIPPED_RELEASES, ModelRelease
from model.scorer import PhotoOutcome, PhotoScorer
from model.training.people import UNSEEN_SEEDS, simulate_people

PEOPLE = simulate_people(6, UNSEEN_SEEDS, 77, ages="clinic").latents
PNG_START = b"\x89PNG"


def reads_brightness(photos: Sequence[bytes]) -> list[PhotoOutcome]:
    """A scorer that looks at nothing but how bright the photograph is."""
    means = [float(decode_photo(content).mean()) for content in photos]
    return [PhotoOutcome(face_age_years=mean / 3, face_survival_log_risk=mean / 100) for mean in means]


def named(*names: str):
    drawn = [nuisance for nuisance in DRAWN_NUISANCES if nuisance.name in names]
    pictures = [nuisance for nuisance in PICTURE_NUISANCES if nuisance.name in names]
    return {"drawn": drawn, "pictures": pictures}


def made_up(changes: dict[str, np.ndarray], *, people: int = 40, noise: float = 2.0) -> pd.DataFrame:
    """Readings of `people` whose FaceAge and log-risk are known, and which change as told."""
    rng = np.random.default_rng(1)
    age, risk = rng.uniform(30, 90, people), rng.normal(size=people)
    rows: list[tuple] = []
    for who in range(people):
        rows.append((who, BASELINE, BASELINE, age[who], risk[who], None))
        rows.append((who, SAME_DAY, "1", age[who] + noise / 2, risk[who] + noise / 20, None))
        rows.append((who, SAME_DAY, "2", age[who] - noise / 2, risk[who] - noise / 20, None))
        for level, change in changes.items():
            lost = not math.isfinite(change[who])
            scores = (None, None, "no_face") if lost else (age[who] + change[who], risk[who] + change[who] / 10, None)
            rows.append((who, DRAWN, level, *scores))
    frame = pd.DataFrame(rows, columns=list(READING_COLUMNS))
    return frame.astype({"face_age_years": float, "log_risk": float})


def table(findings):
    return {(finding.metric, finding.level): finding for finding in findings}


def test_known_changes_come_out_as_they_went_in() -> None:
    shift, spread = np.full(40, 3.0), np.linspace(-1.0, 1.0, 40)
    found = table(robustness_findings(made_up({"fog 1": shift, "fog 0.1": spread})))
    assert found["face_age_same_day_difference_years", "all"].estimate == pytest.approx(2.0)
    assert found["face_age_change_years", "fog 1"].estimate == pytest.approx(3.0)
    assert found["face_age_change_years", "fog 1"].lower_95 == pytest.approx(3.0)
    assert found[FACE_AGE.ratio, "fog 1"].estimate == pytest.approx(1.5)
    assert found[FACE_AGE.ratio, "fog 1"].note == WEAKNESS
    assert found["face_age_change_years", "fog 0.1"].estimate == pytest.approx(0.0)
    assert found[FACE_AGE.absolute, "fog 0.1"].estimate == pytest.approx(np.abs(spread).mean())
    assert found["face_age_change_sd_years", "fog 0.1"].estimate == pytest.approx(spread.std(ddof=1))
    assert found[FACE_AGE.ratio, "fog 0.1"].note == WITHIN_NOISE
    assert found["unscored_share", "fog 1"].estimate == 0.0


def test_intervals_are_those_of_a_bootstrap_over_people() -> None:
    change = np.random.default_rng(3).normal(1.0, 2.0, 40)
    found = table(robustness_findings(made_up({"fog 1": change}), resamples=4000))["face_age_change_years", "fog 1"]
    known = bootstrap((change,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1))
    assert found.lower_95 == pytest.approx(known.confidence_interval.low, abs=0.08)
    assert found.upper_95 == pytest.approx(known.confidence_interval.high, abs=0.08)


def test_rank_is_the_place_among_all_other_people_as_they_were() -> None:
    change = np.random.default_rng(4).normal(0.0, 8.0, 40)
    readings = with_risk_ranks(made_up({"fog 1": change}))
    plain = readings[readings["group"] == BASELINE]
    foggy = readings[readings["level"] == "fog 1"]
    for row in [*plain.itertuples(), *foggy.itertuples()]:
        others = plain.loc[plain["person"] != row.person, "log_risk"]
        assert row.risk_rank == pytest.approx(percentileofscore(others, row.log_risk, kind="mean"))
    found = table(robustness_findings(readings.drop(columns="risk_rank"), resamples=20))
    moved = foggy["risk_rank"].to_numpy() - plain["risk_rank"].to_numpy()
    assert found[RISK_RANK.absolute, "fog 1"].estimate == pytest.approx(np.abs(moved).mean())
    known = spearmanr(plain["log_risk"], foggy["log_risk"]).statistic
    assert found["risk_spearman", "fog 1"].estimate == pytest.approx(known)


def test_a_shift_of_everybody_keeps_the_order() -> None:
    found = table(robustness_findings(made_up({"fog 1": np.full(40, 30.0)}), resamples=20))
    assert found["risk_spearman", "fog 1"].estimate == pytest.approx(1.0)
    assert found[RISK_RANK.absolute, "fog 1"].estimate > 10.0, "one person alone changes place"


def test_lost_photographs_are_counted_by_reason_and_never_averaged() -> None:
    some, all_but_two = np.full(40, 1.0), np.full(40, np.nan)
    some[:10], all_but_two[:2] = np.nan, 1.0
    findings = robustness_findings(made_up({"fog 1": some, "fog 9": all_but_two}), resamples=50)
    found = table(findings)
    assert found["face_age_change_years", "fog 1"].estimate == pytest.approx(1.0)
    assert found["face_age_change_years", "fog 1"].people == 30
    assert found["unscored_share", "fog 1"].estimate == found["refused_no_face_share", "fog 1"].estimate == 0.25
    too_few = found["face_age_change_years", "fog 9"]
    assert too_few.estimate is None and "2 people" in (too_few.note or "")
    assert (FACE_AGE.ratio, "fog 9") not in found
    assert len(found) == len({(f.metric, f.group_name, f.level) for f in findings}) == len(findings)


def test_without_photographs_of_one_day_nothing_is_judged() -> None:
    readings = made_up({"fog 1": np.full(40, 9.0)})
    findings = robustness_findings(readings[readings["group"] != SAME_DAY], resamples=20)
    found = table(findings)
    assert found[FACE_AGE.noise, "all"].estimate is None and found[FACE_AGE.noise, "all"].note
    assert found["face_age_change_years", "fog 1"].estimate == pytest.approx(9.0)
    assert weaknesses(findings, FACE_AGE) == []


def test_noise_of_hardly_anybody_gives_a_ratio_without_an_interval() -> None:
    readings = made_up({"fog 1": np.full(40, 1.0)})
    same = readings["group"].eq(SAME_DAY) & readings["person"].gt(0)
    readings.loc[same, ["face_age_years", "log_risk"]] = 50.0
    ratio = table(robustness_findings(readings, resamples=200))[FACE_AGE.ratio, "fog 1"]
    assert ratio.estimate == pytest.approx(1.0 / (2.0 / 40)) and ratio.note == WEAKNESS
    assert ratio.lower_95 is None and ratio.upper_95 is None


def test_nobody_scored_is_refused() -> None:
    nobody = pd.DataFrame([(0, BASELINE, BASELINE, None, None, "no_face")], columns=list(READING_COLUMNS))
    with pytest.raises(ValueError, match="nothing to compare"):
        robustness_findings(nobody.astype({"face_age_years": float, "log_risk": float}))


def test_a_scorer_that_reads_brightness_is_weak_against_exposure_and_not_against_compression() -> None:
    readings = read_under_nuisances(
        drawn_subjects(PEOPLE, 1), reads_brightness, MtcnnDetector(), **named("exposure", "brightness", "jpeg_quality")
    )
    findings = robustness_findings(readings, resamples=100)
    weak = [finding.level for finding in weaknesses(findings, FACE_AGE)]
    assert {"exposure 1.4 x", "exposure 0.7 x", "brightness 1.5 x", "brightness 0.6 x"} <= set(weak)
    assert weak == [finding.level for finding in weaknesses(findings, LOG_RISK)], "both read the same"
    found = table(findings)
    for quality in (30, 50, 70, 90):
        assert found[FACE_AGE.ratio, f"jpeg quality {quality}"].note == WITHIN_NOISE
    assert found["face_age_change_years", "exposure 1.4 x"].estimate > 5
    assert dot_plot(findings, [*DRAWN_NUISANCES, *PICTURE_NUISANCES]).startswith(PNG_START)


def test_the_plain_photograph_is_scored_as_in_the_night_and_again_alike() -> None:
    scorer = PhotoScorer(ModelRelease.load(SHIPPED_RELEASES / "fahr-demo-1"))
    arguments = {"drawn": [], "pictures": named("jpeg_quality")["pictures"], "extremes_only": True, "seed": 3}
    once, again = (
        read_under_nuisances(drawn_subjects(PEOPLE[:2], 1), scorer.score, MtcnnDetector(), **arguments)
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(once, again)
    assert list(once["group"]) == 2 * [BASELINE, SAME_DAY, SAME_DAY, "picture_nuisance"]
    assert once["reason"].isna().all() and once["face_age_years"].between(0, 120).all()
    assert list(once.loc[once["person"] == 0, "level"]) == [BASELINE, "1", "2", "jpeg quality 10"]


def test_a_person_without_a_face_is_left_out_with_the_reason() -> None:
    wall = Subject(draw_scene_without_face(np.random.default_rng(1)))
    readings = read_under_nuisances([wall], reads_brightness, MtcnnDetector(), **named("jpeg_quality"))
    assert readings[["group", "reason"]].to_numpy().tolist() == [[BASELINE, "no_face"]]


def test_only_a_drawn_person_may_be_shown() -> None:
    subject = next(iter(drawn_subjects(PEOPLE, 1)))
    landmarks = MtcnnDetector().detect([subject.photo])[0][0].landmarks
    chosen = named("makeup", "mouth_covered")
    assert example_strip(subject, landmarks, chosen["drawn"], chosen["pictures"]).startswith(PNG_START)
    with pytest.raises(ValueError, match="drawn"):
        example_strip(Subject(subject.photo), landmarks, [], chosen["pictures"])

"""Curves, cumulative incidence, Gray's test and the Fine-Gray model against R's survival and cmprsk.

`reference/competing.json` holds what `reference/competing.R` wrote; where R is installed it is run again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import datasets

from model.errors import NotComputable
from model.survival.competing import cumulative_incidence, gray_test
from model.survival.covariates import Covariate
from model.survival.cox import fit_cox
from model.survival.errors import FitRefused
from model.survival.fine_gray import fit_fine_gray
from model.survival.follow_up import event_codes
from model.survival.kaplan_meier import kaplan_meier

REFERENCE = Path(__file__).parent / "reference"
STORED = json.loads((REFERENCE / "competing.json").read_text())
SAME = 1e-6
"""Relative difference allowed to R."""


def gbsg2() -> pd.DataFrame:
    """Days, few ties; every third relapse is taken for another event."""
    frame = datasets.load_gbsg2()
    return _with_roles(
        time=frame["time"],
        event=frame["cens"],
        other_every=3,
        entry_up_to=400,
        group=frame["tgrade"].map({"I": 1, "II": 2, "III": 3}),
        stratum=(frame["menostat"] == "Post").astype(int),
        x1=frame["age"] / 10,
        x2=frame["pnodes"],
        x3=(frame["horTh"] == "yes").astype(int),
    )


def rossi() -> pd.DataFrame:
    """Weeks, heavily tied."""
    frame = datasets.load_rossi()
    return _with_roles(
        time=frame["week"],
        event=frame["arrest"],
        other_every=2,
        entry_up_to=12,
        group=frame["race"],
        stratum=frame["wexp"],
        x1=frame["age"],
        x2=frame["prio"],
        x3=frame["fin"],
    )


def lung() -> pd.DataFrame:
    """Hardly censored, so that the last persons have events."""
    frame = datasets.load_lung().dropna(subset=["age"])
    return _with_roles(
        time=frame["time"],
        event=frame["status"],
        other_every=4,
        entry_up_to=90,
        group=frame["sex"],
        stratum=(frame["age"] > 63).astype(int),
        x1=frame["age"] / 10,
        x2=frame["sex"] - 1,
    )


def _with_roles(
    *, time: pd.Series, event: pd.Series, other_every: int, entry_up_to: int, **columns: pd.Series
) -> pd.DataFrame:
    """A data set with competing events, late entry and weights, made up from row numbers alone."""
    rows = np.arange(len(time))
    entry = rows * 37 % entry_up_to
    frame = pd.DataFrame(
        {
            "time": time.to_numpy(float),
            "entry": np.where(entry < time, entry, 0).astype(float),
            "kind": np.where(event == 0, 0, np.where(rows % other_every == 0, 2, 1)),
            "sampling": 0.5 + rows % 7 / 4,
            "copies": 1 + rows % 3,
            **{name: column.to_numpy(float) for name, column in columns.items()},
        }
    )
    return frame.astype({"group": int, "stratum": int})


DATA_SETS = {"gbsg2": gbsg2, "rossi": rossi, "lung": lung}


@pytest.fixture(params=DATA_SETS, scope="module")
def data(request):
    return DATA_SETS[request.param](), STORED[request.param]


def at(curve: pd.DataFrame, times: list[float], column: str) -> np.ndarray:
    rows = np.searchsorted(curve["time_years"].to_numpy(), times, side="right") - 1
    return curve[column].to_numpy(float)[rows]


def arrays(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return frame["time"].to_numpy(), (frame["kind"] > 0).to_numpy()


@pytest.mark.parametrize(
    ("name", "entry", "weights"),
    [
        ("plain", None, None),
        ("late_entry", "entry", None),
        ("sampling_weights", None, "sampling"),
        ("copies", None, "copies"),
        ("late_entry_sampling_weights", "entry", "sampling"),
    ],
)
def test_kaplan_meier_equals_r(data, name, entry, weights):
    frame, reference = data
    curve = kaplan_meier(
        *arrays(frame),
        entry=None if entry is None else frame[entry].to_numpy(),
        weights=None if weights is None else frame[weights].to_numpy(float),
    )
    expected = reference[name]
    for ours, theirs in {
        "survival": "survival",
        "ci_lower": "lower",
        "ci_upper": "upper",
        "at_risk": "at_risk",
    }.items():
        assert at(curve, reference["times"], ours) == pytest.approx(expected[theirs], rel=SAME), theirs


def test_whole_weights_are_copies(data):
    frame, _ = data
    copied = frame.loc[frame.index.repeat(frame["copies"])]
    weighted = kaplan_meier(*arrays(frame), weights=frame["copies"].to_numpy(float))
    pd.testing.assert_frame_equal(weighted, kaplan_meier(*arrays(copied)), check_dtype=False, rtol=1e-12)


def test_weights_that_are_all_the_same_do_not_matter(data):
    """The infinitesimal jackknife of equal weights is Greenwood's variance (where nobody enters late)."""
    frame, _ = data
    weighted = kaplan_meier(*arrays(frame), weights=np.full(len(frame), 2.5))
    plain = kaplan_meier(*arrays(frame))
    columns = ["survival", "ci_lower", "ci_upper"]
    pd.testing.assert_frame_equal(weighted[columns], plain[columns], rtol=1e-9)


def test_cumulative_incidence_equals_r(data):
    frame, reference = data
    durations, kinds = frame["time"].to_numpy(), frame["kind"].to_numpy()
    for kind, name in ((1, "incidence"), (2, "other_incidence")):
        curve = cumulative_incidence(durations, kinds, kind)
        assert at(curve, reference["times"], "incidence") == pytest.approx(reference[name], rel=SAME)
        assert at(curve, reference["times"], "standard_error") ** 2 == pytest.approx(
            reference[f"{name}_variance"], rel=SAME
        )
    late = cumulative_incidence(durations, kinds, 1, entry=frame["entry"].to_numpy())
    assert at(late, reference["times"], "incidence") == pytest.approx(reference["incidence_late_entry"], rel=SAME)


def test_incidences_and_survival_add_up(data):
    frame, reference = data
    times = reference["times"]
    both = [cumulative_incidence(frame["time"].to_numpy(), frame["kind"].to_numpy(), kind) for kind in (1, 2)]
    free = at(kaplan_meier(*arrays(frame)), times, "survival")
    assert sum(at(curve, times, "incidence") for curve in both) + free == pytest.approx(1.0, abs=1e-12)
    assert both[0]["events"].sum() == (frame["kind"] == 1).sum()
    assert both[0]["other_events"].sum() == (frame["kind"] == 2).sum()
    inside = both[0][both[0]["incidence"].between(0, 1, inclusive="neither")]
    assert (inside["ci_lower"] < inside["incidence"]).all() and (inside["incidence"] < inside["ci_upper"]).all()
    assert inside["ci_lower"].min() > 0 and inside["ci_upper"].max() < 1


def test_without_competing_events_incidence_is_one_minus_kaplan_meier(data):
    frame, _ = data
    durations, events = arrays(frame)
    curve, survival = cumulative_incidence(durations, events.astype(int), 1), kaplan_meier(durations, events)
    assert curve["incidence"].to_numpy() == pytest.approx(1 - survival["survival"].to_numpy(), abs=1e-12)
    assert curve["at_risk"].tolist() == survival["at_risk"].tolist()


def test_grays_test_equals_r(data):
    frame, reference = data
    durations, kinds, group = (frame[column].to_numpy() for column in ("time", "kind", "group"))
    found = gray_test(durations, kinds, 1, group)
    assert found.chi_squared == pytest.approx(reference["gray"], rel=SAME)
    assert found.p_value == pytest.approx(reference["gray_p"], rel=SAME, abs=1e-12)
    assert found.degrees == frame["group"].nunique() - 1
    assert gray_test(durations, kinds, 2, group).chi_squared == pytest.approx(reference["gray_other"], rel=SAME)
    stratified = gray_test(durations, kinds, 1, group, strata=frame["stratum"].to_numpy())
    assert stratified.chi_squared == pytest.approx(reference["gray_stratified"], rel=SAME)


def covariates(frame: pd.DataFrame) -> tuple[Covariate, ...]:
    return tuple(Covariate(column, column, "continuous") for column in sorted(frame) if column.startswith("x"))


@pytest.mark.parametrize(("kind", "name"), [(1, "fine_gray"), (2, "fine_gray_other")])
def test_fine_gray_equals_r(data, kind, name):
    frame, reference = data
    fit = fit_fine_gray(frame, covariates(frame), duration="time", kind="kind", of_interest=kind)
    expected = reference[name]
    assert [c.log_hazard_ratio for c in fit.coefficients] == pytest.approx(expected["coefficients"], rel=SAME)
    assert [c.standard_error for c in fit.coefficients] == pytest.approx(expected["standard_errors"], rel=SAME)
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], rel=SAME)
    average = frame.mean().to_frame().T
    for time, incidence in zip(reference["times"], expected["incidence"], strict=True):
        assert fit.cumulative_incidence(average, time)[0] == pytest.approx(incidence, rel=SAME)


def test_fine_gray_without_competing_events_is_a_cox_model():
    """On untied times, where Efron's and Breslow's likelihoods are the same; the variance is the robust one."""
    frame = gbsg2()
    frame["time"] += np.arange(len(frame)) * 1e-6
    frame["event"] = frame["kind"] > 0
    of_all = fit_fine_gray(
        frame.assign(kind=frame["event"].astype(int)), covariates(frame), duration="time", kind="kind", of_interest=1
    )
    cox = fit_cox(frame.assign(row=np.arange(len(frame))), covariates(frame), duration="time", cluster="row")
    assert of_all.beta == pytest.approx(cox.beta, rel=1e-8)
    assert of_all.log_likelihood == pytest.approx(cox.log_likelihood, rel=1e-10)
    assert of_all.covariance == pytest.approx(cox.covariance, rel=1e-6)
    assert of_all.competing_events == 0


def test_the_order_of_rows_and_the_unit_of_a_column_do_not_matter():
    frame = rossi()
    plain = fit_fine_gray(frame, covariates(frame), duration="time", kind="kind", of_interest=1)
    shuffled = frame.sample(frac=1.0, random_state=1).assign(x1=lambda f: f["x1"] * 1e4 + 1e6)
    moved = fit_fine_gray(shuffled, covariates(frame), duration="time", kind="kind", of_interest=1)
    assert moved.beta[1:] == pytest.approx(plain.beta[1:], rel=1e-7)
    assert [c.z for c in moved.coefficients] == pytest.approx([c.z for c in plain.coefficients], rel=1e-6)
    assert moved.log_risk(shuffled).mean() == pytest.approx(0, abs=1e-8)


def test_kinds_may_be_names_and_missing_means_censored():
    numbers = np.array([0, 1, 2, 1, 0, 2])
    names = pd.Series(["", "cancer", "other", "cancer", None, "heart"])
    assert event_codes(numbers, 1).tolist() == [0, 1, 2, 1, 0, 2]
    assert event_codes(names, "cancer").tolist() == [0, 1, 2, 1, 0, 2]
    assert event_codes(pd.Series([np.nan, 1.0, 2.0]), 1).tolist() == [0, 1, 2]


FIVE = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
DIED = np.ones(5, dtype=bool)
KINDS = np.array([1, 2, 1, 0, 2])
GROUPS = np.array(["a", "b", "a", "b", "a"])


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: kaplan_meier(FIVE[:0], DIED[:0]), "no persons"),
        (lambda: kaplan_meier(FIVE - 1, DIED), "not positive"),
        (lambda: kaplan_meier(np.append(FIVE[1:], np.nan), DIED), "missing"),
        (lambda: kaplan_meier(FIVE, DIED, entry=FIVE), "entry"),
        (lambda: kaplan_meier(FIVE, DIED, weights=FIVE - 1), "weight"),
        (lambda: cumulative_incidence(FIVE[:0], KINDS[:0], 1), "no persons"),
        (lambda: gray_test(FIVE, KINDS, 3, GROUPS), "no events"),
        (lambda: gray_test(FIVE, KINDS, 1, np.zeros(5)), "fewer than two groups"),
        (lambda: gray_test(FIVE, np.array([0, 0, 0, 0, 1]), 1, GROUPS), "at risk when the events happen"),
    ],
)
def test_what_cannot_be_computed_says_why(call, reason):
    with pytest.raises(NotComputable, match=reason):
        call()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.iloc[:0], "no persons"),
        (lambda f: f.assign(kind=2), "no events"),
        (lambda f: f.assign(x2=f["x1"] * 3), "collinear"),
        (lambda f: f.assign(x2=(f["kind"] == 1) * 100.0 - f["time"]), "separation|converge"),
    ],
)
def test_fine_gray_is_refused_with_a_reason(change, reason):
    frame = change(rossi())
    with pytest.raises(FitRefused, match=reason):
        fit_fine_gray(frame, covariates(rossi()), duration="time", kind="kind", of_interest=1)


def test_predictions_beyond_follow_up_are_refused():
    frame = rossi()
    fit = fit_fine_gray(frame, covariates(frame), duration="time", kind="kind", of_interest=1)
    assert (fit.cumulative_incidence(frame, 0.5) == 0).all()
    with pytest.raises(FitRefused, match="nobody was followed"):
        fit.cumulative_incidence(frame, 53)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_r_still_says_so(tmp_path):
    for name, load in DATA_SETS.items():
        load().to_csv(tmp_path / f"{name}.csv", index=False)
    packages = "quit(status = !all(c('survival', 'cmprsk') %in% rownames(installed.packages())))"
    if subprocess.run(["Rscript", "-e", packages], check=False).returncode:
        pytest.skip("R has no survival or cmprsk")
    told = subprocess.run(
        ["Rscript", str(REFERENCE / "competing.R"), str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(told)
    for name in DATA_SETS:
        assert _flat(found[name]) == pytest.approx(_flat(STORED[name]), rel=1e-9), name


def _flat(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in _flat(value[key])]
    return [float(each) for each in value] if isinstance(value, list) else [float(value)]  # type: ignore[arg-type]

"""Cox models against statsmodels, on the data sets lifelines ships, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, datasets
from statsmodels.duration.hazard_regression import PHReg, PHRegResults

from model.survival.cox import CoxFit, fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused


def rossi() -> tuple[pd.DataFrame, tuple[Covariate, ...]]:
    frame = datasets.load_rossi().rename(columns={"week": "followup_years", "arrest": "event"})
    frame["race"] = np.where(frame["race"] == 1, "black", "other")
    return frame, (
        Covariate("age", "age", "continuous", per=10, unit="years"),
        Covariate("race", "race", "categorical", levels=("other", "black"), reference="other"),
        Covariate("prio", "prio", "continuous", per=None),
        Covariate("fin", "fin", "continuous"),
    )


def lung() -> tuple[pd.DataFrame, tuple[Covariate, ...]]:
    frame = datasets.load_lung().rename(columns={"time": "followup_years", "status": "event"})
    frame = frame.dropna(subset=["ph.ecog", "wt.loss", "age"])
    frame["sex"] = np.where(frame["sex"] == 1, "male", "female")
    return frame, (
        Covariate("age", "age", "continuous", per=10, unit="years"),
        Covariate("sex", "sex", "categorical", levels=("female", "male"), reference="female"),
        Covariate("ecog", "ph.ecog", "continuous", unit="point"),
        Covariate("weight_loss", "wt.loss", "quartile"),
    )


def gbsg2() -> tuple[pd.DataFrame, tuple[Covariate, ...]]:
    frame = datasets.load_gbsg2().rename(columns={"time": "followup_years", "cens": "event"})
    return frame, (
        Covariate("age", "age", "continuous", per=10, unit="years"),
        Covariate("grade", "tgrade", "categorical", levels=("I", "II", "III"), reference="I"),
        Covariate("nodes", "pnodes", "quartile"),
        Covariate("hormones", "horTh", "categorical", levels=("no", "yes"), reference="no"),
    )


def statsmodels(frame: pd.DataFrame, fit: CoxFit) -> PHRegResults:
    """The same model by the other package, iterated to convergence."""
    model = PHReg(
        frame["followup_years"].to_numpy(float),
        fit.design.matrix(frame),
        status=frame["event"].to_numpy(float),
        ties="efron",
    )
    return model.fit(disp=False, method="newton", tol=1e-14, maxiter=200)


def estimates(fit: CoxFit) -> list[float]:
    return [coefficient.log_hazard_ratio for coefficient in fit.coefficients]


@pytest.mark.parametrize("load", [rossi, lung, gbsg2])
def test_estimates_equal_statsmodels(load):
    frame, covariates = load()
    fit = fit_cox(frame, covariates)
    reference = statsmodels(frame, fit)
    assert estimates(fit) == pytest.approx(reference.params, rel=1e-6)
    assert [c.standard_error for c in fit.coefficients] == pytest.approx(reference.bse, rel=1e-6)
    assert [c.p_value for c in fit.coefficients] == pytest.approx(reference.pvalues, rel=1e-6)
    assert fit.log_likelihood == pytest.approx(reference.llf, rel=1e-6)
    assert fit.aic == pytest.approx(-2 * reference.llf + 2 * len(fit.coefficients), rel=1e-6)
    intervals = np.exp(reference.conf_int())
    assert [c.ci_lower for c in fit.coefficients] == pytest.approx(intervals[:, 0], rel=1e-6)
    assert [c.ci_upper for c in fit.coefficients] == pytest.approx(intervals[:, 1], rel=1e-6)


def test_one_unit_is_what_the_term_says():
    frame, covariates = rossi()
    fit = fit_cox(frame, covariates)
    age, _, prio, _ = fit.coefficients
    plain = fit_cox(frame, (Covariate("age", "age", "continuous"), *covariates[1:])).coefficients[0]
    assert age.term.unit == "per 10 years"
    assert age.log_hazard_ratio == pytest.approx(10 * plain.log_hazard_ratio)
    assert prio.term.unit == "per SD"
    assert prio.term.one_unit == pytest.approx(frame["prio"].std())


def test_reference_level_is_declared_not_the_first():
    frame, covariates = gbsg2()
    of_grade_two = Covariate("grade", "tgrade", "categorical", levels=("I", "II", "III"), reference="II")
    against_two = fit_cox(frame, (of_grade_two,)).coefficients
    against_one = fit_cox(frame, (covariates[1],)).coefficients
    assert [c.term.level for c in against_two] == ["I", "III"]
    assert against_two[0].log_hazard_ratio == pytest.approx(-against_one[0].log_hazard_ratio)


def test_predicted_survival_and_baseline_equal_lifelines_at_event_times():
    frame, covariates = lung()
    fit = fit_cox(frame, covariates)
    table = pd.DataFrame(fit.design.matrix(frame)).assign(
        t=frame["followup_years"].to_numpy(), e=frame["event"].to_numpy()
    )
    theirs = CoxPHFitter().fit(table, "t", "e", fit_options={"precision": 1e-20, "r_precision": 0.0})
    horizon = float(fit.baseline_times[40])
    expected = theirs.predict_survival_function(table, times=[horizon]).to_numpy()[0]
    assert fit.survival(frame, horizon) == pytest.approx(expected, rel=1e-6)
    assert fit.survival(frame, horizon + 0.4) == pytest.approx(expected, rel=1e-6), "a step function does not slope"
    assert fit.log_risk(frame).mean() == pytest.approx(0, abs=1e-9)
    with pytest.raises(FitRefused, match="nobody was followed"):
        fit.survival(frame, frame["followup_years"].max() + 1)


def test_same_data_same_bits():
    frame, covariates = gbsg2()
    assert _bits(fit_cox(frame, covariates)) == _bits(fit_cox(frame.copy(), covariates))


def _bits(fit: CoxFit) -> list[str]:
    return [float(x).hex() for x in (*fit.beta, fit.log_likelihood, fit.concordance, *fit.ph_p_values.values())]


def simulated(persons: int = 200, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, persons)
    time = rng.exponential(np.exp(-0.03 * (age - 60)))
    return pd.DataFrame(
        {
            "followup_years": np.minimum(time, 2.0),
            "event": time < 2.0,
            "age": age,
            "sex": rng.choice(["F", "M"], persons),
        }
    )


AGE = Covariate("age", "age", "continuous", per=10, unit="years")
SEX = Covariate("sex", "sex", "categorical", levels=("F", "M"), reference="F")


@pytest.mark.parametrize(
    ("change", "covariates", "reason"),
    [
        (lambda f: f.iloc[:0], (AGE,), "no persons"),
        (lambda f: f.assign(event=False), (AGE,), "no events"),
        (lambda f: f.assign(age=60.0), (AGE,), "age is the same for everyone"),
        (lambda f: f.assign(sex="F"), (AGE, SEX), None),
        (lambda f: f.assign(sex="M"), (AGE, SEX), "nobody has the reference level sex=F"),
        (
            lambda f: f.assign(months=f["age"] * 12),
            (AGE, Covariate("months", "months", "continuous")),
            "collinear: age, months",
        ),
        (lambda f: f.assign(event=f["event"] & (f["sex"] == "F")), (AGE, SEX), "separation: no events among .* sex=M"),
        (lambda f: f.assign(event=f["event"] & (f["sex"] == "M")), (AGE, SEX), "separation: .* reference level sex=F"),
        (lambda f: f.assign(age=f["age"].where(f.index != 3)), (AGE,), "age has missing"),
        (lambda f: f.assign(followup_years=f["followup_years"].where(f.index != 3, 0)), (AGE,), "not positive"),
        (lambda f: f.assign(event=f.index == 7), (AGE, SEX), "1 events for 2 terms"),
    ],
)
def test_refused_with_a_reason(change, covariates, reason):
    frame = change(simulated())
    if reason is None:  # a level nobody has is left out, and said
        fit = fit_cox(frame, covariates)
        assert [c.term.name for c in fit.coefficients] == ["age"]
        assert "nobody has sex=M" in fit.warnings
        return
    with pytest.raises(FitRefused, match=reason):
        fit_cox(frame, covariates)


def test_monotone_likelihood_is_refused():
    """The older always dies first: the likelihood rises for ever although every column passes the simple checks."""
    frame = simulated()
    frame["age"] = 100 - 10 * frame["followup_years"].rank()
    with pytest.raises(FitRefused, match=r"separation|converge"):
        fit_cox(frame.assign(event=True), (AGE,))
    early = frame["followup_years"] < frame["followup_years"].quantile(0.3)
    with pytest.raises(FitRefused, match=r"separation|converge"):
        fit_cox(frame.assign(event=True, sex=np.where(early, "M", "F")), (SEX,))


def test_a_level_in_which_everybody_died_is_no_separation():
    """They died at different times among others at risk, so the estimate exists, whatever the share of deaths."""
    frame = simulated()
    frame["event"] |= frame["sex"] == "M"
    frame.loc[frame.index[::40], "sex"] = "M"
    everybody = frame.assign(event=frame["event"] | (frame["sex"] == "M"))
    fit = fit_cox(everybody, (AGE, SEX))
    assert everybody.loc[everybody["sex"] == "M", "event"].all()
    assert estimates(fit) == pytest.approx(statsmodels(everybody, fit).params, rel=1e-6)


@pytest.mark.parametrize(("per", "offset"), [(1e3, 0), (1e-3, 0), (1.0, 1e6)])
def test_scale_and_origin_of_a_column_do_not_matter(per, offset):
    plain = fit_cox(simulated(), (Covariate("age", "age", "continuous"), SEX))
    frame = simulated().assign(age=lambda f: f["age"] + offset)
    scaled = fit_cox(frame, (Covariate("age", "age", "continuous", per=per, unit="years"), SEX))
    assert scaled.coefficients[0].log_hazard_ratio / per == pytest.approx(estimates(plain)[0], rel=1e-6)
    assert scaled.coefficients[0].z == pytest.approx(plain.coefficients[0].z, rel=1e-6)
    assert scaled.log_risk(frame) == pytest.approx(plain.log_risk(simulated()), abs=1e-6)


def test_a_rare_level_among_many_persons_is_estimated():
    frame = simulated(persons=6000)
    frame["sex"] = np.where(frame.index % 2000 == 0, "M", "F")
    frame.loc[frame["sex"] == "M", "event"] = True
    fit = fit_cox(frame, (AGE, SEX))
    assert estimates(fit) == pytest.approx(statsmodels(frame, fit).params, rel=1e-6)
    assert "only 3 persons with sex=M" in fit.warnings


def test_few_events_are_warned_about():
    frame = simulated()
    frame["event"] = frame["event"] & (frame.index < 20)
    assert any("events a term" in warning for warning in fit_cox(frame, (AGE, SEX)).warnings)
    assert fit_cox(simulated(), (AGE, SEX)).warnings == ()


def test_a_unit_that_makes_infinite_ratios_is_refused():
    with pytest.raises(FitRefused, match=r"hazard ratio per 100000 years of age is no finite number"):
        fit_cox(simulated(), (Covariate("age", "age", "continuous", per=1e5, unit="years"),))

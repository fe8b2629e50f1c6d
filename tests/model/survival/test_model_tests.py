"""Tests of models: nested ones, several terms, subgroups, proportional hazards, influence; and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.effect_curve import effect_curve
from model.survival.errors import FitRefused
from model.survival.influence import influence
from model.survival.interactions import interaction, linear_combination
from model.survival.nested import likelihood_ratio, overall_likelihood_ratio, wald
from model.survival.proportional_hazards import proportional_hazards, scaled_schoenfeld

AGE = Covariate("age", "age", "continuous", per=10, unit="years")
SCORE = Covariate("score", "score", "continuous", per=None)
SEX = Covariate("sex", "sex", "categorical", levels=("F", "M"), reference="F")


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    age, score = rng.normal(60, 10, 400), rng.normal(0, 1, 400)
    time = 4 * rng.exponential(np.exp(-0.03 * (age - 60) - 0.5 * score))
    return pd.DataFrame(
        {
            "followup_years": np.minimum(time, 6.0),
            "event": time < 6.0,
            "age": age,
            "score": score,
            "sex": rng.choice(["F", "M"], 400),
            "site": rng.choice(["lung", "breast"], 400),
        }
    )


def test_likelihood_ratio_of_nested_models(people):
    smaller, larger = fit_cox(people, (AGE,)), fit_cox(people, (AGE, SCORE, SEX))
    test = likelihood_ratio(smaller, larger)
    assert test.chi_squared == 2 * (larger.log_likelihood - smaller.log_likelihood)
    assert test.degrees == 2
    assert test.p_value == pytest.approx(stats.chi2.sf(test.chi_squared, 2))
    overall = overall_likelihood_ratio(larger)
    assert overall.degrees == 3
    assert overall.chi_squared == pytest.approx(test.chi_squared + overall_likelihood_ratio(smaller).chi_squared)


def test_nested_is_a_matter_of_columns_not_of_names(people):
    in_years = fit_cox(people, (Covariate("years", "age", "continuous"),))
    spline = fit_cox(people, (Covariate("age", "age", "spline"), SEX))
    assert likelihood_ratio(in_years, spline).degrees == 3


@pytest.mark.parametrize(
    ("smaller", "larger", "reason"),
    [
        ({}, {"covariates": (AGE,)}, "the models are the same"),
        ({}, {"covariates": (Covariate("years", "age", "continuous"),)}, "the models are the same"),
        ({"covariates": (AGE, SCORE)}, {"covariates": (AGE,)}, "lacks a term of the smaller"),
        ({"covariates": (SCORE,)}, {"covariates": (AGE, SEX)}, "lacks a term of the smaller"),
        ({}, {"rows": 300}, "other rows"),
        ({}, {"event": "other"}, "other rows"),
        ({}, {"strata": ("site",)}, "other strata"),
        ({"cluster": "person"}, {"cluster": "person"}, "under clusters"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(people, smaller, larger, reason):
    people = people.assign(other=people["event"] & (people.index != 3), person=people.index // 2)

    def fitted(rows=400, covariates=None, default=(AGE,), **options):
        return fit_cox(people.iloc[:rows], covariates or default, **options)

    with pytest.raises(FitRefused, match=reason):
        likelihood_ratio(fitted(**smaller), fitted(default=(AGE, SCORE), **larger))


def test_wald_of_one_term_is_its_z_squared(people):
    fit = fit_cox(people, (AGE, SCORE, SEX))
    assert wald(fit, ["score"]).chi_squared == pytest.approx(fit.coefficients[1].z ** 2)
    assert wald(fit, ("age", "score")).degrees == 2
    with pytest.raises(FitRefused, match="no term height"):
        wald(fit, ("age", "height"))
    with pytest.raises(FitRefused, match="no term to test"):
        wald(fit, ())


def test_subgroups_in_one_model(people):
    found = interaction(people, (AGE, SCORE), "score", SEX)
    assert [(effect.level, effect.rows) for effect in found.effects] == [
        (level, int((people["sex"] == level).sum())) for level in ("F", "M")
    ]
    women, men = (effect.coefficients[0] for effect in found.effects)
    reversed_sex = Covariate("sex", "sex", "categorical", levels=("F", "M"), reference="M")
    again = interaction(people, (AGE, SCORE), "score", reversed_sex)
    assert again.effects[0].coefficients[0].log_hazard_ratio == pytest.approx(men.log_hazard_ratio)
    assert again.effects[0].coefficients[0].standard_error == pytest.approx(men.standard_error)
    assert again.wald.chi_squared == pytest.approx(found.wald.chi_squared)
    assert women.term.name == "score"
    assert sum(effect.events for effect in found.effects) == people["event"].sum()


def test_a_true_interaction_is_found(people):
    opposite = people["score"] * np.where(people["sex"] == "M", 1.0, -1.0)
    time = 3 * np.random.default_rng(2).exponential(np.exp(-opposite))
    drawn = people.assign(followup_years=np.minimum(time, 8.0), event=time < 8.0)
    found = interaction(drawn, (SCORE, SEX), "score", SEX)
    women, men = (effect.coefficients[0] for effect in found.effects)
    assert women.ci_upper < 1 < men.ci_lower
    assert found.wald.p_value < 1e-6 and found.likelihood_ratio.p_value < 1e-6


@pytest.mark.parametrize(
    ("exposure", "group", "reason"),
    [
        ("score", AGE, "age has no levels: cut it"),
        ("height", SEX, "no covariate height"),
        ("sex", SEX, "cannot interact with itself"),
    ],
)
def test_subgroups_that_make_no_sense_are_refused(people, exposure, group, reason):
    with pytest.raises(FitRefused, match=reason):
        interaction(people, (AGE, SCORE, SEX), exposure, group)


def test_a_combination_of_unknown_terms_is_refused(people):
    fit = fit_cox(people, (AGE, SCORE))
    with pytest.raises(FitRefused, match="no term height"):
        linear_combination(fit, {"height": 1.0}, fit.coefficients[0].term)


def test_a_hazard_ratio_that_changes_is_found(people):
    """The score raises the hazard in the first two years, and lowers it later."""
    rng = np.random.default_rng(4)
    early = rng.exponential(4 * np.exp(-people["score"]))
    late = 2 + rng.exponential(4 * np.exp(people["score"]))
    time = np.where(early < 2, early, late)
    drawn = people.assign(followup_years=np.minimum(time, 8.0), event=time < 8.0)
    tests = proportional_hazards(fit_cox(drawn, (AGE, SCORE)))
    assert tests.by_term["score"].p_value < 1e-4 < tests.by_term["age"].p_value
    assert tests.overall.degrees == 2
    scaled = scaled_schoenfeld(fit_cox(drawn, (AGE, SCORE)))
    before = scaled.times < 2
    assert scaled.residuals[before, 1].mean() > 0 > scaled.residuals[~before, 1].mean()
    assert scaled.residuals.shape == (int(drawn["event"].sum()), 2)


def test_deaths_all_at_one_time_cannot_show_a_change(people):
    at_once = people.assign(followup_years=np.where(people["event"], 1.0, 2.0))
    with pytest.raises(FitRefused, match="all events are at one time"):
        proportional_hazards(fit_cox(at_once, (AGE, SCORE)))


def test_influence_is_about_what_leaving_a_row_out_does(people):
    fit = fit_cox(people, (AGE, SCORE))
    found = influence(fit)
    errors = np.sqrt(np.diag(fit.covariance))
    for one in found.largest(2):
        without = fit_cox(people.drop(index=people.index[one.row]), (AGE, Covariate("score", "score", "continuous")))
        scale = np.array([1.0, people["score"].std()])
        moved = (fit.beta - without.beta * scale) / errors
        assert found.dfbetas[one.row] == pytest.approx(moved, abs=0.03)
        assert one.dfbetas == found.dfbetas[one.row, found.terms.index(one.term)]
    assert found.likelihood_displacement.shape == (400,)
    assert (found.likelihood_displacement >= 0).all()
    assert np.argmax(found.likelihood_displacement) in {one.row for one in found.largest(3)}


def test_a_robust_variance_of_independent_people_is_near_the_other(people):
    plain, robust = (
        fit_cox(people, (AGE, SCORE)),
        fit_cox(people.assign(person=range(400)), (AGE, SCORE), cluster="person"),
    )
    assert robust.robust and robust.persons == robust.rows == 400
    assert robust.beta == pytest.approx(plain.beta)
    assert np.diag(robust.covariance) == pytest.approx(np.diag(plain.covariance), rel=0.25)
    twice = pd.concat([people, people], ignore_index=True).assign(person=[*range(400), *range(400)])
    clustered = fit_cox(
        twice, (AGE, Covariate("score", "score", "continuous", per=people["score"].std())), cluster="person"
    )
    assert clustered.persons == 400 and clustered.rows == 800
    naive_twice = np.sqrt(np.diag(clustered.naive_covariance))
    assert np.sqrt(np.diag(clustered.covariance)) / naive_twice == pytest.approx(np.sqrt(2), rel=0.15)


def test_the_curve_of_a_line_is_its_hazard_ratio(people):
    fit = fit_cox(people, (AGE, SCORE))
    curve = effect_curve(fit, "age", np.array([50.0, 60.0, 70.0]), reference=60.0)
    age = fit.coefficients[0]
    assert curve.hazard_ratio == pytest.approx([1 / age.hazard_ratio, 1, age.hazard_ratio])
    assert (curve.ci_lower[2], curve.ci_upper[2]) == pytest.approx((age.ci_lower, age.ci_upper))
    assert curve.ci_lower[1] == curve.ci_upper[1] == 1


def test_the_curve_of_a_spline_is_a_difference_of_log_risks(people):
    spline = Covariate("age", "age", "spline", knots=5)
    fit = fit_cox(people, (spline, SCORE))
    curve = effect_curve(fit, "age", people["age"].to_numpy(), reference=60.0)
    moved = fit.log_risk(people) - fit.log_risk(people.assign(age=60.0))
    assert np.log(curve.hazard_ratio) == pytest.approx(moved)
    assert (curve.ci_lower <= curve.hazard_ratio).all() and (curve.hazard_ratio <= curve.ci_upper).all()


def test_curves_that_make_no_sense_are_refused(people):
    fit = fit_cox(people, (AGE, SCORE, SEX), interactions=(("score", "sex"),))
    for covariate, reason in (("sex", "has levels"), ("height", "no covariate"), ("score", "depends on another")):
        with pytest.raises(FitRefused, match=reason):
            effect_curve(fit, covariate, np.array([1.0]), reference=0.0)

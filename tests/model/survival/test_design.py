"""What the columns of a design mean: splines, cut-offs, transforms and products."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model.survival.design import Covariate, Design
from model.survival.errors import FitRefused
from model.survival.spline import place_knots, spline_columns

AGES = pd.DataFrame({"age": np.linspace(20, 90, 141), "sex": np.resize(["F", "M"], 141)})


def age(kind: str, **options) -> Covariate:
    return Covariate("age", "age", kind, unit="years", **options)


def test_a_spline_is_straight_outside_its_knots_and_smooth_inside():
    values = np.linspace(0, 100, 10_001)
    knots = (20.0, 45.0, 60.0, 80.0)
    linear, *bends = spline_columns(values, knots)
    assert (linear == values).all() and len(bends) == 2
    for bend in bends:
        slope = np.diff(bend) / np.diff(values)
        curvature = np.diff(slope) / np.diff(values)[:-1]
        assert (bend[values <= 20] == 0).all()
        assert np.abs(curvature[values[1:-1] > 80.1]).max() < 1e-6
        assert np.abs(np.diff(curvature)).max() < 1e-3, "the second derivative has no jumps"
        assert np.ptp(bend) > 1


def test_the_spline_is_harrells():
    """Hmisc::rcspline.eval(c(30, 50, 90), knots = c(20, 40, 60, 80), inclx = TRUE)."""
    _, first, second = spline_columns(np.array([30.0, 50.0, 90.0]), (20.0, 40.0, 60.0, 80.0))
    assert first == pytest.approx([1000 / 3600, 27_000 / 3600, (343_000 - 3 * 27_000 + 2 * 1000) / 3600])
    assert second == pytest.approx([0, 1000 / 3600, (125_000 - 2 * 27_000 + 1000) / 3600])


def test_knots_lie_at_harrells_quantiles():
    assert place_knots(np.arange(101.0), 3) == pytest.approx((10, 50, 90))
    assert place_knots(np.arange(101.0), 4) == pytest.approx((5, 35, 65, 95))
    assert place_knots(np.arange(101.0), 7) == pytest.approx((2.5, 18.33, 34.17, 50, 65.83, 81.67, 97.5))


def test_spline_terms():
    design = Design(AGES, (age("spline", per=10, knots=4),))
    assert [term.name for term in design.terms] == ["age", "age'", "age''"]
    assert [term.unit for term in design.terms][:2] == ["per 10 years", "spline, knots 23.5, 44.5, 65.5, 86.5"]
    matrix = design.matrix(AGES)
    assert matrix[:, 0] == pytest.approx(AGES["age"] / 10)
    later = design.matrix(AGES.iloc[:5])
    assert later == pytest.approx(matrix[:5]), "knots are those of the fit"


def test_a_value_at_a_cut_off_belongs_to_the_lower_level():
    people = pd.DataFrame({"age": [40.0, 65.0, 65.1, 75.0, 75.5]})
    design = Design(people, (age("cut", cuts=(65, 75)),))
    assert [term.level for term in design.terms] == ["(65, 75]", "> 75"]
    assert {term.reference_level for term in design.terms} == {"<=65"}
    assert design.matrix(people).tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [0, 1]]
    middle = Design(people, (age("cut", cuts=(65, 75), reference="(65, 75]"),))
    assert [term.name for term in middle.terms] == ["age=<=65", "age=> 75"]


def test_transforms_come_before_the_unit():
    design = Design(
        AGES, (age("continuous", transform="log"), Covariate("a", "age", "continuous", transform="sqrt", per=2))
    )
    assert [term.unit for term in design.terms] == ["per 1 log years", "per 2 sqrt"]
    matrix = design.matrix(AGES)
    assert matrix[:, 0] == pytest.approx(np.log(AGES["age"]))
    assert matrix[:, 1] == pytest.approx(np.sqrt(AGES["age"]) / 2)
    (term,) = Design(AGES, (age("continuous", per=None, transform="log"),)).terms
    assert term.unit == "per SD of log"
    assert term.one_unit == pytest.approx(np.log(AGES["age"]).std())


def test_interactions_are_products_of_terms():
    sex = Covariate("sex", "sex", "categorical", levels=("F", "M"), reference="F")
    design = Design(AGES, (age("quartile"), sex), interactions=(("age", "sex"),))
    products = design.terms[4:]
    assert [term.name for term in products] == ["age=Q2:sex=M", "age=Q3:sex=M", "age=Q4:sex=M"]
    assert {(term.covariate, term.unit) for term in products} == {("age:sex", "ratio of hazard ratios")}
    assert products[0].level == "Q2:M"
    matrix = design.matrix(AGES)
    assert matrix[:, 4:] == pytest.approx(matrix[:, :3] * matrix[:, 3:4])
    per_decade = Design(AGES, (age("continuous", per=10), sex), interactions=(("age", "sex"),)).terms[-1]
    assert (per_decade.name, per_decade.level, per_decade.one_unit) == ("age:sex=M", None, 10)


@pytest.mark.parametrize(
    ("people", "covariate", "reason"),
    [
        (AGES, age("spline", knots=8), "age: a spline takes 3 to 7 knots"),
        (AGES.assign(age=AGES["age"] // 40), age("spline"), "age: too many equal values for 4 knots"),
        (AGES.assign(age=1.0), age("spline"), "age is the same for everyone"),
        (AGES, age("cut"), "age: cut-offs must ascend"),
        (AGES, age("cut", cuts=(75, 65)), "age: cut-offs must ascend"),
        (AGES, age("cut", cuts=(10,)), "nobody has the reference level age=<=10"),
        (AGES, age("quartile", transform="log"), "levels, which a transform does not change"),
        (AGES.assign(age=AGES["age"] - 20), age("continuous", transform="log"), "without a logarithm"),
        (AGES.assign(age=AGES["age"] - 21), age("continuous", transform="sqrt"), "without a square root"),
    ],
)
def test_refused_with_a_reason(people, covariate, reason):
    with pytest.raises(FitRefused, match=reason):
        Design(people, (covariate,))

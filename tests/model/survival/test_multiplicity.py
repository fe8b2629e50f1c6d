"""Adjusted p values against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from model.errors import NotComputable
from model.survival.multiplicity import benjamini_hochberg, holm

P_VALUES = [0.04, 0.001, 0.2, 0.04, 0.9, 0.0004, 0.013]


@pytest.mark.parametrize(("adjust", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
@pytest.mark.parametrize("p_values", [P_VALUES, [0.03], [0.5, 0.5, 0.5], list(np.linspace(0, 1, 40))])
def test_equals_statsmodels(adjust, method, p_values):
    assert adjust(p_values) == pytest.approx(multipletests(p_values, method=method)[1], rel=1e-12)


def test_no_tests_need_no_adjustment():
    assert holm([]).tolist() == benjamini_hochberg([]).tolist() == []


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(NotComputable, match="p value"):
        holm([0.1, wrong])

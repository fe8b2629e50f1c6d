"""The losses are the textbook's: under ties, without events, and for log-risks of any size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from sksurv.metrics import concordance_index_censored
from statsmodels.duration.hazard_regression import PHReg

from model.training.losses import age_loss, cox_loss, ranking_loss, survival_loss


def sample(count: int, ticks: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=count)
    times = np.ceil(rng.exponential(np.exp(-risk)) * ticks)
    return risk, times, rng.random(count) < 0.6


def as_tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


@pytest.mark.parametrize("ticks", [3, 10_000])
def test_cox_loss_is_the_partial_likelihood_that_other_packages_maximise(ticks: int) -> None:
    risk, times, died = sample(300, ticks)
    frame = pd.DataFrame({"risk": risk, "time": times, "died": died})
    fitted = CoxPHFitter().fit(frame, "time", "died", fit_options={"precision": 1e-12})
    loss = cox_loss(*as_tensors(risk * fitted.params_["risk"], times, died))
    assert float(loss) * died.sum() == pytest.approx(-fitted.log_likelihood_, rel=1e-9)
    other = PHReg(times, risk[:, None], status=died.astype(int), ties="efron")
    for slope in (-0.7, 0.0, 1.3):
        loss = cox_loss(*as_tensors(slope * risk, times, died))
        assert float(loss) * died.sum() == pytest.approx(-other.loglike(np.array([slope])), rel=1e-9)


@pytest.mark.parametrize("ticks", [2, 7, 10_000])
def test_ranking_loss_is_the_mean_over_every_comparable_pair(ticks: int) -> None:
    risk, times, died = sample(60, ticks, seed=2)
    terms = [
        np.log1p(np.exp(-(risk[i] - risk[j])))
        for i in range(60)
        for j in range(60)
        if died[i] and (times[j] > times[i] or (times[j] == times[i] and not died[j]))
    ]
    loss = ranking_loss(*as_tensors(risk, times, died))
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-12)
    _, concordant, discordant, tied_risk, _ = concordance_index_censored(died, times, risk)
    assert len(terms) == concordant + discordant + tied_risk


def test_ranking_loss_falls_as_the_order_improves() -> None:
    risk, times, died = sample(200, 10_000)
    losses = [float(ranking_loss(*as_tensors(slope * risk, times, died))) for slope in (-1.0, 0.0, 1.0)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_batch_without_a_death_teaches_nothing(share: float) -> None:
    log_risks = torch.randn(8, requires_grad=True)
    loss = survival_loss(log_risks, torch.arange(8.0), torch.zeros(8, dtype=torch.bool), share)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert log_risks.grad is not None and float(log_risks.grad.abs().max()) == 0.0


def test_everybody_dying_at_once_is_no_pair_but_a_likelihood() -> None:
    same = torch.ones(5), torch.ones(5, dtype=torch.bool)
    assert float(ranking_loss(torch.randn(5), *same)) == 0.0
    assert float(cox_loss(torch.zeros(5), *same)) == pytest.approx(np.log([5, 4, 3, 2, 1]).mean())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_very_large_log_risks_keep_the_gradient_finite(share: float) -> None:
    log_risks = torch.tensor([300.0, -300.0, 0.0], requires_grad=True)
    loss = survival_loss(log_risks, torch.tensor([3.0, 1.0, 2.0]), torch.ones(3, dtype=torch.bool), share)
    loss.backward()
    assert torch.isfinite(loss.detach()) and log_risks.grad is not None and torch.isfinite(log_risks.grad).all()


def test_age_losses_agree_with_torch() -> None:
    predicted, true, ones = torch.tensor([40.0, 61.0, 90.0]), torch.tensor([42.0, 60.0, 60.0]), torch.ones(3)
    scaled = predicted / 20, true / 20
    assert float(age_loss("l1", predicted, true, ones, 20)) == pytest.approx(
        float(torch.nn.functional.l1_loss(*scaled))
    )
    assert float(age_loss("mse", predicted, true, ones, 20)) == pytest.approx(
        float(torch.nn.functional.mse_loss(*scaled))
    )
    huber = torch.nn.functional.smooth_l1_loss(*scaled, beta=0.25)
    assert float(age_loss("smooth_l1", predicted, true, ones, 20)) == pytest.approx(float(huber))
    twice = age_loss("l1", predicted, true, torch.tensor([0.0, 0.0, 3.0]), 20)
    assert float(twice) == pytest.approx(30 / 20)

"""What the networks are asked to make small."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

AgeLoss = Literal["l1", "smooth_l1", "mse"]
HUBER_SCALES = 0.25


def age_loss(kind: AgeLoss, predicted: Tensor, true: Tensor, weights: Tensor, scale_years: float) -> Tensor:
    """Weighted mean loss of predicted against true ages, all (n,), ages in years and divided by `scale_years`.

    "smooth_l1" is quadratic within a quarter of the scale and linear beyond (Huber, 1964).
    """
    error = (predicted - true).abs() / scale_years
    if kind == "mse":
        error = error.square()
    elif kind == "smooth_l1":
        error = torch.where(error < HUBER_SCALES, 0.5 * error.square() / HUBER_SCALES, error - 0.5 * HUBER_SCALES)
    return (weights * error).mean()


def cox_loss(log_risks: Tensor, times: Tensor, died: Tensor) -> Tensor:
    """Negative Cox partial log-likelihood a death, with Efron's handling of ties (Efron, JASA 72, 1977).

    All arguments are (n,): log-risks in float32, follow-up times in any unit, died as bool. The risk set is the batch.
    Zero, with a gradient of zero, where nobody died.
    """
    order = torch.argsort(times, descending=True, stable=True)
    log_risks, died = log_risks[order], died[order].to(log_risks.dtype)
    _, moment = torch.unique_consecutive(times[order], return_inverse=True)
    moments = int(moment[-1]) + 1
    log_relative = log_risks - log_risks.max().detach()
    relative = torch.exp(log_relative)

    def per_moment(values: Tensor) -> Tensor:
        return torch.zeros(moments, dtype=values.dtype, device=values.device).index_add(0, moment, values)

    at_risk = torch.cumsum(per_moment(relative), dim=0)[moment]
    dying = per_moment(relative * died)[moment]
    deaths = per_moment(died)
    died_earlier_in_batch = (torch.cumsum(deaths, dim=0) - deaths)[moment]
    rank_among_ties = torch.cumsum(died, dim=0) - died - died_earlier_in_batch
    share_removed = rank_among_ties / deaths[moment].clamp(min=1)
    terms = log_relative - torch.log((at_risk - share_removed * dying).clamp(min=1e-12))
    return -(terms * died).sum() / died.sum().clamp(min=1)


def ranking_loss(log_risks: Tensor, times: Tensor, died: Tensor) -> Tensor:
    """Mean logistic loss over comparable pairs: whoever died first should have the higher log-risk.

    A pair is comparable where one died at t and the other was followed for longer, or was censored at t itself (death
    comes first at equal times, as in Harrell's C); two deaths at one time say nothing about each other. Smooth form of
    one minus the C-index (Raykar et al., NeurIPS 2007). Arguments as in `cox_loss`.
    Zero, with a gradient of zero, where no pair is comparable.
    """
    outlived = (times[None, :] > times[:, None]) | ((times[None, :] == times[:, None]) & ~died[None, :])
    comparable = (died[:, None] & outlived).to(log_risks.dtype)
    margins = log_risks[:, None] - log_risks[None, :]
    return (softplus(-margins) * comparable).sum() / comparable.sum().clamp(min=1)


def survival_loss(log_risks: Tensor, times: Tensor, died: Tensor, ranking_share: float) -> Tensor:
    """Cox's loss and the ranking loss, weighted (1 - share) and share (ours: FAHR-FaceSurvival's is not published)."""
    cox = cox_loss(log_risks, times, died)
    if ranking_share == 0:
        return cox
    return (1 - ranking_share) * cox + ranking_share * ranking_loss(log_risks, times, died)

"""What the networks are asked to make small."""

from __future__ import annotations

import torch
from torch import Tensor


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
        return torch.zeros(moments, dtype=values.dtype).index_add(0, moment, values)

    at_risk = torch.cumsum(per_moment(relative), dim=0)[moment]
    dying = per_moment(relative * died)[moment]
    deaths = per_moment(died)
    died_earlier_in_batch = (torch.cumsum(deaths, dim=0) - deaths)[moment]
    rank_among_ties = torch.cumsum(died, dim=0) - died - died_earlier_in_batch
    share_removed = rank_among_ties / deaths[moment].clamp(min=1)
    terms = log_relative - torch.log((at_risk - share_removed * dying).clamp(min=1e-12))
    return -(terms * died).sum() / died.sum().clamp(min=1)

"""One process or many: the part of training that knows of torch.distributed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train one network together; each takes its share of every batch."""

    rank: int
    size: int

    @classmethod
    def of_this_process(cls) -> Team:
        """The initialised process group, or this process alone."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls(0, 1)

    @property
    def leads(self) -> bool:
        """The first process writes checkpoints and journal, validates, and shows progress."""
        return self.rank == 0

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over the team."""
        return DistributedDataParallel(network) if self.size > 1 else network

    def share(self, values: Tensor) -> Tensor:
        """This process's part of a batch (B, ...). Its size must be a multiple of the team's."""
        return values[self.rank :: self.size]

    def mean(self, value: Tensor) -> float:
        """Mean of a number over the team."""
        if self.size > 1:
            value = value.clone()
            distributed.all_reduce(value, op=distributed.ReduceOp.SUM)
            value = value / self.size
        return float(value)

    def wait(self) -> None:
        """Until everybody is here."""
        if self.size > 1:
            distributed.barrier()


def init_team_from_environment() -> Team:
    """Join the process group that a launcher (pyspark's TorchDistributor, torchrun) describes in the environment."""
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Team.of_this_process()

"""The training loop, one for all networks: exact after a kill, on one process or many, with progress and a log.

Whatever is random in a step (augmentation, masks, skipped layers) is decided by (seed, step), and the order of faces by
(seed, epoch). A checkpoint therefore needs weights, the optimizer's moments and the number of the step, and a resumed
training walks the same curve as one that was never interrupted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from model.training.checkpoint import load_checkpoint, load_tensors, save_checkpoint, save_tensors
from model.training.errors import TrainingRefused
from model.training.face_set import Batch, BatchSource
from model.training.journal import Journal
from model.training.processes import Team
from model.training.recipe import Recipe, optimizer_of, rate_factor

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"

StepLoss = Callable[[nn.Module, Batch, np.random.Generator], Tensor]
"""(network, batch, randomness of this batch) -> one number, the mean over the batch."""

Validate = Callable[[nn.Module], Mapping[str, float]]
"""The network in evaluation mode -> metrics by name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which epoch's weights are kept: those with the smallest `metric`, or the largest where `largest`."""

    metric: str
    largest: bool = False

    def better(self, value: float, than: float | None) -> bool:
        """Is `value` better? The first is; NaN never is."""
        return bool(np.isfinite(value)) and (than is None or (value > than if self.largest else value < than))

    def best_of(self, epochs: Iterable[Mapping[str, float]]) -> float | None:
        """The best value among epochs; None where there is none."""
        best = None
        for metrics in epochs:
            best = metrics[self.metric] if self.better(metrics[self.metric], best) else best
        return best


def train(
    network: nn.Module,
    step_loss: StepLoss,
    source: BatchSource,
    recipe: Recipe,
    folder: Path,
    *,
    caption: str,
    validate: Validate | None = None,
    choice: Choice | None = None,
) -> None:
    """Train `network` in place, from the checkpoint in `folder` where there is one.

    At the end the network holds the last epoch's weights, or with `choice` the best epoch's by that metric.

    Raises:
        TrainingRefused: too few faces for one step, or the checkpoint is damaged or of another training.
        CheckpointNotWritten: the disk is full; the checkpoint before stands.
    """
    team = Team.of_this_process()
    steps_an_epoch = len(source.rows) // source.batch_size // recipe.accumulate
    if steps_an_epoch == 0:
        raise TrainingRefused(f"{len(source.rows)} faces are too few for one step of {source.batch_size}")
    steps = recipe.epochs * steps_an_epoch
    optimizer = optimizer_of(network, recipe)
    peak_rates = [group["lr"] for group in optimizer.param_groups]
    journal = Journal(folder, leads=team.leads)
    about = {"training": _fingerprint(network, source, recipe)}
    step = _resume(folder / CHECKPOINT, network, optimizer, about)
    journal.start(step, step // steps_an_epoch)
    best = choice.best_of(journal.epochs()) if choice is not None else None
    together = team.wrapped(network)
    bar = tqdm(total=steps, initial=step, desc=caption, unit="step", disable=None if team.leads else True)

    def keep() -> None:
        if team.leads:
            save_checkpoint(folder / CHECKPOINT, network, optimizer, {**about, "step": step})

    network.train()
    while step < steps:
        epoch = step // steps_an_epoch
        batches = source.batches(epoch, skip=(step % steps_an_epoch) * recipe.accumulate)
        for _ in range(step % steps_an_epoch, steps_an_epoch):
            began = time.monotonic()
            factor = rate_factor(step, steps, recipe.warm_up_share)
            for group, peak in zip(optimizer.param_groups, peak_rates, strict=True):
                group["lr"] = peak * factor
            loss = _step(together, step_loss, batches, optimizer, recipe, step, team)
            step += 1
            journal.step(step, epoch + 1, loss, recipe.peak_rate * factor, time.monotonic() - began)
            bar.update()
            bar.set_postfix(loss=f"{loss:.4f}")
            if step % recipe.checkpoint_steps == 0 and step % steps_an_epoch:
                keep()
        best = _end_of_epoch(network, folder, journal, epoch + 1, validate, choice, best, team)
        keep()
    bar.close()
    if choice is not None and (folder / BEST).exists():
        network.load_state_dict(load_tensors(folder / BEST)[0])
    network.eval()


def _step(
    network: nn.Module,
    step_loss: StepLoss,
    batches: Iterator[Batch],
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    step: int,
    team: Team,
) -> float:
    """One step of the optimizer; returns the mean loss of its batches."""
    optimizer.zero_grad(set_to_none=True)
    losses = []
    for part in range(recipe.accumulate):
        torch.manual_seed(int(np.random.SeedSequence([recipe.seed, step, part]).generate_state(1)[0]))
        rng = np.random.default_rng([recipe.seed, step, part])
        with _precision(network, recipe.precision):
            loss = step_loss(network, next(batches), rng)
            (loss / recipe.accumulate).backward()
        losses.append(team.mean(loss.detach()))
    torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
    optimizer.step()
    mean = float(np.mean(losses))
    if not np.isfinite(mean):
        raise TrainingRefused(f"the loss is not finite at step {step + 1}: lower the learning rate or use float32")
    return mean


@contextmanager
def _precision(network: nn.Module, precision: str) -> Iterator[None]:
    """Autocast for bfloat16. On a CPU fused attention is slow backwards in it: plain attention takes its place."""
    device = next(network.parameters()).device.type
    with ExitStack() as stack:
        if precision == "bfloat16":
            stack.enter_context(torch.autocast(device, torch.bfloat16))
            if device == "cpu":
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


def _end_of_epoch(
    network: nn.Module,
    folder: Path,
    journal: Journal,
    epoch: int,
    validate: Validate | None,
    choice: Choice | None,
    best: float | None,
    team: Team,
) -> float | None:
    """Validate, note it, and keep the weights where they are the best so far; returns the best value so far."""
    if validate is None or not team.leads:
        return best
    network.eval()
    with torch.inference_mode():
        metrics = dict(validate(network))
    network.train()
    journal.epoch(epoch, metrics)
    if choice is not None and choice.better(metrics[choice.metric], best):
        best = metrics[choice.metric]
        save_tensors(folder / BEST, dict(network.state_dict()), {"epoch": epoch, choice.metric: best})
    return best


def _resume(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, about: Mapping[str, object]) -> int:
    """The step at which to go on: 0 where there is no checkpoint."""
    if not path.exists():
        return 0
    found = load_checkpoint(path, network, optimizer)
    if found.get("training") != about["training"]:
        raise TrainingRefused(f"{path.name} is of another recipe or other faces: name another folder, or remove it")
    return int(str(found["step"]))


def _fingerprint(network: nn.Module, source: BatchSource, recipe: Recipe) -> str:
    """What must be equal for a checkpoint to be gone on from."""
    shapes = {name: list(parameter.shape) for name, parameter in network.named_parameters()}
    told = json.dumps([recipe.to_dict(), source.batch_size, shapes], sort_keys=True).encode()
    return hashlib.sha256(told + np.ascontiguousarray(source.rows).tobytes()).hexdigest()[:16]

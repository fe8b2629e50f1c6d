"""The loop: a killed training walks the same curve, a full disk costs nothing, what does not fit is refused."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from model.training.errors import TrainingRefused
from model.training.journal import Journal
from model.training.loop import CHECKPOINT
from model.training.masked import MaskedAutoencoder, pretrain
from model.training.recipe import Recipe, optimizer_of, rate_factor
from model.training.regression import AgeRecipe, fine_tune_age
from model.training.start import starting_network
from tests.model.training.faces import SMALL, SMALL_SIZE, Faces

RECIPE = Recipe(epochs=3, peak_rate=2e-3, checkpoint_steps=2)


def pretrained(folder: Path, recipe: Recipe = RECIPE, *, batch: int = 16) -> MaskedAutoencoder:
    faces = Faces(batch=batch)
    torch.manual_seed(0)
    network = MaskedAutoencoder(SMALL_SIZE)
    pretrain(network, faces.source_of(faces.rows), recipe, folder, validation=faces.validation.pixels)
    return network


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.fault
def test_killed_in_mid_work_it_goes_on_and_ends_where_an_undisturbed_one_ends(tmp_path: Path) -> None:
    undisturbed = pretrained(tmp_path / "undisturbed")
    script = "from pathlib import Path; from tests.model.training.test_loop import pretrained; import sys; "
    script += "pretrained(Path(sys.argv[1]))"
    killed = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", script, str(killed)], start_new_session=True)
    while not (killed / CHECKPOINT).exists():
        assert child.poll() is None
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert len(Journal(killed).losses()) < 12
    resumed = pretrained(killed)
    assert Journal(killed).losses() == Journal(tmp_path / "undisturbed").losses()
    assert Journal(killed).epochs() == Journal(tmp_path / "undisturbed").epochs()
    assert same_weights(resumed, undisturbed)


def test_a_finished_training_run_again_does_nothing(tmp_path: Path) -> None:
    first = pretrained(tmp_path)
    written = (tmp_path / CHECKPOINT).stat().st_mtime_ns
    assert same_weights(first, pretrained(tmp_path))
    assert (tmp_path / CHECKPOINT).stat().st_mtime_ns == written


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: writes fail in mid-file as they do on one."""
    script = f"""
import resource, signal, sys
from pathlib import Path
from dataclasses import replace
from tests.model.training.test_loop import RECIPE, pretrained
from model.training import loop
from model.training.errors import CheckpointNotWritten
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
whole, written = loop.save_checkpoint, []
def second_fails(path, *rest):
    if written:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))
    written.append(path)
    whole(path, *rest)
loop.save_checkpoint = second_fails
try:
    pretrained(Path(sys.argv[1]))
except CheckpointNotWritten as error:
    print(error)
    sys.exit(7)
"""
    told = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert told.returncode == 7, told.stderr
    assert "free some disk" in told.stdout
    assert [path.name for path in tmp_path.glob("*unfinished*")] == []
    assert same_weights(pretrained(tmp_path), pretrained(tmp_path / "undisturbed"))


def test_a_damaged_checkpoint_and_one_of_another_training_are_refused(tmp_path: Path) -> None:
    pretrained(tmp_path)
    with pytest.raises(TrainingRefused, match="another recipe"):
        pretrained(tmp_path, Recipe(epochs=4, peak_rate=2e-3))
    content = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainingRefused, match="damaged"):
        pretrained(tmp_path)


def test_two_halves_of_a_batch_make_the_step_of_the_whole(tmp_path: Path) -> None:
    """With augmentation and masks that differ by part, equality holds of the gradients' size, not of each number."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    pretrained(whole, RECIPE, batch=24)
    pretrained(halves, Recipe(epochs=3, peak_rate=2e-3, accumulate=2), batch=12)
    one, other = Journal(whole).losses(), Journal(halves).losses()
    assert len(one) == len(other) == 9
    np.testing.assert_allclose(one, other, rtol=0.1)


def test_too_few_faces_for_one_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingRefused, match="too few"):
        pretrained(tmp_path, Recipe(epochs=1, peak_rate=1e-3, accumulate=100))


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path: Path) -> None:
    faces = Faces()
    network = starting_network(SMALL, None, mean=55.0, sd=20.0, seed=0)
    recipe = AgeRecipe(broad=Recipe(3, 1e30, clip=1e30), balanced=Recipe(1, 1e-3))
    with pytest.raises(TrainingRefused, match="not finite"):
        fine_tune_age(network, faces.labels, faces.rows, faces.source_of, faces.validation, recipe, tmp_path)


def test_the_rate_rises_and_falls_and_layers_learn_slower_the_deeper_they_lie() -> None:
    factors = [rate_factor(step, 100, 0.1) for step in range(100)]
    assert np.argmax(factors) in (9, 10) and factors[9] == pytest.approx(1.0)
    assert all(a > b for a, b in pairwise(factors[10:])) and factors[-1] < 0.01
    network = starting_network(SMALL, None, mean=0.0, sd=1.0, seed=0)
    optimizer = optimizer_of(network, Recipe(1, 1.0, layer_decay=0.5, weight_decay=0.3))
    rates, decays = {}, {}
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            rates[names[id(parameter)]], decays[names[id(parameter)]] = group["lr"], group["weight_decay"]
    assert set(rates) == set(names.values())
    assert rates["head.weight"] == 1.0 and rates["vit.layernorm.weight"] == 1.0
    assert rates["vit.layers.2.mlp.fc1.weight"] == 0.5 and rates["vit.layers.0.mlp.fc1.weight"] == 0.125
    assert rates["vit.embeddings.cls_token"] == 0.0625
    assert decays["head.weight"] == 0.3 and decays["head.bias"] == 0.0 and decays["vit.embeddings.cls_token"] == 0.0

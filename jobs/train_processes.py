"""Training on several processes: pyspark's TorchDistributor starts them, each opens the data set for itself."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.spark import LazySpark
from jobs.train_recipes import TrainingChoices

if TYPE_CHECKING:
    from jobs.train_faces import TrainingFaces


def pretrain_together(spark: LazySpark, faces: TrainingFaces, choices: TrainingChoices, work: Path) -> None:
    """Pre-train with `choices.processes` processes on this machine; the checkpoint in `work` holds the result.

    Each process takes its share of every batch and the gradients are averaged, so the curve is that of one process up
    to the order in which numbers are added.
    """
    from pyspark.ml.torch.distributor import TorchDistributor

    _ = spark.session  # the distributor asks for the active session
    team = TorchDistributor(num_processes=choices.processes, local_mode=True, use_gpu=False)
    team.run(pretrain_as_one_of_many, str(faces.data_set.folder), faces.seed, asdict(choices), str(work))


def pretrain_as_one_of_many(data_set: str, seed: int, choices: dict[str, object], work: str) -> None:
    """What each process does."""
    import torch

    from jobs.train_faces import TrainingFaces
    from jobs.training.crop_files import open_data_set
    from model.training.masked import MaskedAutoencoder, pretrain
    from model.training.processes import init_team_from_environment

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ.get("WORLD_SIZE", "1"))))
    init_team_from_environment()
    chosen = TrainingChoices(**choices)  # type: ignore[arg-type]
    faces = TrainingFaces(open_data_set(Path(data_set)), chosen.batch_size, seed)
    torch.manual_seed(chosen.seed)
    network = MaskedAutoencoder(chosen.encoder)
    validation = faces.validation.pixels
    pretrain(
        network,
        faces.source_of(faces.taught),
        chosen.pretraining(),
        Path(work),
        validation=validation if len(validation) else None,
    )
    torch.distributed.destroy_process_group()

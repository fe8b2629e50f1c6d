"""Train: a data set to a network of a new release. Nothing scores with it until it is promoted.

Checkpoints stay under FAHR_HOME/training-work until the release stands: a killed training goes on where it was.
"""

from __future__ import annotations

import logging
from datetime import date

import numpy as np
import torch
from numpy.typing import NDArray
from sqlalchemy import Engine
from torch import Tensor

from jobs.errors import ModelRefused
from jobs.settings import Settings
from jobs.spark import LazySpark
from jobs.train_faces import TrainingFaces
from jobs.train_processes import pretrain_together
from jobs.train_recipes import TrainingChoices
from jobs.train_register import Trained, register, training_of
from jobs.training.crop_files import CropDataSet
from model.errors import WeightsRefused
from model.manifest import Kind
from model.network import BiomarkerNetwork, NetworkConfig
from model.release import ModelRelease
from model.training.errors import TrainingRefused
from model.training.masked import MaskedAutoencoder, pretrain, reconstructions
from model.training.predict import concordance, predict_rows
from model.training.regression import fine_tune_age
from model.training.start import starting_network
from model.training.survival import fine_tune_survival, out_of_fold

log = logging.getLogger("fahr.train")

RECONSTRUCTIONS = 6


def train_mae(
    *,
    settings: Settings,
    engine: Engine,
    spark: LazySpark,
    night: date,
    data_set: CropDataSet,
    name: str,
    choices: TrainingChoices,
) -> Trained:
    """Pre-train a FAHR-Face encoder on the faces of a data set; labels are not read.

    Raises:
        DatasetRejected: the faces cannot be trained on.
        ModelRefused: the name is taken by other weights.
        SettingsError: a checkpoint could not be written.
        LockHeld: another training runs.
    """
    with training_of(settings, engine, night, name, "face") as training:
        faces = TrainingFaces(data_set, choices.batch_size, choices.seed)
        validation = faces.validation.pixels
        torch.manual_seed(choices.seed)
        network = MaskedAutoencoder(choices.encoder).to(_device(settings))
        if choices.processes > 1:
            pretrain_together(spark, faces, choices, training.work)
        pretrain(
            network,
            faces.source_of(faces.taught),
            choices.pretraining(),
            training.work,
            validation=validation if len(validation) else None,
        )
        shown = faces.pixels_of(faces.cohort[-RECONSTRUCTIONS:])
        encoder = starting_network(choices.encoder.encoder, network.encoder_state(), mean=0.0, sd=1.0, seed=0)
        return register(
            training, encoder, data_set, {}, pictures={"reconstructions.png": reconstructions(network, shown)}
        )


def train_age(
    *,
    settings: Settings,
    engine: Engine,
    night: date,
    data_set: CropDataSet,
    name: str,
    choices: TrainingChoices,
    start_from: ModelRelease | None = None,
) -> Trained:
    """Fine-tune FaceAge in two stages on the ages of a data set, from the encoder of a release or from random weights.

    The metrics are measured on the test split, which no training reads.

    Raises:
        As `train_mae`; and ModelRefused where `start_from` has no encoder.
    """
    with training_of(settings, engine, night, name, "age") as training:
        faces = TrainingFaces(data_set, choices.batch_size, choices.seed)
        ages = faces.labels.age_years[faces.taught]
        if not np.isfinite(ages).any():
            raise TrainingRefused("no face of the training split has an age")
        config, encoder = _start(choices, start_from)
        mean, sd = float(np.nanmean(ages)), max(float(np.nanstd(ages)), 1.0)
        network = starting_network(config, encoder, mean=mean, sd=sd, seed=choices.seed).to(_device(settings))
        fine_tune_age(
            network, faces.labels, faces.taught, faces.source_of, faces.validation, choices.age(), training.work
        )
        return register(
            training,
            network,
            data_set,
            _age_metrics(network, faces),
            start_from=start_from,
            never_read=faces.never_read,
        )


def train_survival(
    *,
    settings: Settings,
    engine: Engine,
    night: date,
    data_set: CropDataSet,
    name: str,
    choices: TrainingChoices,
    start_from: ModelRelease | None = None,
) -> Trained:
    """Fine-tune FaceSurvival on follow-up, and cross-fit it: every patient of the cohort gets an out-of-fold score.

    The cohort are the training and validation splits. The release takes over the other networks of `start_from`.

    Raises:
        As `train_age`.
    """
    with training_of(settings, engine, night, name, "survival") as training:
        faces = TrainingFaces(data_set, choices.batch_size, choices.seed)
        config, encoder = _start(choices, start_from)

        def start() -> BiomarkerNetwork:
            network = starting_network(config, encoder, mean=0.0, sd=1.0, seed=choices.seed)
            return network.to(_device(settings))

        network, recipe, work = start(), choices.survival(), training.work
        fine_tune_survival(
            network, faces.labels, faces.taught, faces.source_of, faces.validation, recipe, work / "whole"
        )
        honest = out_of_fold(
            start, faces.labels, faces.cohort, faces.source_of, faces.validation_of, faces.pixels_of, recipe, work
        )
        return register(
            training,
            network,
            data_set,
            _survival_metrics(network, faces, honest),
            start_from=start_from,
            out_of_fold=(faces.cohort, honest),
            never_read=faces.never_read,
        )


def _start(choices: TrainingChoices, start_from: ModelRelease | None) -> tuple[NetworkConfig, dict[str, Tensor] | None]:
    """Shape and weights of the encoder to start from: of a release, its FaceAge network's or else its bare one."""
    if start_from is None:
        return choices.encoder.encoder, None
    kind: Kind = "age" if "age" in start_from.networks else "face"
    try:
        return start_from.networks[kind].config, start_from.encoder_state(kind)
    except (KeyError, WeightsRefused) as error:
        raise ModelRefused(
            f"The release {start_from.model_id} has no encoder to start from.",
            next_step="Name one with a face or age network: `fahr weights list`.",
        ) from error


def _device(settings: Settings) -> torch.device:
    return torch.device("cuda" if settings.score_device != "cpu" and torch.cuda.is_available() else "cpu")


def _age_metrics(network: BiomarkerNetwork, faces: TrainingFaces) -> dict[str, float]:
    rows = faces.never_read
    said, labels = predict_rows(network, faces.pixels_of, rows), faces.labels
    errors = (said - labels.age_years[rows])[np.isfinite(labels.age_years[rows])]
    c_index = concordance(said, labels.followup_days[rows], labels.died[rows])
    metrics = {"test_photos": float(len(rows))}
    if len(errors):
        metrics |= {
            "face_age_mae_years": round(float(np.abs(errors).mean()), 3),
            "face_age_bias_years": round(float(errors.mean()), 3),
        }
    return metrics if c_index is None else metrics | {"face_age_c_index": round(c_index, 4)}


def _survival_metrics(network: BiomarkerNetwork, faces: TrainingFaces, honest: NDArray[np.float64]) -> dict[str, float]:
    labels, test, cohort = faces.labels, faces.never_read, faces.cohort
    said = predict_rows(network, faces.pixels_of, test)
    found = {
        "face_survival_c_index": concordance(said, labels.followup_days[test], labels.died[test]),
        "out_of_fold_c_index": concordance(honest, labels.followup_days[cohort], labels.died[cohort]),
    }
    return {"test_photos": float(len(test))} | {
        name: round(value, 4) for name, value in found.items() if value is not None
    }

"""What a person may choose about a training, and the recipes that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from jobs.errors import UsageError
from model.training.balance import Balance
from model.training.losses import AgeLoss
from model.training.masked import published_recipe
from model.training.recipe import Recipe
from model.training.regression import AgeRecipe, Keep
from model.training.sizes import SIZES, EncoderSize
from model.training.survival import SurvivalRecipe

FINE_TUNING_RATE_OF_256 = 5e-4
"""He et al. (2022), ViT-B: learning rate of fine-tuning for 256 faces a step."""
SMALL_NETWORK_RATE_OF_256 = 2e-3
"""Narrow encoders stand, and need, a higher one (ours)."""
PRETRAINING_EPOCHS, AGE_EPOCHS, BALANCED_EPOCHS, SURVIVAL_EPOCHS = 200, 20, 5, 10
QUICK_BATCH = 32
SHARE_OF_BALANCED_RATE = 0.1
"""Stage 2 learns at this share of stage 1's rate (ours)."""


_WORDS = {
    "size": tuple(SIZES),
    "precision": ("float32", "bfloat16"),
    "loss": get_args(AgeLoss),
    "balance": get_args(Balance),
    "keep": get_args(Keep),
}


@dataclass(frozen=True, slots=True)
class TrainingChoices:
    """Options of `fahr train`; None is the default of the size."""

    size: str = "base"
    quick: bool = False
    """Everything as small as it gets: to see that a command works, not to get a model."""
    epochs: int | None = None
    batch: int = 128
    accumulate: int = 1
    peak_rate: float | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    processes: int = 1
    """Pre-training and FaceAge only."""
    seed: int = 0
    loss: AgeLoss = "smooth_l1"
    balance: Balance = "weight"
    balanced_epochs: int | None = None
    keep: Keep = "mae"
    ranking_share: float = 0.5

    @classmethod
    def checked(cls, **choices: Any) -> TrainingChoices:
        """The choices as typed on a command line. Raises UsageError for a word that is none of an option's."""
        for name, words in _WORDS.items():
            if name in choices and choices[name] not in words:
                raise UsageError(f"--{name} cannot be {choices[name]}.", next_step=f"Choose one of {', '.join(words)}.")
        return cls(**choices)

    @property
    def encoder(self) -> EncoderSize:
        """The size's shapes."""
        return SIZES["nano" if self.quick else self.size]

    @property
    def batch_size(self) -> int:
        """Faces in a batch."""
        return min(self.batch, QUICK_BATCH) if self.quick else self.batch

    @property
    def faces_a_step(self) -> int:
        """Faces whose gradient makes one step."""
        return self.batch_size * self.accumulate

    def _epochs(self, usual: int) -> int:
        return self.epochs if self.epochs is not None else (1 if self.quick else usual)

    def pretraining(self) -> Recipe:
        """The masked autoencoder's, as published but for its length."""
        recipe = published_recipe(
            self._epochs(PRETRAINING_EPOCHS),
            self.faces_a_step,
            accumulate=self.accumulate,
            precision=self.precision,
            seed=self.seed,
        )
        return recipe if self.peak_rate is None else replace(recipe, peak_rate=self.peak_rate)

    def age(self) -> AgeRecipe:
        """Both stages of FaceAge."""
        broad = self._fine_tuning(self._epochs(AGE_EPOCHS))
        balanced = self.balanced_epochs if self.balanced_epochs is not None else (1 if self.quick else BALANCED_EPOCHS)
        rate = broad.peak_rate * SHARE_OF_BALANCED_RATE
        return AgeRecipe(
            broad=broad,
            balanced=replace(broad, epochs=balanced, peak_rate=rate, seed=self.seed + 1),
            loss=self.loss,
            balance=self.balance,
            keep=self.keep,
        )

    def survival(self) -> SurvivalRecipe:
        """FaceSurvival's."""
        return SurvivalRecipe(self._fine_tuning(self._epochs(SURVIVAL_EPOCHS)), ranking_share=self.ranking_share)

    def _fine_tuning(self, epochs: int) -> Recipe:
        size = self.encoder
        rate_of_256 = FINE_TUNING_RATE_OF_256 if size.encoder.hidden_size >= 512 else SMALL_NETWORK_RATE_OF_256
        return Recipe(
            epochs=epochs,
            peak_rate=self.peak_rate or rate_of_256 * self.faces_a_step / 256,
            layer_decay=size.layer_decay,
            drop_path=size.drop_path,
            accumulate=self.accumulate,
            precision=self.precision,
            seed=self.seed,
        )

"""Bring weights in from elsewhere: a file becomes a release under FAHR_HOME/models. It scores nothing yet."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import ModelRefused, SettingsError, UsageError
from jobs.releases import locate_release
from jobs.settings import Settings
from model.errors import WeightsRefused
from model.release import SHIPPED_RELEASES, ModelRelease, save_release
from model.weights_import.limits import Limits
from model.weights_import.process import import_file
from model.weights_import.wish import Wish

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Description:
    """What nobody can read from a file of weights."""

    training_data: str
    licence: str
    intended_use: str
    trained_on_synthetic: bool


def import_weights(
    settings: Settings,
    *,
    file: Path,
    name: str,
    wish: Wish,
    description: Description,
    add_to: str | None = None,
    expected_sha256: str | None = None,
    limits: Limits | None = None,
) -> ModelRelease:
    """Make a release of a checkpoint file. Nothing is promoted, and no release that stands is changed.

    Args:
        settings: where releases live.
        file: the checkpoint.
        name: of the new release.
        wish: what the file is, and what its shapes do not say.
        description: for the manifest.
        add_to: a release whose networks the new one holds too.
        expected_sha256: of the file, where its publisher tells it.
        limits: of the process that reads the file.

    Raises:
        UsageError: the name is not one of lower-case letters, digits, dots, dashes and underscores.
        SettingsError: the release cannot be written: a full disk, say.
        ModelRefused: the name is taken, `add_to` is missing, altered or has such a network, or the file was refused.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            "A release's name is up to 63 lower-case letters, digits, dots, dashes and underscores.",
            next_step="Give it such a --name, for example hospital-1.",
        )
    final = settings.models / name
    if final.exists() or (SHIPPED_RELEASES / name).exists():
        raise ModelRefused(f"There is a release {name} already.", next_step="Give the new one a name of its own.")
    base = locate_release(settings, add_to) if add_to is not None else None
    if base is not None and wish.kind in base.networks:
        raise ModelRefused(
            f"The release {base.model_id} has a network {wish.kind} already.",
            next_step="Import it into a release of its own, or add it to one without such a network.",
        )
    settings.models.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=settings.models))
    try:
        imported = import_file(file, wish, scratch=unfinished, expected_sha256=expected_sha256, limits=limits)
        told = _combined(base, description, wish)
        save_release(
            unfinished,
            {wish.kind: imported.network},
            model_id=name,
            trained_on_synthetic=told.trained_on_synthetic,
            training_data=told.training_data,
            intended_use=told.intended_use,
            licence=told.licence,
            metrics=base.metrics if base else None,
            base=base,
            sources={wish.kind: imported.source},
        )
        unfinished.rename(final)
    except WeightsRefused as refusal:
        raise ModelRefused(
            f"The weights were refused: {refusal}.", next_step="See docs/weights.md, What is refused."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"The release could not be written below FAHR_HOME/models ({error.strerror}).",
            next_step="Free some disk, or mend the folder's rights, and import again.",
        ) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return ModelRelease.load(final)


def _combined(base: ModelRelease | None, new: Description, wish: Wish) -> Description:
    """What the new release says of itself: of its older networks what was said of them, of the new one what is said."""
    if base is None:
        return new
    older = " and ".join(sorted(base.networks))
    return Description(
        training_data=f"{older}: {base.training_data}; {wish.kind}: {new.training_data}",
        licence=base.licence if base.licence == new.licence else f"{older}: {base.licence}; {wish.kind}: {new.licence}",
        intended_use=new.intended_use,
        trained_on_synthetic=base.trained_on_synthetic or new.trained_on_synthetic,
    )

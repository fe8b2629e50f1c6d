"""Which model release scores, and where releases live: shipped, under FAHR_HOME/models, or at a path.

`FAHR_MODEL` decides where it is set; else the last promotion; else the release that ships. Whatever scores, analyses or
loads a model asks here. A release that is registered, trained or imported, but not promoted, scores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from jobs.errors import ModelRefused
from jobs.settings import Settings
from model.errors import WeightsRefused
from model.release import ModelRelease, find_release

DEFAULT_MODEL = "fahr-demo-1"
"""Ships with the product. Trained on drawn faces."""

_RESTORE = "Restore the release from its archive, or promote another one: see docs/weights.md."


@dataclass(frozen=True)
class Choice:
    """The release that scores, and what decided so."""

    model: str
    """Its name, or its path where FAHR_MODEL gives one."""
    decided_by: str
    """FAHR_MODEL, promotion or default."""
    weights_sha256: str | None = None
    """What its weights were when it was promoted."""


def chosen_model(settings: Settings, connection: Connection) -> Choice:
    """Which release is to score."""
    if settings.model is not None:
        return Choice(settings.model, "FAHR_MODEL")
    promoted = connection.execute(_LAST_PROMOTION).first()
    if promoted is not None:
        return Choice(promoted.model_id, "promotion", promoted.weights_sha256)
    return Choice(DEFAULT_MODEL, "default")


_LAST_PROMOTION = text(
    "SELECT model_id, weights_sha256 FROM fahr.model_promotion_v1 ORDER BY promotion_id DESC LIMIT 1"
)


def current_release(settings: Settings, engine: Engine) -> ModelRelease:
    """The release that is to score, its weights checked against its manifest and its promotion.

    Raises:
        ModelRefused: it is missing, altered, does not fit, or has no FaceAge network.
    """
    with engine.connect() as connection:
        choice = chosen_model(settings, connection)
    release = locate_release(settings, choice.model)
    if choice.weights_sha256 not in (None, release.weights_sha256):
        raise ModelRefused(
            f"The model {release.model_id} does not have the weights it had when it was promoted.", next_step=_RESTORE
        )
    require_scoring(release)
    return release


def locate_release(settings: Settings, name_or_path: str, *, verify: bool = True) -> ModelRelease:
    """A release by its name or its folder's path; with `verify`, every file compared with its SHA-256.

    Raises:
        ModelRefused: it is missing, altered, or under FAHR_HOME/models in a folder of another name.
    """
    try:
        release = find_release(name_or_path, folders=[settings.models], verify=verify)
    except WeightsRefused as error:
        next_step = "Check FAHR_MODEL, or restore the release" if settings.model == name_or_path else "Check the name"
        raise ModelRefused(f"{error}.", next_step=f"{next_step}; `fahr weights list` shows what there is.") from None
    if release.folder.parent == settings.models and release.folder.name != release.model_id:
        raise ModelRefused(
            f"The release {release.model_id} stands in a folder of another name, {release.folder.name}.",
            next_step="Rename the folder after the release.",
        )
    return release


def require_scoring(release: ModelRelease) -> None:
    """Refuse to score with a release that lacks a FaceAge network.

    Raises:
        ModelRefused: it does.
    """
    if "age" not in release.networks:
        raise ModelRefused(
            f"The model {release.model_id} holds {' and '.join(sorted(release.networks))} and no age network:"
            " it cannot score.",
            next_step="Train or import its FaceAge network (`fahr train age`, `fahr weights import --add-to`).",
        )


def scored_model_id(connection: Connection) -> str | None:
    """The release whose scores the views call current: the one that scored last, or was promoted again since."""
    return connection.execute(text("SELECT model_id FROM fahr.model_version_v1 WHERE is_current")).scalar()


def retire_others(connection: Connection, release: ModelRelease) -> None:
    """No other release is the current one, until the transaction ends; the caller makes this one so.

    Raises nothing of its own. The lock keeps a promotion and a night that ends from making one current each.
    """
    connection.execute(text("LOCK TABLE fahr.model_version_v1 IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(
        text(
            "UPDATE fahr.model_version_v1 SET is_current = false, archive_scored = false WHERE is_current"
            " AND (model_id, preprocessing_id) <> (:model_id, :preprocessing_id)"
        ),
        {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id},
    )

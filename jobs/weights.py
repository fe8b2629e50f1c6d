"""The model releases of a hospital: listed, shown, promoted.

A release scores only after it was promoted. To go back, promote the earlier release again: its scores still stand.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Connection, Engine, Row, text

from jobs import audit
from jobs.errors import ModelRefused
from jobs.releases import chosen_model, locate_release, require_scoring, retire_others
from jobs.runs import recorded_run
from jobs.settings import Settings
from model.manifest import MANIFEST, NetworkFile
from model.release import SHIPPED_RELEASES, ModelRelease

log = logging.getLogger("fahr.weights")


@dataclass(frozen=True)
class ListedRelease:
    """One release as a list shows it."""

    name: str
    networks: tuple[str, ...]
    trained_on_synthetic: bool | None
    """None where the release was refused."""
    weights_sha256: str | None
    place: str
    """shipped, hospital, or path."""
    state: str
    """What it does now, or did; why it is refused where it is."""


def list_releases(settings: Settings, engine: Engine) -> list[ListedRelease]:
    """Every release that ships or stands under FAHR_HOME/models, and the one a path in FAHR_MODEL names.

    Manifests are read, files are not compared with their SHA-256: `show_release` and `promote` do that.
    """
    with engine.connect() as connection:
        choice = chosen_model(settings, connection)
        promotions = {row.model_id: row.last for row in connection.execute(_LAST_PROMOTION_OF_EACH)}
    places = {"shipped": SHIPPED_RELEASES, "hospital": settings.models}
    names = [
        (folder.name, place)
        for place, parent in places.items()
        if parent.is_dir()
        for folder in sorted(parent.iterdir())
        if (folder / MANIFEST).is_file() and not folder.name.startswith(".")
    ]
    if choice.model not in {name for name, _ in names}:
        names.append((choice.model, "path" if "/" in choice.model else "hospital"))
    listed = []
    for name, place in names:
        state = f"promoted on {promotions[name]:%Y-%m-%d}, then another" if name in promotions else "registered"
        if name == choice.model:
            state = f"scores ({_BECAUSE[choice.decided_by]})"
        elif place == "shipped" and name not in promotions:
            state = ""
        listed.append(_listed(settings, name, place, state))
    return listed


_BECAUSE = {"FAHR_MODEL": "FAHR_MODEL names it", "promotion": "promoted", "default": "nothing was promoted"}
_LAST_PROMOTION_OF_EACH = text(
    "SELECT model_id, max(promoted_at) AS last FROM fahr.model_promotion_v1 GROUP BY model_id"
)


def _listed(settings: Settings, name: str, place: str, state: str) -> ListedRelease:
    try:
        release = locate_release(settings, name, verify=False)
    except ModelRefused as refusal:
        return ListedRelease(name, (), None, None, place, f"refused: {refusal}")
    networks = tuple(sorted(release.networks))
    return ListedRelease(name, networks, release.trained_on_synthetic, release.weights_sha256, place, state)


def show_release(settings: Settings, engine: Engine, model: str) -> list[tuple[str, str]]:
    """What a release says of itself, and what happened to it here, as (heading, text); its files are compared.

    Raises:
        ModelRefused: it is missing or altered.
    """
    release = locate_release(settings, model)
    facts = [
        ("model", release.model_id),
        ("trained on", release.training_data + (" (drawn faces or synthetic patients)" * release.trained_on_synthetic)),
        ("intended use", release.intended_use),
        ("licence", release.licence),
        ("input", release.input_id),
        ("preprocessing in training", release.trained_with_preprocessing_id),
        ("preprocessing now", release.preprocessing_id),
        ("SHA-256 of the weights", release.weights_sha256),
    ]
    for name, entry in sorted(release.networks.items()):
        facts.append((f"network {name}", _network(entry)))
    facts += [(f"metric {name}", json.dumps(value)) for name, value in sorted(release.metrics.items())]
    with engine.connect() as connection:
        facts += _history(connection, release)
    return facts


def _network(entry: NetworkFile) -> str:
    config, source = entry.config, entry.source
    shape = f"{config.layers} layers, width {config.hidden_size}, {config.heads} heads, MLP {config.mlp_size}"
    shape += f", patches of {config.patch_px} px, {config.image_px} px; {entry.file}, SHA-256 {entry.sha256}"
    if source.origin == "trained":
        return f"{shape}; trained by this product"
    return "; ".join(
        [shape, f"imported from a file in {source.layout} layout, SHA-256 {source.file_sha256}", *source.notes]
    )


def _history(connection: Connection, release: ModelRelease) -> list[tuple[str, str]]:
    """When it scored first, and every promotion of it."""
    scored = connection.execute(
        text(
            "SELECT registered_on, is_current FROM fahr.model_version_v1"
            " WHERE (model_id, preprocessing_id) = (:model_id, :preprocessing_id)"
        ),
        {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id},
    ).first()
    told = "not yet" if scored is None else f"since {scored.registered_on}"
    if scored is not None and scored.is_current:
        told += "; its scores are the current ones"
    return [
        ("scored here", told),
        *(("promoted", _promotion(row)) for row in _promotions(connection, release.model_id)),
    ]


def _promotions(connection: Connection, model_id: str) -> Sequence[Row[tuple]]:
    return connection.execute(
        text("SELECT * FROM fahr.model_promotion WHERE model_id = :model_id ORDER BY promotion_id"),
        {"model_id": model_id},
    ).all()


def _promotion(row: Row[tuple]) -> str:
    told = [f"{row.promoted_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {row.promoted_by}"]
    told += [row.reason] * bool(row.reason) + ["holds"] * row.holds
    return "; ".join(told)


def promote(
    settings: Settings, engine: Engine, *, model: str, reason: str | None = None, day: date | None = None
) -> ModelRelease | None:
    """Let a release score from now on; the next night scores every accepted photo it has not scored.

    Scores of other releases stay. Where this one scored here before, its scores are the current ones at once.

    Args:
        settings: where releases live.
        engine: the warehouse, as the loader.
        model: name of a release that ships or stands under FAHR_HOME/models.
        reason: why, for the record.
        day: the run's date; None is today, UTC.

    Returns:
        The release; None where it is the promoted one already.

    Raises:
        ModelRefused: it is missing, altered, has no FaceAge network, lies elsewhere, or was known here with other
            weights under this name.
        LockHeld: another promotion is at work.
    """
    release = locate_release(settings, model)
    require_scoring(release)
    if release.folder.resolve().parent not in (SHIPPED_RELEASES.resolve(), settings.models.resolve()):
        raise ModelRefused(
            "Only a release that ships or stands under FAHR_HOME/models can be promoted: nights must find it by name.",
            next_step=f"Copy its folder to FAHR_HOME/models/{release.model_id}.",
        )
    day = day or datetime.now(UTC).date()
    with recorded_run(engine, stage="promote", logical_date=day, lock="promote", model_id=release.model_id) as run:
        with engine.connect() as connection:
            _refuse_known_with_other_weights(connection, release)
            holds = connection.execute(text("SELECT model_id FROM fahr.model_promotion WHERE holds")).scalar()
        if holds == release.model_id:
            run.nothing_to_do()
            return None
        run.counts = {"promoted": 1}
        with run.publish() as connection:
            connection.execute(
                text(
                    "INSERT INTO fahr.model_promotion_v1 (model_id, weights_sha256, reason, run_id)"
                    " VALUES (:model_id, :weights_sha256, :reason, :run_id)"
                ),
                {
                    "model_id": release.model_id,
                    "weights_sha256": release.weights_sha256,
                    "reason": reason,
                    "run_id": run.run_id,
                },
            )
            if settings.model is None:
                _make_current(connection, release)
            audit.record(connection, action="promotion", subject=release.model_id, run_id=run.run_id)
    return release


def _refuse_known_with_other_weights(connection: Connection, release: ModelRelease) -> None:
    others = connection.execute(
        text(
            "SELECT weights_sha256 FROM fahr.model_version_v1 WHERE model_id = :model_id"
            " UNION SELECT weights_sha256 FROM fahr.model_promotion_v1 WHERE model_id = :model_id"
        ),
        {"model_id": release.model_id},
    ).scalars()
    if set(others) - {release.weights_sha256}:
        raise ModelRefused(
            f"The model {release.model_id} scored or was promoted here before with other weights.",
            next_step="Give the new release a name of its own, or restore the old weights.",
        )


def _make_current(connection: Connection, release: ModelRelease) -> None:
    """Where the release scored here before, its scores are the current ones again."""
    key = {"model_id": release.model_id, "preprocessing_id": release.preprocessing_id}
    where = "WHERE (model_id, preprocessing_id) = (:model_id, :preprocessing_id)"
    if connection.execute(text(f"SELECT 1 FROM fahr.model_version_v1 {where}"), key).first() is not None:
        retire_others(connection, release)
        connection.execute(text(f"UPDATE fahr.model_version_v1 SET is_current = true {where}"), key)

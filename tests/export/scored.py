"""Scores of landed photos, as a night would have published them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import Engine, text


def score_photos(engine: Engine, run_id: uuid.UUID, *, unscored: Sequence[int] = ()) -> None:
    """Accept every photo of the ledger that was landed, and score it by a new current model, but for some."""
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO fahr.model_version_v1 (
                    model_id, preprocessing_id, weights_sha256, trained_on_synthetic, training_data, licence,
                    intended_use, metrics, registered_on, is_current, run_id
                ) VALUES ('new-2', 'p1', 'w', true, 'drawn', 'x', 'tests', '{}', '2026-03-01', true, :run_id)
            """),
            {"run_id": run_id},
        )
        connection.execute(
            text("""
                INSERT INTO fahr.validation_v1 (photo_id, content_sha256, accepted, failed_rules, decided_on, run_id)
                SELECT photo_id, content_sha256, true, '{}', '2026-03-01', :run_id
                FROM fahr.photo_v1 WHERE content_sha256 IS NOT NULL
            """),
            {"run_id": run_id},
        )
        connection.execute(
            text("""
                INSERT INTO fahr.face_score_v1
                SELECT content_sha256, 'new-2', 'p1', 61.25, -0.5, 0.99, 300, 120, :weights, '1', '2026-03-01', :run_id
                FROM fahr.photo_v1 WHERE content_sha256 IS NOT NULL AND photo_id <> ALL(:unscored)
            """),
            {"run_id": run_id, "weights": "ab" * 32, "unscored": list(unscored)},
        )

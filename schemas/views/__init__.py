"""The views, in the order in which they can be created: each may read those before it."""

from __future__ import annotations

VIEWS: tuple[str, ...] = (
    "reason_code",
    "run",
    "model_version",
    "model_promotion",
    "face_score",
    "session_score",
    "face_aging_rate",
    "training_set",
    "training_photo",
    "model_training",
    "out_of_fold_score",
    "face_score_unseen",
    "session_score_unseen",
    "coverage",
    "quarantine",
    "latest_analysis",
    "cohort_member",
    "risk_model",
    "risk_coefficient",
    "survival_curve",
    "patient_risk",
    "evaluation",
    "evaluation_metric",
    "researcher_coverage",
    "researcher_face_age",
    "researcher_survival_curve",
    "researcher_evaluation_metric",
)

FUNCTIONS: tuple[str, ...] = ("age_at_photo(bigint)", "face_age_by_decade()")
"""The functions that views call."""

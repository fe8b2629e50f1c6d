"""What staged scores must be to be published: every rule must hold, or nothing is published.

The rules judge `STAGED_QUERY`: the staged rows, each with what the warehouse knows of its run, model, reason and photo.
"""

from __future__ import annotations

from schemas.reasons import REASONS
from schemas.rules import Aggregate, Between, InSet, NotNull, Predicate, RowCount, Rule, Suite, Unique

STAGED_QUERY = """
SELECT staged.*,
       model.weights_sha256 AS registered_weights,
       reason.permanent,
       CAST(run.counts ->> 'pending' AS bigint) AS counted,
       CAST(run.counts ->> 'scored' AS bigint) AS counted_scored,
       CAST(run.counts ->> 'rejected' AS bigint) AS counted_rejected,
       CAST(run.counts ->> 'failed' AS bigint) AS counted_failed,
       EXISTS (
           SELECT 1 FROM fahr.validation_v1 AS decision
           WHERE decision.content_sha256 = staged.content_sha256 AND decision.accepted
       ) OR EXISTS (
           SELECT 1 FROM fahr.loose_content_v1 AS loose WHERE loose.content_sha256 = staged.content_sha256
       ) AS was_accepted
FROM fahr_stage.face_score AS staged
LEFT JOIN fahr.run_v1 AS run ON run.run_id = staged.run_id
LEFT JOIN fahr.model_version_v1 AS model
       ON model.model_id = staged.model_id AND model.preprocessing_id = staged.preprocessing_id
LEFT JOIN fahr.reason_code_v1 AS reason ON reason.reason_code = staged.reason_code
""".strip()

_SCORED = "face_age_years IS NOT NULL OR face_survival_log_risk IS NOT NULL"
_FACE = "detection_probability IS NOT NULL AND face_width_px IS NOT NULL AND sharpness IS NOT NULL"

STAGED = Suite(
    "staged_scores",
    (
        Rule("complete", RowCount(equals="counted"), "There are as many rows as the scoring runs counted."),
        Rule(
            "complete_by_run",
            Aggregate("count(*) = counted", by=("run_id", "counted")),
            "Each scoring run has as many rows as it counted.",
        ),
        Rule(
            "scored_as_counted",
            Aggregate("count(*) FILTER (WHERE reason_code IS NULL) = counted_scored", by=("run_id", "counted_scored")),
            "Each scoring run has as many scores as it counted.",
        ),
        Rule(
            "rejected_as_counted",
            Aggregate("count(*) FILTER (WHERE permanent) = counted_rejected", by=("run_id", "counted_rejected")),
            "Each scoring run has as many photos that cannot be scored as it counted.",
        ),
        Rule(
            "failed_as_counted",
            Aggregate("count(*) FILTER (WHERE NOT permanent) = counted_failed", by=("run_id", "counted_failed")),
            "Each scoring run has as many photos to try again as it counted.",
        ),
        Rule(
            "each_content_once",
            Unique(("run_id", "content_sha256", "model_id", "preprocessing_id")),
            "A scoring run scored no content twice.",
        ),
        Rule("content_named", Predicate("length(content_sha256) = 64"), "Every row names the content it is of."),
        Rule(
            "content_accepted",
            Predicate("was_accepted"),
            "Every content is that of an accepted photo, or was until a photo gave it up.",
        ),
        Rule("code_named", NotNull("code_version"), "Every row names the version that scored it."),
        Rule(
            "model_registered",
            Predicate("weights_sha256 = registered_weights"),
            "Every row is by a registered model with the weights that were registered.",
        ),
        Rule("age_in_range", Between("face_age_years", -20, 150), "FaceAge lies between -20 and 150 years."),
        Rule(
            "risk_in_range",
            Between("face_survival_log_risk", above=-100, below=100),
            "FaceSurvival lies between -100 and 100 on the log scale.",
        ),
        Rule("probability_in_range", Between("detection_probability", 0, 1), "A probability lies between 0 and 1."),
        Rule("width_positive", Between("face_width_px", above=0), "A face is wider than nothing."),
        Rule("sharpness_in_range", Between("sharpness", 0, 1_000_000_000), "Sharpness is a finite variance."),
        Rule(
            "known_reason",
            InSet("reason_code", tuple(reason.code for reason in REASONS if reason.stage == "score")),
            "A reason is one that scoring may give.",
        ),
        Rule(
            "score_or_reason",
            Predicate(f"(reason_code IS NULL) = ({_SCORED})"),
            "Every row has either a score or a reason why there is none.",
        ),
        Rule(
            "score_with_face", Predicate(f"reason_code IS NOT NULL OR {_FACE}"), "Every score tells the face it is of."
        ),
    ),
    key="run_id",
)
"""The rules of what a publish is about to publish."""

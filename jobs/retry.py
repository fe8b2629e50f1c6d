"""Retry by reason: photos that would wait for other bytes or another model are tried again because somebody asks."""

from __future__ import annotations

from sqlalchemy import Engine, text

from jobs import audit
from jobs.errors import UsageError
from schemas.reasons import BY_CODE

NEVER_RETRIED = frozenset({"opted_out"})
"""Follows `hospital.opt_out` alone: a refusal that is taken back is noticed by itself."""


def mark_for_retry(engine: Engine, reason_code: str) -> int:
    """Let the next night try every photo again that stands in coverage with this reason; returns how many.

    A reason that pulling or validating gave has the photo read again from its source, with the patient and the date
    that its source tells now; a reason that scoring gave has the same bytes scored again.

    Raises:
        UsageError: there is no such reason, or it cannot be retried.
    """
    reason = BY_CODE.get(reason_code)
    if reason is None or reason_code in NEVER_RETRIED:
        raise UsageError(
            f"The reason {reason_code} cannot be retried.",
            next_step="SELECT reason_code, count(*) FROM fahr.coverage GROUP BY 1 tells the reasons there are.",
        )
    scored_again = reason.stage == "score" and reason_code != "bytes_purged"
    with engine.begin() as connection:
        marked = connection.execute(
            _SCORE_AGAIN if scored_again else _PULL_AGAIN, {"reason_code": reason_code}
        ).rowcount
        audit.record(connection, action="retry", subject=reason_code, counts={"photos": marked})
    return marked


_PULL_AGAIN = text(
    "UPDATE fahr.photo_v1 AS photo SET pull_again = true FROM fahr.coverage"
    " WHERE coverage.reason_code = :reason_code AND photo.photo_id = coverage.photo_id"
)
_SCORE_AGAIN = text(
    """
    UPDATE fahr.score_failure_v1 AS failure SET try_again = true
    FROM fahr.model_version_v1 AS model
    WHERE model.is_current AND failure.reason_code = :reason_code
      AND (failure.model_id, failure.preprocessing_id) = (model.model_id, model.preprocessing_id)
    """
)

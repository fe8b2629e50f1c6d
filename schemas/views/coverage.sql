CREATE OR REPLACE VIEW fahr.coverage AS
SELECT
    photo.photo_id,
    photo.source,
    photo.person_id,
    photo.captured_at::date AS captured_on,
    CASE
        WHEN score.content_sha256 IS NOT NULL AND decision.accepted THEN 'scored'
        WHEN reason.permanent THEN 'quarantined'
        WHEN NOT reason.permanent THEN 'failed'
        ELSE 'waiting'
    END AS status,
    CASE
        WHEN photo.reason_code IS NOT NULL THEN 'pull'
        WHEN decision.accepted THEN 'score'
        ELSE 'validate'
    END AS stage,
    reason.reason_code,
    reason.permanent,
    CASE
        WHEN photo.reason_code IS NOT NULL THEN coalesce(photo.first_failed_on, photo.first_seen_on)
        WHEN NOT decision.accepted THEN decision.decided_on
        WHEN decision.accepted AND score.content_sha256 IS NOT NULL THEN score.scored_on
        WHEN decision.accepted AND failure.reason_code IS NOT NULL THEN failure.first_failed_on
        WHEN decision.accepted THEN greatest(decision.decided_on, photo.bytes_purged_on, model.registered_on)
        ELSE photo.last_tried_on
    END AS since,
    CASE
        WHEN photo.reason_code IS NOT NULL THEN photo.tries
        WHEN score.content_sha256 IS NULL THEN failure.tries
    END AS tries,
    model.model_id,
    photo.first_seen_on,
    CASE
        WHEN photo.reason_code IS NOT NULL THEN photo.last_tried_on
        WHEN NOT decision.accepted THEN decision.decided_on
        WHEN decision.accepted AND score.content_sha256 IS NULL THEN failure.last_failed_on
    END AS last_tried_on,
    photo.pull_again OR coalesce(failure.try_again, false) AS retry_asked
FROM fahr.photo_v1 AS photo
LEFT JOIN fahr.model_version_v1 AS model ON model.is_current
LEFT JOIN fahr.validation_v1 AS decision USING (photo_id, content_sha256)
LEFT JOIN fahr.face_score_v1 AS score USING (content_sha256, model_id, preprocessing_id)
LEFT JOIN fahr.score_failure_v1 AS failure USING (content_sha256, model_id, preprocessing_id)
LEFT JOIN fahr.reason_code_v1 AS reason
    ON reason.reason_code = coalesce(
        photo.reason_code,
        decision.reason_code,
        CASE
            WHEN NOT decision.accepted OR score.content_sha256 IS NOT NULL THEN NULL
            WHEN failure.reason_code IS NULL AND decision.accepted AND photo.bytes_purged_on IS NOT NULL
            THEN 'bytes_purged'
            WHEN decision.accepted THEN failure.reason_code
        END
    );
COMMENT ON VIEW fahr.coverage IS 'Exactly one row for each photo a source ever listed: scored by the current model, and if not, why not.';
COMMENT ON COLUMN fahr.coverage.photo_id IS 'Our own number of the photo.';
COMMENT ON COLUMN fahr.coverage.captured_on IS 'Day the photo was taken; null where unknown.';
COMMENT ON COLUMN fahr.coverage.status IS 'scored; quarantined (a permanent reason); failed (a transient reason, tried again on later nights); waiting (its next stage has not run yet).';
COMMENT ON COLUMN fahr.coverage.stage IS 'How far it came: the stage that scored it, refused it, failed on it, or that it waits for.';
COMMENT ON COLUMN fahr.coverage.reason_code IS 'Why it has no score; null where it has one or waits.';
COMMENT ON COLUMN fahr.coverage.since IS 'Night since which this is so: first scored by this model, first refused, first failed, or waiting since.';
COMMENT ON COLUMN fahr.coverage.last_tried_on IS 'Last night on which the failing or refusing stage tried; null where it is scored or waits.';
COMMENT ON COLUMN fahr.coverage.retry_asked IS 'True: the next night tries again because somebody asked (fahr nightly --retry).';
COMMENT ON COLUMN fahr.coverage.tries IS 'Nights on which the failing stage was tried; null where no try failed.';
COMMENT ON COLUMN fahr.coverage.model_id IS 'The current model, for which this row speaks; null before the first scoring.';

CREATE OR REPLACE VIEW fahr.model_promotion AS
SELECT
    promotion_id, model_id, weights_sha256, promoted_at, promoted_by, reason,
    promotion_id = max(promotion_id) OVER () AS holds,
    run_id
FROM fahr.model_promotion_v1;
COMMENT ON VIEW fahr.model_promotion IS 'Every decision that a model release shall score from now on; the last one holds, unless FAHR_MODEL names another release.';
COMMENT ON COLUMN fahr.model_promotion.holds IS 'True for the last decision.';

-- The stages that training, evaluation and the choice of a model add to the ledger of runs.
ALTER TABLE fahr.run_v1 DROP CONSTRAINT run_v1_stage_check;
ALTER TABLE fahr.run_v1 ADD CONSTRAINT run_v1_stage_check
    CHECK (stage IN ('pull', 'validate', 'score', 'publish', 'risk', 'dataset', 'train', 'evaluate', 'promote'));
COMMENT ON COLUMN fahr.run_v1.stage IS 'pull, validate, score, publish, risk, dataset, train, evaluate or promote.';

-- Which release scores: the last promotion decides, unless FAHR_MODEL names a release.
CREATE TABLE fahr.model_promotion_v1 (
    promotion_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id        text NOT NULL,
    weights_sha256  text NOT NULL CHECK (weights_sha256 ~ '^[0-9a-f]{64}$'),
    promoted_at     timestamptz NOT NULL DEFAULT now(),
    promoted_by     text NOT NULL DEFAULT session_user,
    reason          text,
    run_id          uuid NOT NULL REFERENCES fahr.run_v1
);
COMMENT ON TABLE fahr.model_promotion_v1 IS 'Every decision that a model release shall score from now on; the last one holds. Rows are added, never changed.';
COMMENT ON COLUMN fahr.model_promotion_v1.promotion_id IS 'Counts the decisions.';
COMMENT ON COLUMN fahr.model_promotion_v1.model_id IS 'Model release.';
COMMENT ON COLUMN fahr.model_promotion_v1.weights_sha256 IS 'SHA-256 over the weights of the release when it was promoted; other weights under this name are refused.';
COMMENT ON COLUMN fahr.model_promotion_v1.promoted_at IS 'When.';
COMMENT ON COLUMN fahr.model_promotion_v1.promoted_by IS 'Login of the warehouse that promoted it.';
COMMENT ON COLUMN fahr.model_promotion_v1.reason IS 'Why, in the words of who promoted it; null where nothing was said.';
COMMENT ON COLUMN fahr.model_promotion_v1.run_id IS 'Run that promoted it.';

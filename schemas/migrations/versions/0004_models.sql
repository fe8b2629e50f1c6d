-- The stages that training, evaluation and the choice of a model add to the ledger of runs.
ALTER TABLE fahr.run_v1 DROP CONSTRAINT run_v1_stage_check;
ALTER TABLE fahr.run_v1 ADD CONSTRAINT run_v1_stage_check
    CHECK (stage IN ('pull', 'validate', 'score', 'publish', 'risk', 'dataset', 'train', 'evaluate', 'promote'));
COMMENT ON COLUMN fahr.run_v1.stage IS 'pull, validate, score, publish, risk, dataset, train, evaluate or promote.';

-- Whatever the planner believes of the stage, which is empty whenever statistics are taken, its rows are found by key.
CREATE INDEX ON fahr_stage.face_score (content_sha256, model_id, preprocessing_id);

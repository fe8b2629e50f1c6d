CREATE OR REPLACE VIEW fahr.researcher_coverage WITH (security_barrier = true) AS
SELECT
    status, stage, reason_code,
    (round(count(*) / 5.0) * 5)::bigint AS photos
FROM fahr.coverage
GROUP BY status, stage, reason_code
-- A cell is as small as the persons in it are few. Of whom nobody knows whose they are, each photo counts as a person's.
HAVING count(DISTINCT coalesce(person_id, -photo_id)) >= (SELECT small_cell FROM fahr.schema_state_v1);
COMMENT ON VIEW fahr.researcher_coverage IS 'Photos by what became of them; cells of few persons are left out.';
COMMENT ON COLUMN fahr.researcher_coverage.status IS 'scored, quarantined, failed or waiting, as in fahr.coverage.';
COMMENT ON COLUMN fahr.researcher_coverage.stage IS 'How far they came.';
COMMENT ON COLUMN fahr.researcher_coverage.reason_code IS 'Why they have no score.';
COMMENT ON COLUMN fahr.researcher_coverage.photos IS 'Photos, rounded to five so that a cell left out cannot be found by subtraction.';

-- Who is left out at the steps and who remains at the end add up to who was there at first. Beside a small count the next
-- smallest are hidden, as in fahr.hidden_cell, and all that is told of the steps between; where no other count is there to
-- hide it, nor is the number at first.
CREATE OR REPLACE VIEW fahr.researcher_risk_flow WITH (security_barrier = true) AS
WITH cell AS (
    SELECT analysis_id, step, left_out AS persons, false AS is_end FROM fahr.risk_flow_v1 WHERE left_out > 0
    UNION ALL
    (
        SELECT DISTINCT ON (analysis_id) analysis_id, step, remaining, true
        FROM fahr.risk_flow_v1 ORDER BY analysis_id, step DESC
    )
),
ranked AS (
    SELECT
        cell.*, small_cell, persons < small_cell AS is_small,
        bool_or(persons > 0 AND persons < small_cell) OVER (PARTITION BY analysis_id) AS has_small,
        count(*) OVER before AS cells_before,
        sum(persons) OVER before AS persons_before
    FROM cell CROSS JOIN fahr.schema_state_v1
    WINDOW before AS (
        PARTITION BY analysis_id ORDER BY persons < small_cell DESC, is_end, persons, step
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
hidden AS (
    SELECT analysis_id, step, persons, is_end, small_cell FROM ranked
    WHERE has_small AND (is_small OR (NOT is_end AND (cells_before < 2 OR persons_before < small_cell)))
),
analysis AS (
    SELECT
        flow.analysis_id, min(flow.step) AS first_step, max(flow.step) AS last_step,
        (SELECT count(*) > 0 FROM hidden WHERE hidden.analysis_id = flow.analysis_id) AS hides,
        (
            SELECT count(*) > 1 AND sum(persons) >= min(small_cell) FROM hidden
            WHERE hidden.analysis_id = flow.analysis_id
        ) AS is_safe
    FROM fahr.risk_flow_v1 AS flow
    GROUP BY flow.analysis_id
)
SELECT
    flow.analysis_id, flow.cohort, flow.is_latest, flow.step, flow.reason, flow.label,
    CASE
        WHEN NOT EXISTS (
            SELECT FROM hidden
            WHERE (hidden.analysis_id, hidden.step) = (flow.analysis_id, flow.step) AND NOT hidden.is_end
        )
        THEN (round(flow.left_out / 5.0) * 5)::integer
    END AS left_out,
    CASE
        WHEN flow.remaining BETWEEN 1 AND state.small_cell - 1 THEN NULL
        WHEN flow.step = analysis.last_step OR NOT analysis.hides OR (analysis.is_safe AND flow.step = analysis.first_step)
        THEN (round(flow.remaining / 5.0) * 5)::integer
    END AS remaining
FROM fahr.risk_flow AS flow
JOIN analysis USING (analysis_id)
CROSS JOIN fahr.schema_state_v1 AS state;
COMMENT ON VIEW fahr.researcher_risk_flow IS 'The flow of each cohort; small counts are null, and others from which they would follow.';
COMMENT ON COLUMN fahr.researcher_risk_flow.analysis_id IS 'fahr.risk_model.analysis_id.';
COMMENT ON COLUMN fahr.researcher_risk_flow.cohort IS 'Name of the cohort.';
COMMENT ON COLUMN fahr.researcher_risk_flow.step IS 'Number of the step, in the order in which persons are left out.';
COMMENT ON COLUMN fahr.researcher_risk_flow.left_out IS 'Persons left out at this step, rounded to five; null where few, or where few others would follow from it.';
COMMENT ON COLUMN fahr.researcher_risk_flow.remaining IS 'Persons left after it, rounded to five; null where few, or where few left out would follow from it.';

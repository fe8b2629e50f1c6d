-- Which cells of which margins researchers are not shown. A cell is the counts of one level of a group; the cells of a
-- margin add up to a total that is shown elsewhere, and what the levels lack of the total is a cell without a row.
CREATE OR REPLACE VIEW fahr.hidden_cell WITH (security_barrier = true) AS
WITH counted (source, table_key, split_of, group_name, level, first, second, third, fourth) AS (
    SELECT 'risk_subgroup', jsonb_build_array(analysis_id, model_name, exposure)::text, 'analysis ' || analysis_id,
        group_name, level, persons, events, persons - events, NULL::integer
    FROM fahr.risk_subgroup_v1
    UNION ALL
    SELECT 'risk_performance', jsonb_build_array(analysis_id, model_name, metric, horizon_years)::text,
        'analysis ' || analysis_id, group_name, level, persons, events, persons - events, NULL
    FROM fahr.risk_performance_v1
    UNION ALL
    SELECT 'risk_calibration', jsonb_build_array(analysis_id, model_name, horizon_years)::text,
        'calibration ' || jsonb_build_array(analysis_id, model_name, horizon_years)::text, 'group',
        group_number::text, persons, events, persons - events, NULL
    FROM fahr.risk_calibration_v1
    UNION ALL
    SELECT 'evaluation_metric', jsonb_build_array(evaluation_id, metric)::text, 'evaluation ' || evaluation_id,
        group_name, level, photos, people, events, people - events
    FROM fahr.evaluation_metric_v1
),
part AS (
    SELECT source, table_key, split_of, group_name, level, first, second, third, fourth, false AS has_no_row
    FROM counted
    WHERE (group_name, level) <> ('all', 'all')
    UNION ALL
    SELECT source, table_key, total.split_of, part.group_name, NULL, total.first - sum(part.first),
        total.second - sum(part.second), total.third - sum(part.third), total.fourth - sum(part.fourth), true
    FROM counted AS total
    JOIN counted AS part USING (source, table_key)
    WHERE (total.group_name, total.level) = ('all', 'all') AND (part.group_name, part.level) <> ('all', 'all')
    GROUP BY source, table_key, total.split_of, part.group_name, total.first, total.second, total.third, total.fourth
    HAVING total.first - sum(part.first) > 0
),
judged AS (
    SELECT part.*, small_cell, coalesce(least(first, second, third, fourth) < small_cell, false) AS is_small
    FROM part CROSS JOIN fahr.schema_state_v1
),
ranked AS (
    SELECT
        judged.*,
        bool_or(is_small) OVER margin AS has_small,
        count(*) OVER before AS cells_before,
        least(
            sum(first) OVER before, sum(second) OVER before, sum(third) OVER before, sum(fourth) OVER before
        ) AS least_before
    FROM judged
    WINDOW
        margin AS (PARTITION BY source, table_key, group_name),
        before AS (
            PARTITION BY source, table_key, group_name ORDER BY is_small OR has_no_row DESC, first, level
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        )
),
-- Beside a small cell the next smallest are hidden, until at least two are and none of their sums is small. What one table
-- of an analysis or evaluation hides, all hide: they count the same persons, and one would show what another hides.
hidden AS (
    SELECT split_of, group_name, level, bool_or(is_small) AS is_small
    FROM ranked
    WHERE NOT has_no_row AND has_small AND (is_small OR cells_before < 2 OR least_before < small_cell)
    GROUP BY split_of, group_name, level
)
SELECT source, table_key, group_name, level, hidden.is_small
FROM counted JOIN hidden USING (split_of, group_name, level)
UNION ALL
SELECT source, table_key, group_name, level, true
FROM counted CROSS JOIN fahr.schema_state_v1
WHERE (group_name, level) = ('all', 'all') AND least(first, second, third, fourth) < small_cell;
COMMENT ON VIEW fahr.hidden_cell IS 'Cells of risk tables and evaluations that researchers are not shown: small ones, and those from which small ones would follow by subtraction. For other views alone.';
COMMENT ON COLUMN fahr.hidden_cell.source IS 'Table of the cell.';
COMMENT ON COLUMN fahr.hidden_cell.table_key IS 'Key of its margin''s table of numbers: analysis, model and the like.';
COMMENT ON COLUMN fahr.hidden_cell.group_name IS 'What the cells of the margin are levels of.';
COMMENT ON COLUMN fahr.hidden_cell.level IS 'Level of the cell.';
COMMENT ON COLUMN fahr.hidden_cell.is_small IS 'True: one of its counts, in this table or another of the same persons, is small. False: it is hidden for the sake of others.';

"""The statements that make a CDM hold what is wanted and no more.

What is ours and not wanted goes, what changed is mended in place, what is missing is added. Ours is what carries a
concept of our own; the tables `wanted_series` and `wanted_score` are those of wanted.sql.
"""

from __future__ import annotations

_OUR_SERIES = "procedure.procedure_concept_id = :photography"

DELETES: tuple[tuple[str, str], ...] = (
    (
        "image_feature",
        """
        DELETE FROM image_feature AS feature
        WHERE feature.image_feature_concept_id IN (:face_age, :face_survival) AND NOT EXISTS (
            SELECT FROM image_occurrence AS image
            JOIN wanted_series AS series ON series.series_uid = image.image_series_uid
            JOIN wanted_score AS score ON score.person_id = series.person_id AND score.taken_on = series.taken_on
            WHERE image.image_occurrence_id = feature.image_occurrence_id
                AND CASE score.role WHEN 'face_age' THEN :face_age ELSE :face_survival END
                    = feature.image_feature_concept_id
        )
        """,
    ),
    (
        "image_occurrence",
        f"""
        DELETE FROM image_occurrence AS image USING procedure_occurrence AS procedure
        WHERE procedure.procedure_occurrence_id = image.procedure_occurrence_id AND {_OUR_SERIES}
            AND NOT EXISTS (SELECT FROM wanted_series AS series WHERE series.series_uid = image.image_series_uid)
        """,
    ),
    (
        "procedure_occurrence",
        f"""
        DELETE FROM procedure_occurrence AS procedure
        WHERE {_OUR_SERIES} AND NOT EXISTS (
            SELECT FROM wanted_series AS series
            WHERE series.person_id = procedure.person_id AND series.taken_on = procedure.procedure_date
                AND series.source = procedure.procedure_source_value
        )
        """,
    ),
    (
        "measurement",
        """
        DELETE FROM measurement
        WHERE measurement_concept_id IN (:face_age, :face_survival) AND NOT EXISTS (
            SELECT FROM wanted_score AS score
            WHERE score.person_id = measurement.person_id AND score.taken_on = measurement.measurement_date
                AND CASE score.role WHEN 'face_age' THEN :face_age ELSE :face_survival END
                    = measurement.measurement_concept_id
        )
        """,
    ),
)

_SCORE = """
    SELECT
        person_id, taken_on,
        CASE role WHEN 'face_age' THEN :face_age ELSE :face_survival END AS concept_id,
        CAST(:derived AS integer) AS type_concept_id,
        value,
        CASE role WHEN 'face_age' THEN CAST(:year AS integer) END AS unit_concept_id,
        CASE role WHEN 'face_age' THEN 'a' ELSE '1' END AS unit_source_value,
        left(model_id, 50) AS source_value,
        visit_occurrence_id
    FROM wanted_score
"""

_SERIES = """
    SELECT
        series.*, procedure.procedure_occurrence_id, CAST(:modality AS integer) AS modality_concept_id
    FROM wanted_series AS series
    JOIN procedure_occurrence AS procedure
        ON procedure.person_id = series.person_id AND procedure.procedure_date = series.taken_on
        AND procedure.procedure_source_value = series.source AND procedure.procedure_concept_id = :photography
"""

_FEATURE = """
    SELECT
        image.person_id, image.image_occurrence_id, CAST(:measurement_field AS integer) AS field_concept_id,
        measurement.measurement_id, measurement.measurement_concept_id AS concept_id,
        CAST(:derived AS integer) AS type_concept_id,
        concat_ws('; ', 'fahr ' || series.code_version, 'model ' || series.model_id,
            'weights ' || model.weights_sha256, 'preprocessing ' || series.preprocessing_id) AS alg_system,
        CAST(series.scored_on AS timestamp) AS alg_datetime
    FROM wanted_series AS series
    JOIN image_occurrence AS image ON image.image_series_uid = series.series_uid
    JOIN measurement
        ON measurement.person_id = series.person_id AND measurement.measurement_date = series.taken_on
        AND measurement.measurement_concept_id IN (:face_age, :face_survival)
    JOIN fahr.model_version_v1 AS model
        ON model.model_id = series.model_id AND model.preprocessing_id = series.preprocessing_id
"""


def _upsert(table: str, wanted: str, key: dict[str, str], values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """An update of rows that differ and an insert of rows that are missing.

    Args:
        table: its key column is called as it, with `_id`.
        wanted: a SELECT of the rows that there should be.
        key: column of the table to column of `wanted`: what makes two rows the same.
        values: the other columns, in the same way.
    """
    same = " AND ".join(f"present.{column} = wanted.{source}" for column, source in key.items())
    columns = {**key, **values}
    before = ", ".join(f"present.{column}" for column in values)
    after = ", ".join(f"wanted.{source}" for source in values.values())
    return (
        (
            "changed",
            f"UPDATE {table} AS present SET ({', '.join(values)}) = ROW({after}) FROM ({wanted}) AS wanted"
            f" WHERE {same} AND ({before}) IS DISTINCT FROM ({after})",
        ),
        (
            "added",
            f"INSERT INTO {table} ({table}_id, {', '.join(columns)})"
            f" SELECT highest.id + row_number() OVER (ORDER BY {', '.join(f'wanted.{c}' for c in key.values())}),"
            f" {', '.join(f'wanted.{source}' for source in columns.values())} FROM ({wanted}) AS wanted"
            f" CROSS JOIN (SELECT coalesce(max({table}_id), 0) AS id FROM {table}) AS highest"
            f" WHERE NOT EXISTS (SELECT FROM {table} AS present WHERE {same})",
        ),
    )


UPSERTS: dict[str, tuple[tuple[str, str], ...]] = {
    "measurement": _upsert(
        "measurement",
        _SCORE,
        {"person_id": "person_id", "measurement_date": "taken_on", "measurement_concept_id": "concept_id"},
        {
            "measurement_type_concept_id": "type_concept_id",
            "value_as_number": "value",
            "unit_concept_id": "unit_concept_id",
            "unit_source_value": "unit_source_value",
            "measurement_source_value": "source_value",
            "visit_occurrence_id": "visit_occurrence_id",
        },
    ),
    "procedure_occurrence": _upsert(
        "procedure_occurrence",
        "SELECT *, CAST(:photography AS integer) AS concept_id, CAST(:derived AS integer) AS type_concept_id"
        " FROM wanted_series",
        {
            "person_id": "person_id",
            "procedure_date": "taken_on",
            "procedure_concept_id": "concept_id",
            "procedure_source_value": "source",
        },
        {"procedure_type_concept_id": "type_concept_id", "visit_occurrence_id": "visit_occurrence_id"},
    ),
    "image_occurrence": _upsert(
        "image_occurrence",
        _SERIES,
        {"image_series_uid": "series_uid"},
        {
            "person_id": "person_id",
            "procedure_occurrence_id": "procedure_occurrence_id",
            "visit_occurrence_id": "visit_occurrence_id",
            "image_occurrence_date": "taken_on",
            "image_study_uid": "study_uid",
            "modality_concept_id": "modality_concept_id",
        },
    ),
    "image_feature": _upsert(
        "image_feature",
        _FEATURE,
        {"image_occurrence_id": "image_occurrence_id", "image_feature_concept_id": "concept_id"},
        {
            "person_id": "person_id",
            "image_feature_event_field_concept_id": "field_concept_id",
            "image_feature_event_id": "measurement_id",
            "image_feature_type_concept_id": "type_concept_id",
            "alg_system": "alg_system",
            "alg_datetime": "alg_datetime",
        },
    ),
}
"""By table, in an order in which every foreign key is there already."""

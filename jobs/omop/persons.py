"""Persons of a results schema: copied from the hospital's CDM, as little as its keys need."""

from __future__ import annotations

from sqlalchemy import Connection, text

MARK = "fahr"
"""Stands in person_source_value of a copied person; what stood there may identify a patient, and is not copied."""


def copy_persons(connection: Connection) -> dict[str, int]:
    """Copy everybody who has a score and is not there yet, with the concepts their keys need, and mend copies whose
    originals were corrected; returns how many were added and changed."""
    connection.execute(_CONCEPTS)
    return {
        "changed": connection.execute(_MEND, {"mark": MARK}).rowcount,
        "added": connection.execute(_PERSONS, {"mark": MARK}).rowcount,
    }


def remove_persons(connection: Connection, *, only_unwanted: bool) -> int:
    """Remove copied persons: those of whom nothing is wanted any more, or all."""
    unwanted = " AND NOT EXISTS (SELECT FROM wanted_series AS series WHERE series.person_id = person.person_id)"
    statement = "DELETE FROM person WHERE person_source_value = :mark" + (unwanted if only_unwanted else "")
    return int(connection.execute(text(statement), {"mark": MARK}).rowcount)


_SCORED = """
    SELECT source.* FROM cdm.person AS source
    WHERE EXISTS (
        SELECT FROM fahr.face_score_unseen AS photo
        WHERE photo.person_id = source.person_id AND photo.is_current_model
    ) AND NOT EXISTS (SELECT FROM fahr.refusing_person AS refusing WHERE refusing.person_id = source.person_id)
"""

# The keys between concepts, domains, vocabularies and classes run in a circle, and are checked when a statement ends.
_CONCEPTS = text(f"""
    WITH RECURSIVE scored AS MATERIALIZED ({_SCORED}),
    needed AS (
        SELECT unnest(ARRAY[gender_concept_id, race_concept_id, ethnicity_concept_id, 0]) AS concept_id FROM scored
        UNION
        SELECT related.concept_id
        FROM needed
        JOIN cdm.concept USING (concept_id)
        JOIN cdm.domain USING (domain_id)
        JOIN cdm.vocabulary USING (vocabulary_id)
        JOIN cdm.concept_class USING (concept_class_id)
        CROSS JOIN LATERAL (
            VALUES (domain_concept_id), (vocabulary_concept_id), (concept_class_concept_id)
        ) AS related (concept_id)
    ),
    used AS MATERIALIZED (SELECT concept.* FROM cdm.concept WHERE concept_id IN (SELECT concept_id FROM needed)),
    new_domain AS (
        INSERT INTO domain (domain_id, domain_name, domain_concept_id)
        SELECT domain_id, domain_name, domain_concept_id FROM cdm.domain
        WHERE domain_id IN (SELECT domain_id FROM used)
        ON CONFLICT DO NOTHING
    ),
    new_vocabulary AS (
        INSERT INTO vocabulary (
            vocabulary_id, vocabulary_name, vocabulary_reference, vocabulary_version, vocabulary_concept_id
        )
        SELECT vocabulary_id, vocabulary_name, vocabulary_reference, vocabulary_version, vocabulary_concept_id
        FROM cdm.vocabulary
        WHERE vocabulary_id IN (SELECT vocabulary_id FROM used)
        ON CONFLICT DO NOTHING
    ),
    new_class AS (
        INSERT INTO concept_class (concept_class_id, concept_class_name, concept_class_concept_id)
        SELECT concept_class_id, concept_class_name, concept_class_concept_id FROM cdm.concept_class
        WHERE concept_class_id IN (SELECT concept_class_id FROM used)
        ON CONFLICT DO NOTHING
    )
    INSERT INTO concept (
        concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code,
        valid_start_date, valid_end_date, invalid_reason
    )
    SELECT
        concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code,
        valid_start_date, valid_end_date, invalid_reason
    FROM used
    ON CONFLICT DO NOTHING
""")

_COPIED = ("gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id")
_MEND = text(f"""
    UPDATE person SET {", ".join(f"{column} = scored.{column}" for column in _COPIED)}
    FROM ({_SCORED}) AS scored
    WHERE person.person_id = scored.person_id AND person.person_source_value = :mark
        AND ({", ".join(f"person.{column}" for column in _COPIED)})
            IS DISTINCT FROM ({", ".join(f"scored.{column}" for column in _COPIED)})
""")
_PERSONS = text(f"""
    INSERT INTO person (person_id, {", ".join(_COPIED)}, person_source_value)
    SELECT person_id, {", ".join(_COPIED)}, :mark
    FROM ({_SCORED}) AS scored
    ON CONFLICT DO NOTHING
""")

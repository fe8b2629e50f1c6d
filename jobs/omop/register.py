"""Our concepts in a hospital's vocabulary: registered, found, and taken out again."""

from __future__ import annotations

from sqlalchemy import Connection, text

from jobs.errors import SettingsError
from schemas.written_concepts import WrittenConcepts


def register(connection: Connection, declared: WrittenConcepts) -> None:
    """Put our vocabulary, class, concepts, and domains that are missing, into the tables of the search path.

    The foreign keys between these tables run in a circle. They are checked at the end of a statement: one statement.

    Raises:
        SettingsError: ids are taken by another vocabulary, or our concepts stand under other ids.
    """
    rows = declared.rows()
    ids = [row["concept_id"] for row in rows]
    taken = connection.execute(_TAKEN, {"ids": ids, "vocabulary": declared.vocabulary.id}).one()
    if taken.by_others:
        raise SettingsError(
            f"{taken.by_others} of our concept ids belong to another vocabulary here.",
            next_step="Set FAHR_OMOP_FIRST_CONCEPT_ID to the first of a thousand free ids above 2,000,000,000.",
        )
    if taken.elsewhere:
        raise SettingsError(
            "Our concepts stand in this schema under other ids.",
            next_step="Run `fahr omop remove` with the FAHR_OMOP_FIRST_CONCEPT_ID of before, then write again.",
        )
    connection.execute(
        _REGISTER,
        {
            "ids": ids,
            "names": [row["name"] for row in rows],
            "domains": [row["domain"] for row in rows],
            "codes": [row["code"] for row in rows],
            "vocabulary": declared.vocabulary.id,
            "vocabulary_name": declared.vocabulary.name,
            "vocabulary_concept_id": declared.first_concept_id + declared.vocabulary.number,
            "concept_class": declared.concept_class.id,
            "concept_class_concept_id": declared.first_concept_id + declared.concept_class.number,
            "domain_names": list(declared.domains),
            "domain_ids": [declared.first_concept_id + number for number in declared.domains.values()],
        },
    )


def concepts_to_write(connection: Connection, declared: WrittenConcepts) -> dict[str, int]:
    """Concept id for each role: the standard one, where the vocabulary of the search path has it, else ours."""
    chosen: dict[str, int] = {}
    for role, concept in declared.concepts.items():
        standard = None
        if concept.standard is not None:
            standard = connection.execute(_STANDARD, concept.standard.model_dump()).scalar()
        chosen[role] = declared.id_of(role) if standard is None else int(standard)
    return chosen


def unregister(connection: Connection, declared: WrittenConcepts) -> int:
    """Take our concepts, vocabulary, class and domains out again; returns how many concepts there were."""
    return int(
        connection.execute(
            _UNREGISTER,
            {"vocabulary": declared.vocabulary.id, "concept_class": declared.concept_class.id},
        ).scalar_one()
    )


_TAKEN = text("""
    SELECT
        count(*) FILTER (WHERE concept_id = ANY (:ids) AND vocabulary_id <> :vocabulary) AS by_others,
        count(*) FILTER (WHERE concept_id <> ALL (:ids) AND vocabulary_id = :vocabulary) AS elsewhere
    FROM concept
    WHERE concept_id = ANY (:ids) OR vocabulary_id = :vocabulary
""")

_REGISTER = text("""
    WITH new_domain AS (
        INSERT INTO domain (domain_id, domain_name, domain_concept_id)
        SELECT name, name, id
        FROM unnest(CAST(:domain_names AS text[]), CAST(:domain_ids AS integer[])) AS new (name, id)
        ON CONFLICT DO NOTHING
    ),
    new_vocabulary AS (
        INSERT INTO vocabulary (vocabulary_id, vocabulary_name, vocabulary_concept_id)
        VALUES (:vocabulary, :vocabulary_name, :vocabulary_concept_id)
        ON CONFLICT DO NOTHING
    ),
    new_class AS (
        INSERT INTO concept_class (concept_class_id, concept_class_name, concept_class_concept_id)
        VALUES (:concept_class, :concept_class, :concept_class_concept_id)
        ON CONFLICT DO NOTHING
    )
    INSERT INTO concept (
        concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, concept_code, valid_start_date,
        valid_end_date
    )
    SELECT id, name, domain, :vocabulary, :concept_class, code, '1970-01-01', '2099-12-31'
    FROM unnest(
        CAST(:ids AS integer[]), CAST(:names AS text[]), CAST(:domains AS text[]), CAST(:codes AS text[])
    ) AS new (id, name, domain, code)
    ON CONFLICT DO NOTHING
""")

_STANDARD = text("""
    SELECT concept_id FROM concept
    WHERE vocabulary_id = :vocabulary AND invalid_reason IS NULL
        AND (CAST(:code AS text) IS NULL OR concept_code = :code)
        AND (CAST(:name AS text) IS NULL OR concept_name = :name)
    ORDER BY standard_concept NULLS LAST, concept_id
    LIMIT 1
""")

_UNREGISTER = text("""
    WITH ours AS (SELECT concept_id FROM concept WHERE vocabulary_id = :vocabulary),
    old_domain AS (DELETE FROM domain WHERE domain_concept_id IN (SELECT concept_id FROM ours)),
    old_vocabulary AS (DELETE FROM vocabulary WHERE vocabulary_id = :vocabulary),
    old_class AS (DELETE FROM concept_class WHERE concept_class_id = :concept_class),
    old_concept AS (DELETE FROM concept WHERE vocabulary_id = :vocabulary RETURNING 1)
    SELECT count(*) FROM old_concept
""")

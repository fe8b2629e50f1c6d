"""What can be judged and counted only when every record of a file is there."""

from __future__ import annotations

from sqlalchemy import Connection, text


def mark_repeated(connection: Connection, registry: str) -> None:
    """Give a reason to what stands twice: a record counts once; of a tumour told twice the first account stands."""
    for statement in _REPEATED:
        connection.execute(statement, {"registry": registry})


def count(connection: Connection, registry: str) -> dict[str, int]:
    """Counts of the registry's records: totals, one for each reason, and conflicts about deaths of all registries."""
    counts = dict(connection.execute(_TOTALS, {"registry": registry}).one()._mapping)
    counts |= {row.reason_code: row.records for row in connection.execute(_REASON_COUNTS, {"registry": registry})}
    return counts | {row.conflict: row.persons for row in connection.execute(_CONFLICT_COUNTS)}


_SAME_TUMOUR = """
    registry.record_v1 AS earlier
    WHERE record.registry = :registry AND earlier.registry = record.registry
        AND earlier.record_number < record.record_number AND earlier.mrn = record.mrn
"""

_REPEATED = (
    text(
        "UPDATE registry.record_v1 AS record SET tumour_usable = false, follow_up_usable = false,"
        f" reason_codes = record.reason_codes || '{{record_repeated}}' FROM {_SAME_TUMOUR}"
        " AND earlier.given = record.given"
    ),
    text(
        "UPDATE registry.record_v1 AS record SET tumour_usable = false,"
        f" reason_codes = record.reason_codes || '{{tumour_repeated}}' FROM {_SAME_TUMOUR}"
        " AND earlier.registry_patient IS NOT DISTINCT FROM record.registry_patient"
        " AND earlier.tumour_number = record.tumour_number AND NOT 'record_repeated' = ANY (record.reason_codes)"
    ),
)

_TOTALS = text("""
    SELECT
        count(*) AS records,
        count(DISTINCT map.person_id) AS persons,
        count(*) FILTER (WHERE record.tumour_usable AND map.person_id IS NOT NULL) AS tumours,
        count(DISTINCT map.person_id) FILTER (WHERE record.follow_up_usable) AS followed,
        count(*) FILTER (WHERE record.mrn IS NOT NULL AND map.person_id IS NULL) AS unknown_patient
    FROM registry.record_v1 AS record
    LEFT JOIN fahr.linked_person AS map USING (mrn)
    WHERE record.registry = :registry
""")

_REASON_COUNTS = text("""
    SELECT reason_code, count(*) AS records
    FROM registry.record_v1, unnest(reason_codes) AS reason_code
    WHERE registry = :registry
    GROUP BY reason_code
    ORDER BY reason_code
""")

_CONFLICT_COUNTS = text(
    "SELECT conflict, count(*) AS persons FROM fahr.registry_conflict GROUP BY conflict ORDER BY conflict"
)

"""Cohorts granted to roles and logins, by the owner of the warehouse; every grant and every revocation is audited."""

from __future__ import annotations

from sqlalchemy import Connection, TextClause, text

from jobs import audit
from jobs.errors import UsageError


def grant_cohort(connection: Connection, *, grantee: str, cohort: str) -> bool:
    """Let `grantee` see the persons of `cohort`; returns whether that is new.

    Args:
        connection: a transaction of the owner's.
        grantee: a login, or a role whose members shall all see them.
        cohort: name of a cohort, analysed or not yet.

    Raises:
        UsageError: there is no such role, or it is none of a reader.
    """
    reads = connection.execute(_READS, {"grantee": grantee}).scalar_one_or_none()
    if reads is None:
        raise UsageError(f"The server has no role {grantee}.", next_step="Create it first, or mend the name.")
    if not reads:
        raise UsageError(
            f"{grantee} has the rights neither of fahr_analyst nor of fahr_researcher.",
            next_step=f"GRANT one of them TO {grantee}; a grant of a cohort alone shows nothing.",
        )
    return _write(connection, _GRANT, "cohort_grant", grantee, cohort)


def revoke_cohort(connection: Connection, *, grantee: str, cohort: str) -> bool:
    """Take a cohort back from `grantee`; returns whether it had it."""
    return _write(connection, _REVOKE, "cohort_revoke", grantee, cohort)


def granted_cohorts(connection: Connection) -> list[tuple[str, str]]:
    """Every grant as (cohort, grantee)."""
    rows = connection.execute(text("SELECT cohort, grantee FROM fahr.cohort_grant_v1 ORDER BY cohort, grantee"))
    return [(row.cohort, row.grantee) for row in rows]


_READS = text(
    """
    SELECT pg_has_role(oid, 'fahr_analyst', 'USAGE') OR pg_has_role(oid, 'fahr_researcher', 'USAGE')
    FROM pg_roles WHERE rolname = :grantee
    """
)
_GRANT = text(
    "INSERT INTO fahr.cohort_grant_v1 (grantee, cohort) VALUES (:grantee, :cohort) ON CONFLICT DO NOTHING RETURNING 1"
)
_REVOKE = text("DELETE FROM fahr.cohort_grant_v1 WHERE (grantee, cohort) = (:grantee, :cohort) RETURNING 1")


def _write(connection: Connection, statement: TextClause, action: str, grantee: str, cohort: str) -> bool:
    changed = connection.execute(statement, {"grantee": grantee, "cohort": cohort}).first() is not None
    if changed:
        audit.record(connection, action=action, subject=f"{cohort} to {grantee}")
    return changed

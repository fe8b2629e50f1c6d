from __future__ import annotations

from sqlalchemy import Engine, text


def test_every_schema_table_view_and_column_has_a_comment(owner_engine: Engine) -> None:
    with owner_engine.connect() as connection:
        without = connection.execute(
            text("""
                SELECT namespace.nspname, relation.relname, attribute.attname
                FROM pg_class AS relation
                JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
                JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0
                WHERE namespace.nspname IN ('fahr', 'fahr_stage', 'hospital', 'registry')
                    AND relation.relkind IN ('r', 'v') AND NOT attribute.attisdropped
                    AND (
                        col_description(relation.oid, attribute.attnum) IS NULL
                        OR obj_description(relation.oid, 'pg_class') IS NULL
                        OR obj_description(namespace.oid, 'pg_namespace') IS NULL
                    )
            """)
        ).all()
    assert without == []

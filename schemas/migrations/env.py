"""What alembic runs to migrate: on the connection, and in the transaction, that `jobs.warehouse.migrate` opened."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="fahr")
with context.begin_transaction():
    context.run_migrations()

"""A dump by the owner holds every row, row-level security or not."""

from __future__ import annotations

import subprocess

from jobs.warehouse.server_process import binary


def dump(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [str(binary("pg_dump")), "--data-only", "--table=fahr.cohort_member_v1", "--inserts", *options, url]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def test_the_owners_dump_is_whole_or_fails(small_warehouse, warehouse_url: str) -> None:
    assert dump(warehouse_url).returncode != 0
    whole = dump(warehouse_url, "--enable-row-security")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.count("INSERT INTO fahr.cohort_member_v1") == 160

"""One Spark session a process, whoever asks for it."""

from __future__ import annotations

from pathlib import Path

from jobs.settings import Settings
from jobs.spark import LazySpark


def test_a_block_within_another_leaves_its_session_running(spark: LazySpark, tmp_path: Path) -> None:
    assert spark.session.range(3).count() == 3
    with LazySpark(Settings(home=tmp_path, spark_master="local[2]"), "within") as within:
        assert within.session.range(2).count() == 2
    assert not within.is_started
    assert spark.session.range(3).count() == 3

"""Spark's settings, as data: used by our own sessions and by the DAGs' spark-submit. Imports no Spark."""

from __future__ import annotations

import sys
from pathlib import Path

from jobs.settings import Settings

SCORING_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""glibc's variables for a process that scores: what a batch frees, the next one takes again.

By default glibc gives every array of a network back to the kernel, which clears its pages anew at each use: some 2,000
page faults a face and a tenth to a quarter of the networks' time with ViT-B/16.
"""


def submit_conf(settings: Settings, *, scores: bool = False, release: Path | None = None) -> dict[str, str]:
    """Every Spark setting a job needs, for photos that weigh megabytes each.

    A session that `scores` has a Python daemon that loads the networks once for all its workers: those of the `release`
    in that folder, which the driver chose. Executors never ask the warehouse.

    Batches are kept small in rows (a 12-megapixel photo is some 5 MB) and in bytes, so memory does not grow with the
    night: the Parquet reader hands over 16 rows at a time, and a split holds at most 16 MiB.
    """
    temporary = settings.home / "spark"
    conf = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": settings.spark_memory,
        "spark.executor.memory": settings.spark_memory,
        "spark.local.dir": str(temporary),
        "spark.sql.warehouse.dir": str(temporary / "warehouse"),
        "spark.driver.extraJavaOptions": _java_options(settings),
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "16",
        "spark.sql.parquet.columnarReaderBatchSize": "16",
        "spark.sql.files.maxPartitionBytes": str(16 * 2**20),
        "spark.sql.files.openCostInBytes": "65536",
        "spark.sql.parquet.compression.codec": "uncompressed",
        "spark.hadoop.parquet.block.size": str(16 * 2**20),
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.pyspark.python": sys.executable,
        "spark.python.worker.faulthandler.enabled": "false",
        "spark.task.maxFailures": "4",
    }
    if settings.spark_master.startswith("local"):
        conf |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if scores:
        conf |= {
            "spark.python.daemon.module": "jobs.scoring_daemon",
            "spark.executorEnv.FAHR_SCORE_DEVICE": settings.score_device,
            "spark.executorEnv.FAHR_SCORE_BATCH_SIZE": str(settings.score_batch_size),
        }
        conf |= {f"spark.executorEnv.{name}": value for name, value in SCORING_ALLOCATOR.items()}
    if scores and release is not None:
        conf["spark.executorEnv.FAHR_MODEL"] = str(release)
    return conf


def environment_bin() -> Path:
    """Folder of this environment's programs: python, fahr, airflow, spark-submit."""
    return Path(sys.executable).parent


def _java_options(settings: Settings) -> str:
    """Our log settings; for a local Spark also the quick compiler and collector: its stages last seconds."""
    options = [f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}"]
    if settings.spark_master.startswith("local"):
        options += ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return " ".join(options)

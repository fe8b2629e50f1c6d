"""One run of everything the risk tables hold, in a process of its own, so that its time and memory are nobody else's.

`python -m bench.risk_tables people.parquet result.json here|processes|spark`: what `fahr risk` does but reading and
writing SQL.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from bench.risk_people import FULL, bench_cohort
from jobs.risk.forked import ForkedMapper
from jobs.risk.job import analyse
from jobs.risk.people import fingerprint
from jobs.risk.spread import SparkMapper
from jobs.settings import Settings
from jobs.spark import LazySpark
from model.survival.mapping import mapping_by


def main() -> None:
    """Compute the tables of the people in a file; write how long it took and the coefficients of the full model."""
    source, target, where = sys.argv[1:4]
    people, cohort = pd.read_parquet(source), bench_cohort()
    began, used = time.perf_counter(), _processor_seconds()
    with ExitStack() as stack:
        cores = len(os.sched_getaffinity(0))
        if where == "processes":
            stack.enter_context(mapping_by(ForkedMapper(cores)))
        if where == "spark":
            settings = Settings(home=Path(target).parent / "home", spark_master=f"local[{cores}]")
            stack.enter_context(mapping_by(SparkMapper(stack.enter_context(LazySpark(settings, "bench risk")))))
        analysis = analyse(people, cohort, "bench", fingerprint(people), None)
    fit = analysis.models[FULL].cox
    assert fit is not None, analysis.models[FULL].reason
    result = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": _processor_seconds() - used,
        "events": analysis.counts["events"],
        "terms": len(fit.coefficients),
        "models": analysis.counts["models_fitted"],
        "coefficients": [c.log_hazard_ratio / (c.term.one_unit or 1.0) for c in fit.coefficients],
    }
    Path(target).write_text(json.dumps(result))


def _processor_seconds() -> float:
    """Of this process and of those it started and that have ended: Spark's JVM and workers."""
    spent = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


if __name__ == "__main__":
    main()

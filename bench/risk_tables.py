"""One run of everything the risk tables hold, in a process of its own, so that its time and memory are nobody else's.

`python -m bench.risk_tables people.parquet result.json`: what `fahr risk` does but the reading and writing in SQL.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd

from bench.risk_people import FULL, bench_cohort
from jobs.risk.job import analyse
from jobs.risk.people import fingerprint


def main() -> None:
    """Compute the tables of the people in a file; write seconds, memory and the coefficients of the full model."""
    source, target = map(Path, sys.argv[1:3])
    people = pd.read_parquet(source)
    began, used = time.perf_counter(), time.process_time()
    analysis = analyse(people, bench_cohort(), "bench", fingerprint(people), None)
    result = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "counts": analysis.counts,
        "coefficients": [
            one.log_hazard_ratio * (one.term.one_unit and 1 / one.term.one_unit or 1.0)
            for one in analysis.models[FULL].fit.coefficients
        ],
    }
    target.write_text(json.dumps(result))


if __name__ == "__main__":
    main()

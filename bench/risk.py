"""The whole set of risk tables against one fit of its largest model by R's `coxph`, within one run, as persons grow."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.memory import peak_memory_of
from bench.risk_people import FULL, bench_cohort, bench_people
from bench.scoring import RESULTS, machine

PLACES = ("here", "processes", "spark")

AS_A_USER = "processes"
"""How `fahr risk` works on one machine: the place that is judged by the limits."""

LIMIT_OF_R, LIMIT_MIB = 3.0, 8 * 1024
"""What the tables of a million persons may take: so many times R's one fit, and so much memory."""


@dataclass(frozen=True)
class RiskResult:
    """One size of cohort. Seconds are of the wall clock; processor seconds count all threads and child processes."""

    persons: int
    events: int
    covariates: int
    terms: int
    models: int
    where: str
    """`here`, in one process with one thread; `processes`, as many as cores; or `spark`, resamples and subgroups on as
    many workers as cores."""
    seconds: float
    processor_seconds: float
    peak_memory_mib: int
    r_seconds: float
    r_processor_seconds: float
    r_version: str
    seconds_of_r: float
    processor_seconds_of_r: float
    largest_difference: float
    """Of the full model's coefficients from R's, in the largest of R's."""
    load_average: float
    """Of the machine over the minute before: what others did meanwhile."""


def run(*, home: Path, sizes: tuple[int, ...], places: tuple[str, ...]) -> list[RiskResult]:
    """R's fit, then the tables, for each size and place; rows in that order.

    Raises:
        RuntimeError: there is no Rscript.
    """
    if shutil.which("Rscript") is None:
        raise RuntimeError("Rscript is not on the PATH: install r-base-core and r-cran-survival.")
    folder = home / "risk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return [result for persons in sizes for result in _of_size(folder, persons, places)]


def _of_size(folder: Path, persons: int, places: tuple[str, ...]) -> list[RiskResult]:
    people = bench_people(persons)
    people.to_parquet(folder / "people.parquet")
    _write_for_r(people, folder / "r")
    load = os.getloadavg()[0]
    r_version, of_r = _fitted_by_r(folder / "r")
    del people
    found = []
    for place in places:
        ours, peak = _tables(folder, place)
        apart = np.abs(np.array(ours["coefficients"]) - np.array(of_r["coefficients"])).max()
        result = RiskResult(
            persons=persons,
            events=ours["events"],
            covariates=len(bench_cohort().declared.models[FULL].covariates),
            terms=ours["terms"],
            models=ours["models"],
            where=place,
            seconds=round(ours["seconds"], 1),
            processor_seconds=round(ours["processor_seconds"], 1),
            peak_memory_mib=peak // 2**20,
            r_seconds=round(of_r["seconds"], 2),
            r_processor_seconds=round(of_r["processor_seconds"], 2),
            r_version=r_version,
            seconds_of_r=round(ours["seconds"] / of_r["seconds"], 2),
            processor_seconds_of_r=round(ours["processor_seconds"] / of_r["processor_seconds"], 2),
            largest_difference=float(apart / np.abs(of_r["coefficients"]).max()),
            load_average=round(load, 1),
        )
        print(result, file=sys.stderr, flush=True)
        found.append(result)
    return found


def _tables(folder: Path, place: str) -> tuple[dict[str, Any], int]:
    """What the process that makes the tables says, and its peak memory with all it starts, bytes."""
    arguments = [str(folder / "people.parquet"), str(folder / "result.json"), place]
    # One thread a process: what a second would do is for another process, or for others.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "bench.risk_tables", *arguments], env=environment)
    with peak_memory_of(process.pid, every_s=1.0) as peak:
        if process.wait() != 0:
            raise RuntimeError(f"the tables ended with {process.returncode}")
    return json.loads((folder / "result.json").read_text()), peak.total


def _write_for_r(people: pd.DataFrame, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    declared = bench_cohort().declared
    with (folder / "columns.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["name", "levels"])
        for name in ("followup_years", "event", *declared.models[FULL].covariates):
            levels = declared.covariates[name].levels if name in declared.covariates else ()
            column = pd.Categorical(people[name], categories=list(levels)).codes if levels else people[name]
            np.asarray(column, dtype=float).tofile(folder / name)
            writer.writerow([name, "|".join(levels)])


def _fitted_by_r(folder: Path) -> tuple[str, dict[str, Any]]:
    script = Path(__file__).with_name("risk_fit.R")
    told = subprocess.run(["Rscript", script, folder], check=True, capture_output=True, text=True)
    table = pd.read_csv(folder / "result.csv", index_col="term")["value"]
    coefficients = table.drop(["seconds", "processor_seconds"]).tolist()
    return told.stdout.strip(), {
        "seconds": table["seconds"],
        "processor_seconds": table["processor_seconds"],
        "coefficients": coefficients,
    }


def as_markdown(results: list[RiskResult], told: dict[str, Any]) -> str:
    """The results as a page."""
    rows = "\n".join(
        f"| {one.persons:,} | {one.where} | {one.seconds:.1f} | {one.processor_seconds:.1f} | {one.r_seconds:.2f} | "
        f"{one.r_processor_seconds:.2f} | {one.seconds_of_r:.1f} | {one.processor_seconds_of_r:.1f} | "
        f"{one.peak_memory_mib:,} | {one.largest_difference:.0e} | {one.load_average:.1f} |"
        for one in results
    )
    first, largest = results[0], max(results, key=lambda one: one.persons)
    judged = next((one for one in results if one.persons == largest.persons and one.where == AS_A_USER), largest)
    in_time, fits = judged.seconds_of_r <= LIMIT_OF_R, judged.peak_memory_mib <= LIMIT_MIB
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    met = {True: "met", False: "not met"}
    return f"""# Risk tables against R's coxph, {told["measured_at"]}

Everything `fahr risk` computes for a cohort of {first.covariates} covariates ({first.terms} terms in the full model):
{first.models} models, nested tests, proportional hazards, influence, curves, subgroups, cross-fitted predictions,
performance with {bench_cohort().declared.resampling.repeats} resamples, optimism, calibration, decision curves, and the
fingerprint of the data; without reading and writing SQL. Against it: one fit of the full model by R's `coxph` (survival
{first.r_version}) in the same run. Follow-up in whole days. {told["cores"]} cores of {told["processor"]}.

| persons | where | s | processor s | R, s | R, processor s | times R | processor times R | peak MiB | from R | load |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}

`here`: one process, one thread. `processes`: as many as cores, which is how `fahr risk` works on one machine.
`spark`: as on a cluster: Spark is started for resamples and subgroups that are worth it (jobs/risk/spread.py), and its
own start and JVM are counted then. Compiled loops come from their cache. `from R`: largest difference of a coefficient
of the full model, in the largest of R's. `load`: of the machine over the minute before; other work stretches seconds,
and processor seconds less.

Asked of {largest.persons:,} persons, in `{judged.where}`: at most {LIMIT_OF_R:g} times R's fit by the clock,
{met[in_time]} ({judged.seconds_of_r:.1f}); at most {LIMIT_MIB:,} MiB, {met[fits]} ({judged.peak_memory_mib:,}).

{versions}
"""


def write(results: list[RiskResult], folder: Path = RESULTS) -> Path:
    """Write the results as JSON and as a page; returns the page."""
    told = machine()
    name = f"risk-{str(told['measured_at'])[:10]}-cpu{told['cores']}"
    kept = told | {"results": [asdict(one) for one in results]}
    (folder / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")
    page = folder / f"{name}.md"
    page.write_text(as_markdown(results, told))
    return page

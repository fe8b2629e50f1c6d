"""`python -m bench`: measure, print, and keep the results."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import age_recipes, merge, night, no_news, pull, reader, retrieval, risk, scoring, training
from bench.scoring import machine


def _scoring(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    result = scoring.run(
        home=home,
        photos=asked.photos,
        obvious_photos=min(asked.obvious_photos, asked.photos),
        cores=asked.cores,
        rounds=asked.rounds,
    )
    return scoring.as_markdown(result), lambda: scoring.write(result)


def _reader(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    result = reader.run(home=home, rows=asked.crops, cores=asked.cores)
    return reader.as_markdown(result), lambda: reader.write(result)


def _training(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    result = training.run(home=home, cores=asked.cores, rounds=asked.rounds)
    return training.as_markdown(result), lambda: training.write(result)


def _recipes(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    results = age_recipes.run(home=home)
    return age_recipes.as_markdown(results), lambda: age_recipes.write(results)


def _pull(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    results = pull.run(home=home, sizes=tuple(asked.pulls))
    return _lines(results), lambda: pull.write(results)


def _retrieval(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    result = retrieval.run()
    return retrieval.as_markdown(result), lambda: retrieval.write(result)


def _night(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    results = night.run(home=home)
    return _lines(results), lambda: night.write(results)


def _no_news(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    results = no_news.run(home=home, rounds=asked.rounds)
    return no_news.as_markdown(results), lambda: no_news.write(results)


def _merge(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    results = merge.run(home=home, rounds=asked.rounds)
    return merge.as_markdown(results), lambda: merge.write(results)


def _risk(home: Path, asked: argparse.Namespace) -> tuple[str, Callable[[], Path]]:
    results = risk.run(home=home, sizes=tuple(asked.persons), places=tuple(asked.where))
    return risk.as_markdown(results, machine()), lambda: risk.write(results)


BENCHES = {
    "scoring": _scoring,
    "reader": _reader,
    "training": _training,
    "recipes": _recipes,
    "pull": _pull,
    "retrieval": _retrieval,
    "night": _night,
    "risk": _risk,
    "no-news": _no_news,
    "merge": _merge,
}


def main() -> None:
    """Parse; then measure, print and write, bench by bench."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"any of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--photos", type=int, default=1024, help="photographs for the Spark stage and the ceiling")
    parser.add_argument("--obvious-photos", type=int, default=64, help="photographs for the (slow) obvious script")
    parser.add_argument("--rounds", type=int, default=3, help="times each contender runs, in turn")
    parser.add_argument("--crops", type=int, default=20_000, help="crops that the reader of training data reads")
    parser.add_argument("--pulls", type=int, nargs="+", default=[250, 1000, 2000], help="12-megapixel photos of a pull")
    parser.add_argument("--persons", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of a cohort")
    parser.add_argument("--where", nargs="+", default=risk.PLACES, choices=risk.PLACES, help="of risk tables")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--home", type=Path, default=Path(".fahr/bench"), help="where photographs and weights are kept")
    parser.add_argument("--no-write", action="store_true", help="print only")
    asked = parser.parse_args()
    wanted = asked.benches or list(BENCHES)
    if unknown := set(wanted) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    home: Path = asked.home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in wanted:
        told, write = BENCHES[name](home, asked)
        print(told)
        if not asked.no_write:
            print(f"Written to {write()}.")


def _lines(results: list[Any]) -> str:
    return "\n".join(str(result) for result in results)


if __name__ == "__main__":
    main()

"""`python -m bench`: measure, print, and keep the results."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench import night, pull, scoring

BENCHES = ("scoring", "pull", "night")


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"any of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--photos", type=int, default=512, help="photographs for the Spark stage and the ceiling")
    parser.add_argument("--obvious-photos", type=int, default=64, help="photographs for the (slow) obvious script")
    parser.add_argument("--pulls", type=int, nargs="+", default=[250, 1000, 2000], help="12-megapixel photos of a pull")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--home", type=Path, default=Path(".fahr/bench"), help="where photographs and weights are kept")
    parser.add_argument("--no-write", action="store_true", help="print only")
    arguments = parser.parse_args()
    wanted = arguments.benches or BENCHES
    if unknown := set(wanted) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    home: Path = arguments.home.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if "scoring" in wanted:
        result = scoring.run(
            home=home,
            photos=arguments.photos,
            obvious_photos=min(arguments.obvious_photos, arguments.photos),
            cores=arguments.cores,
        )
        print(scoring.as_markdown(result))
        if not arguments.no_write:
            print(f"Written to {scoring.write(result)}.")
    if "pull" in wanted:
        pulls = pull.run(home=home, sizes=tuple(arguments.pulls))
        print(*pulls, sep="\n")
        if not arguments.no_write:
            print(f"Written to {pull.write(pulls)}.")
    if "night" in wanted:
        nights = night.run(home=home)
        print(*nights, sep="\n")
        if not arguments.no_write:
            print(f"Written to {night.write(nights)}.")


if __name__ == "__main__":
    main()

"""`python -m bench`: measure, print, and keep the result."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench import scoring


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--photos", type=int, default=512, help="photographs for the Spark stage and the ceiling")
    parser.add_argument("--obvious-photos", type=int, default=64, help="photographs for the (slow) obvious script")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--home", type=Path, default=Path(".fahr/bench"), help="where photographs and weights are kept")
    parser.add_argument("--no-write", action="store_true", help="print only")
    arguments = parser.parse_args()
    result = scoring.run(
        home=arguments.home.resolve(),
        photos=arguments.photos,
        obvious_photos=min(arguments.obvious_photos, arguments.photos),
        cores=arguments.cores,
    )
    print(scoring.as_markdown(result))
    if not arguments.no_write:
        print(f"Written to {scoring.write(result)}.")


if __name__ == "__main__":
    main()

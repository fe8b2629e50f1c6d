"""What spark-submit runs: the `fahr` command line inside a Spark driver, as in `submit.py pull --date 2026-03-01`."""

from __future__ import annotations

import sys
from pathlib import Path

# Python puts the folder of a script first on its path; there, modules such as `log` and `report` would hide others.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

from jobs.cli import main  # noqa: E402

if __name__ == "__main__":
    main()

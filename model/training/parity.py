"""State how far bfloat16 takes a release from float32, over drawn faces: `python -m model.training.parity FOLDER`.

For a release whose maker did not do so (an imported one): without the statement no CPU scores with it in bfloat16.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import torch

from model.network import Biomarker
from model.parity import FACES_NEEDED, Parity, parity_holds, record_parity
from model.release import ModelRelease
from model.training.crops import cached_crops
from model.training.people import HELD_OUT_SEEDS, simulate_people

SPARE_PEOPLE = 100
"""The detector overlooks a drawn face now and then."""
SEED = 2026


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, state, and say whether a CPU may now score in bfloat16."""
    parser = argparse.ArgumentParser(prog="python -m model.training.parity", description=__doc__)
    parser.add_argument("folder", type=Path, help="the release")
    parser.add_argument("--people", type=int, default=FACES_NEEDED + SPARE_PEOPLE, help="drawn, one photo each")
    cache = Path(os.environ.get("FAHR_HOME", ".fahr")) / "training"
    parser.add_argument("--cache", type=Path, default=cache, help="where their faces are kept (default: %(default)s)")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    release, measured = state_parity(ModelRelease.load(asked.folder), asked.cache, people=asked.people)
    for biomarker, parity in measured.items():
        print(
            f"{biomarker}: {len(parity.differences)} faces, largest difference {parity.largest:.4f}, "
            f"mean {parity.mean:.4f}; SD of the output {parity.outputs.std():.2f}"
        )
    print(f"a CPU {'scores' if parity_holds(release) else 'does not score'} with it in bfloat16")


def state_parity(
    release: ModelRelease, cache: Path, *, people: int = FACES_NEEDED + SPARE_PEOPLE
) -> tuple[ModelRelease, Mapping[Biomarker, Parity]]:
    """Measure a release's networks over held-out drawn people and state it in its manifest; the weights stay.

    Returns the release as it stands now, and what was measured. Raises WeightsRefused as `record_parity` does.
    """
    drawn = simulate_people(people, HELD_OUT_SEEDS, SEED)
    faces = cached_crops(drawn, 1, SEED, cache, caption="faces for parity").pixels
    return record_parity(release, faces)


if __name__ == "__main__":
    main()

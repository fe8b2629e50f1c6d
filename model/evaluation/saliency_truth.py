"""Drawn faces of which it is known where age and frailty show: the same face is drawn with the signs changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.align import FACE_PX, align_face
from model.detect import FaceDetector
from model.drawing import FaceLatents, draw_face
from model.evaluation.nuisance import PORTRAIT
from model.evaluation.robustness import DRAWN_SIDE_PX
from model.exclusions import PhotoExcluded
from model.judge import the_face

YEARS_EACH_WAY, FRAILTY_EACH_WAY = 15.0, 1.0
"""How far age and frailty are moved to see what they change."""

_Twins = Callable[[FaceLatents], tuple[FaceLatents, FaceLatents]]

SIGNS: dict[str, _Twins] = {
    "age_signs": lambda who: (who.aged(-YEARS_EACH_WAY), who.aged(YEARS_EACH_WAY)),
    "frailty_signs": lambda who: (
        replace(who, frailty=who.frailty - FRAILTY_EACH_WAY),
        replace(who, frailty=who.frailty + FRAILTY_EACH_WAY),
    ),
    "lifted_signs": lambda who: (replace(who, surgery=0.0), replace(who, surgery=1.0)),
}
"""All signs of age (grey hair above all), all signs of frailty, and the five signs of age that a surgeon lifts."""


@dataclass(frozen=True)
class TruthfulFaces:
    """n aligned drawn faces and where their signs are."""

    faces: NDArray[np.uint8]
    """(n, 112, 112, 3) RGB."""
    truths: dict[str, NDArray[np.float64]]
    """(n, 112, 112) by signs: mean absolute change of a pixel's values (0 to 255), over its three colours."""


def faces_with_truth(people: Sequence[FaceLatents], detector: FaceDetector, seed: int) -> TruthfulFaces:
    """Draw each person's plain portrait and its changed twins, all cut out where the portrait's face was found.

    A person whose face is not found is left out. The same arguments always give the same pixels.
    """
    faces: list[NDArray[np.uint8]] = []
    truths: dict[str, list[NDArray[np.float64]]] = {signs: [] for signs in SIGNS}
    for someone in people:
        who = replace(someone, surgery=0.0)
        room, shot = (int(n) for n in np.random.default_rng([seed, who.identity_seed]).integers(2**31, size=2))
        taken = replace(PORTRAIT, background_seed=room, shot_seed=shot)
        photo = draw_face(who, taken, DRAWN_SIDE_PX).pixels
        try:
            landmarks = the_face(detector.detect([photo])[0], (DRAWN_SIDE_PX, DRAWN_SIDE_PX), 1.0).landmarks
        except PhotoExcluded:
            continue
        faces.append(align_face(photo, landmarks))
        for signs, twins in SIGNS.items():
            less, more = (
                align_face(draw_face(twin, taken, DRAWN_SIDE_PX).pixels, landmarks).astype(np.float64)
                for twin in twins(who)
            )
            truths[signs].append(np.abs(more - less).mean(axis=2))
    none = (0, FACE_PX, FACE_PX)
    return TruthfulFaces(
        np.stack(faces) if faces else np.empty((*none, 3), dtype=np.uint8),
        {signs: np.stack(maps) if maps else np.empty(none) for signs, maps in truths.items()},
    )

"""The same people's scores under every nuisance, one row a photograph: what was read, before anything is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from model.detect import FaceDetector
from model.drawing import FaceLatents, ShotConditions, conditions_of_session, draw_face
from model.evaluation.nuisance import PORTRAIT, DrawnNuisance, PictureNuisance
from model.evaluation.nuisance_pictures import Photograph
from model.exclusions import PhotoExcluded
from model.judge import the_face
from model.scorer import PhotoOutcome

Pixels = NDArray[np.uint8]
Score = Callable[[Sequence[bytes]], list[PhotoOutcome]]
"""Photographs' bytes to outcomes, one each, in order: `PhotoScorer.score`."""

BASELINE, SAME_DAY, DRAWN, PICTURE = "baseline", "same_day", "drawn_nuisance", "picture_nuisance"
"""Groups of photographs: the plain one of a person; the two of one day that give the noise; drawn again under a
nuisance; the plain one with its pixels changed."""

READING_COLUMNS = ("person", "group", "level", "face_age_years", "log_risk", "reason")

DRAWN_SIDE_PX = 320


@dataclass(frozen=True)
class Subject:
    """A person, as they are photographed again and again."""

    photo: Pixels
    """(H, W, 3) RGB, upright: the photograph without nuisance."""
    same_day: tuple[Pixels, Pixels] | None = None
    """Two photographs of one session as they came: their difference is the noise of one person's photographs."""
    person: FaceLatents | None = None
    """Who was drawn; None where the photograph cannot be taken again."""
    conditions: ShotConditions = PORTRAIT
    """Of `photo`, where it was drawn."""


def drawn_subjects(people: Iterable[FaceLatents], seed: int) -> Iterator[Subject]:
    """Each person's plain portrait, and two photographs of one day under whatever conditions that day had.

    Nobody here has had surgery: it is one of the nuisances. The same arguments always give the same pixels.
    """
    for someone in people:
        person = replace(someone, surgery=0.0)
        rng = np.random.default_rng([seed, person.identity_seed])
        room, shot = (int(number) for number in rng.integers(2**31, size=2))
        portrait = replace(PORTRAIT, background_seed=room, shot_seed=shot)
        one, other = (draw_face(person, taken, DRAWN_SIDE_PX).pixels for taken in conditions_of_session(rng, 2))
        yield Subject(draw_face(person, portrait, DRAWN_SIDE_PX).pixels, (one, other), person, portrait)


def read_under_nuisances(
    subjects: Iterable[Subject],
    score: Score,
    detector: FaceDetector,
    *,
    drawn: Sequence[DrawnNuisance],
    pictures: Sequence[PictureNuisance],
    extremes_only: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every subject's photograph, plain and under each nuisance.

    A nuisance of the picture acts on the decoded photograph, before the face is looked for. `drawn` nuisances apply to
    subjects that were drawn. `extremes_only`: only the furthest levels. Photographs go to `score` as uncompressed BMP,
    so that nothing but the nuisance changes; one person's are held at a time.

    Returns a row a photograph, `READING_COLUMNS`: `person` counts subjects from 0; `level` names nuisance and level;
    `reason` says why there are no scores. A subject whose plain photograph has no score has that one row.
    """
    rows: list[tuple[object, ...]] = []
    for number, subject in enumerate(subjects):
        plain = _landmarks_of(subject.photo, detector)
        if isinstance(plain, str):
            rows.append((number, BASELINE, BASELINE, None, None, plain))
            continue
        photograph = Photograph(subject.photo, plain, seed=int(np.random.default_rng([seed, number]).integers(2**31)))
        taken = list(_photographs(subject, photograph, drawn, pictures, extremes_only))
        outcomes = score([_as_bmp(pixels) for _, _, pixels in taken])
        baseline = outcomes[0]
        kept = list(zip(taken, outcomes, strict=True)) if baseline.reason is None else [(taken[0], baseline)]
        rows += [
            (number, group, level, outcome.face_age_years, outcome.face_survival_log_risk, outcome.reason)
            for (group, level, _), outcome in kept
        ]
    frame = pd.DataFrame(rows, columns=list(READING_COLUMNS))
    return frame.astype({"face_age_years": float, "log_risk": float})


def _photographs(
    subject: Subject,
    photograph: Photograph,
    drawn: Sequence[DrawnNuisance],
    pictures: Sequence[PictureNuisance],
    extremes_only: bool,
) -> Iterator[tuple[str, str, Pixels]]:
    """(group, level, pixels) of every photograph of one subject, the plain one first."""
    yield BASELINE, BASELINE, subject.photo
    for number, pixels in enumerate(subject.same_day or (), start=1):
        yield SAME_DAY, str(number), pixels
    for redrawn in drawn if subject.person is not None else ():
        assert subject.person is not None
        for level in redrawn.extremes if extremes_only else redrawn.levels:
            person, conditions = redrawn(subject.person, subject.conditions, level)
            yield DRAWN, redrawn.label(level), draw_face(person, conditions, DRAWN_SIDE_PX).pixels
    for changed in pictures:
        for level in changed.extremes if extremes_only else changed.levels:
            yield PICTURE, changed.label(level), changed(photograph, level)


def _landmarks_of(photo: Pixels, detector: FaceDetector) -> NDArray[np.floating] | str:
    """Landmarks of the one face that would be scored, or the reason why none would."""
    try:
        return the_face(detector.detect([photo])[0], (photo.shape[0], photo.shape[1]), 1.0).landmarks
    except PhotoExcluded as excluded:
        return excluded.reason.value


def _as_bmp(pixels: Pixels) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "BMP")
    return buffer.getvalue()

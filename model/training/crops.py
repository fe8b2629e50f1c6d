"""Aligned crops of drawn people, found and aligned as in scoring, and kept so that they are made once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import model.drawing
from model.align import align_face
from model.detect import MtcnnDetector
from model.drawing import FaceLatents, Framing, conditions_of_session, draw_face
from model.preprocessing import PREPROCESSING_ID
from model.training.people import People

DRAWN_SIZES_PX = (224, 256, 320, 400)
DETECTION_BATCH = 32


@dataclass(frozen=True, slots=True)
class Crops:
    """m aligned photos of n people; several photos of one person are of one session."""

    pixels: NDArray[np.uint8]
    """(m, 112, 112, 3) RGB."""
    person: NDArray[np.int64]
    """(m,) index of the person, ascending."""


def make_crops(people: People, photos_each: int, seed: int, *, caption: str = "drawing") -> Crops:
    """Draw `photos_each` photos of each person, find and align the face; leave out a photo without exactly one face."""
    detector = MtcnnDetector()
    pixels: list[NDArray[np.uint8]] = []
    persons: list[int] = []
    waiting: list[tuple[int, NDArray[np.uint8]]] = []
    photos = _photos(people.latents, photos_each, seed)
    total = len(people.latents) * photos_each
    for number, photo in enumerate(tqdm(photos, total=total, desc=caption, unit="photo", disable=None), start=1):
        waiting.append(photo)
        if len(waiting) == DETECTION_BATCH or number == total:
            found = detector.detect([picture for _, picture in waiting])
            for (person, picture), faces in zip(waiting, found, strict=True):
                if len(faces) == 1:
                    pixels.append(align_face(picture, faces[0].landmarks))
                    persons.append(person)
            waiting = []
    return Crops(np.stack(pixels), np.array(persons, dtype=np.int64))


def cached_crops(people: People, photos_each: int, seed: int, cache: Path, *, caption: str) -> Crops:
    """As `make_crops`, but read from `cache` where the same crops were made before with the same code and constants."""
    key = f"{PREPROCESSING_ID} {DRAWING_FINGERPRINT} {photos_each} {seed} {people.latents!r}"
    path = cache / f"crops-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if path.exists():
        with np.load(path) as stored:
            return Crops(stored["pixels"], stored["person"])
    crops = make_crops(people, photos_each, seed, caption=caption)
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez(unfinished, pixels=crops.pixels, person=crops.person)
    unfinished.replace(path)
    return crops


def _drawing_fingerprint() -> str:
    folder = Path(str(model.drawing.__file__)).parent
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


DRAWING_FINGERPRINT: str = _drawing_fingerprint()
"""Of the code that was imported; changes with any of its files, so that crops drawn by other code are not reused."""


def _photos(latents: tuple[FaceLatents, ...], photos_each: int, seed: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for index, person in enumerate(latents):
        rng = np.random.default_rng([seed, person.identity_seed])
        for conditions in conditions_of_session(rng, photos_each):
            framing = Framing(float(rng.uniform(0.75, 1.15)), *(float(shift) for shift in rng.normal(0, 0.02, size=2)))
            yield index, draw_face(person, conditions, int(rng.choice(DRAWN_SIZES_PX)), framing=framing).pixels

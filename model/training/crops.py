"""Aligned crops of drawn people, found and aligned as in scoring, and kept so that they are made once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

import model.drawing
from model.align import FACE_PX, align_face
from model.detect import MtcnnDetector
from model.drawing import FaceLatents, Framing, conditions_of_session, draw_face
from model.preprocessing import PREPROCESSING_ID
from model.training.people import People

DRAWN_SIZES_PX = (224, 256, 320, 400)
DETECTION_BATCH = 32
PIECE = 200
"""People a process draws at a time."""


@dataclass(frozen=True, slots=True)
class Crops:
    """m aligned photos of n people; several photos of one person are of one session."""

    pixels: NDArray[np.uint8]
    """(m, 112, 112, 3) RGB."""
    person: NDArray[np.int64]
    """(m,) index of the person, ascending."""


def make_crops(people: People, photos_each: int, seed: int, *, caption: str = "drawing", processes: int = 1) -> Crops:
    """Draw `photos_each` photos of each person, find and align the face; leave out a photo without exactly one face.

    The work is cut into the same pieces however many `processes` share it, so their number changes no pixel.
    """
    pieces = [(people.latents[start : start + PIECE], start) for start in range(0, len(people.latents), PIECE)]
    work = partial(_crops_of, photos_each=photos_each, seed=seed)
    with ExitStack() as stack:
        made: Iterator[Crops] = map(work, pieces)
        if processes > 1:
            made = stack.enter_context(_fresh_processes(processes)).map(work, pieces)
        done = list(tqdm(made, total=len(pieces), desc=caption, unit=f"x{PIECE} people", disable=None))
    return Crops(np.concatenate([crops.pixels for crops in done]), np.concatenate([crops.person for crops in done]))


def _fresh_processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,))


def _crops_of(piece: tuple[tuple[FaceLatents, ...], int], photos_each: int, seed: int) -> Crops:
    latents, first = piece
    detector = MtcnnDetector()
    pixels: list[NDArray[np.uint8]] = []
    persons: list[int] = []
    photos = _photos(latents, photos_each, seed)
    while waiting := list(islice(photos, DETECTION_BATCH)):
        found = detector.detect([picture for _, picture in waiting])
        for (person, picture), faces in zip(waiting, found, strict=True):
            if len(faces) == 1:
                pixels.append(align_face(picture, faces[0].landmarks))
                persons.append(first + person)
    stacked = np.stack(pixels) if pixels else np.empty((0, FACE_PX, FACE_PX, 3), dtype=np.uint8)
    return Crops(stacked, np.array(persons, dtype=np.int64))


def cached_crops(
    people: People, photos_each: int, seed: int, cache: Path, *, caption: str, processes: int = 1
) -> Crops:
    """As `make_crops`, but read from `cache` where the same crops were made before with the same code and constants."""
    key = f"{PREPROCESSING_ID} {DRAWING_FINGERPRINT} {photos_each} {seed} {people.latents!r}"
    path = cache / f"crops-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if path.exists():
        with np.load(path) as stored:
            return Crops(stored["pixels"], stored["person"])
    crops = make_crops(people, photos_each, seed, caption=caption, processes=processes)
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

"""Where each network of a release looks, on drawn faces of which the truth is known, or on a hospital's own photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from jobs.errors import ModelRefused
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.findings import WHOLE, Evaluation, Figure, Finding
from jobs.evaluation.photographs import PEOPLE_AT_A_TIME, Photographs
from jobs.evaluation.subjects import SEED, DrawnPeople
from model.crop import FaceCropper
from model.detect import MtcnnDetector
from model.evaluation.saliency import FaceMaps, look, shuffled_gradients
from model.evaluation.saliency_figures import map_figure, region_figure
from model.evaluation.saliency_table import (
    FAILS,
    FEWEST_FACES,
    FOUND,
    NOT_FOUND,
    RESAMPLES,
    Looks,
    saliency_findings,
)
from model.evaluation.saliency_truth import faces_with_truth
from model.network import Biomarker
from model.release import ModelRelease

PEOPLE, STEPS, SHUFFLES = 100, 32, 3
QUICK_PEOPLE, QUICK_STEPS, QUICK_SHUFFLES = 24, 16, 1
"""With --quick: people, points on the way of integrated gradients, and times the weights are shuffled."""

NAMES: dict[Biomarker, str] = {"age": "face_age", "survival": "face_survival"}


def evaluate_saliency(
    *, release: ModelRelease, people: DrawnPeople | Photographs, device: str = "cpu", quick: bool = False
) -> Evaluation:
    """Map where each network looks, test the maps, and compare them by region and, for drawn people, with the truth.

    `quick`: few steps, one shuffle.

    Raises:
        ModelRefused: the release holds neither a FaceAge nor a FaceSurvival network.
        WeightsRefused: a network was altered, or does not fit.
        NothingToEvaluate: too few faces were found.
    """
    if not any(biomarker in release.networks for biomarker in NAMES):
        raise ModelRefused(
            f"The model {release.model_id} has no FaceAge and no FaceSurvival network.",
            next_step="Evaluate a release that has one of them; `fahr weights list` shows them.",
        )
    refused: Counter[str] = Counter()
    truths: dict[str, NDArray[np.float64]] = {}
    if isinstance(people, DrawnPeople):
        seen = faces_with_truth(people.latents, MtcnnDetector(device), SEED)
        faces, truths = seen.faces, seen.truths
    else:
        faces = _aligned(people, FaceCropper(device=device), refused)
    if len(faces) < FEWEST_FACES:
        raise NothingToEvaluate(
            f"{len(faces)} faces are too few to say where a network looks; {FEWEST_FACES} are needed.",
            next_step="Take more people, or --drawn.",
        )
    steps, shuffles = (QUICK_STEPS, QUICK_SHUFFLES) if quick else (STEPS, SHUFFLES)
    looks = _looks(release, faces, truths, steps=steps, shuffles=shuffles, device=device)
    findings = [
        *saliency_findings(looks, seed=SEED),
        *(
            Finding("not_evaluated", float(count), "left_out", reason, photos=count)
            for reason, count in sorted(refused.items())
        ),
    ]
    return Evaluation(
        kind="saliency",
        data=people.data,
        data_sha256=people.sha256,
        is_synthetic=people.is_synthetic,
        photos=len(faces),
        people=len(faces),
        findings=tuple(findings),
        figures=tuple(_figures(looks, findings, faces if isinstance(people, DrawnPeople) else None)),
        remarks=tuple(_remarks(findings)),
        method=f"baseline: the mean face; {steps} steps; {shuffles} shuffles; {RESAMPLES} resamples; seed {SEED}",
    )


def _aligned(photographs: Photographs, cropper: FaceCropper, refused: Counter[str]) -> NDArray[np.uint8]:
    """One aligned face a person (n, 112, 112, 3), found and judged as in scoring. Refused photos are counted."""
    firsts = (day[0] for day in photographs.read())
    batches = iter(lambda: list(islice(firsts, PEOPLE_AT_A_TIME)), [])
    faces: list[NDArray[np.uint8]] = []
    for cropped in tqdm(cropper.crop_stream(batches), desc="faces", unit=f"x{PEOPLE_AT_A_TIME}", disable=None):
        for photo in cropped:
            if photo.face is not None:
                faces.append(photo.face)
            elif photo.reason is not None:
                refused[photo.reason] += 1
    return np.stack(faces) if faces else np.empty((0, 112, 112, 3), dtype=np.uint8)


def _looks(
    release: ModelRelease,
    faces: NDArray[np.uint8],
    truths: dict[str, NDArray[np.float64]],
    *,
    steps: int,
    shuffles: int,
    device: str,
) -> Looks:
    networks: dict[str, FaceMaps] = {}
    shuffled: dict[str, list[NDArray[np.float64]]] = {}
    present = [biomarker for biomarker in NAMES if biomarker in release.networks]
    for biomarker in tqdm(present, desc="networks", disable=None):
        network = release.network(biomarker)
        networks[NAMES[biomarker]] = look(network, faces, steps=steps, device=device)
        shuffled[NAMES[biomarker]] = shuffled_gradients(
            network, faces, shuffles=shuffles, steps=steps, device=device, seed=SEED
        )
    return Looks(networks, shuffled, truths)


def _figures(looks: Looks, findings: Sequence[Finding], drawn_faces: NDArray[np.uint8] | None) -> Iterator[Figure]:
    beneath = "the mean of the drawn faces lies beneath" if drawn_faces is not None else "no face is shown"
    yield Figure(
        "Where the networks look",
        f"Averages over {looks.faces} aligned faces; bright: much attribution, each map in its own range; {beneath}."
        " White: outlines of the regions. With shuffled weights a map must look different, or it tells nothing of the"
        " network."
        + (
            " Drawn truth: how far the pixels change when the same person's signs are drawn otherwise."
            if looks.truths
            else ""
        ),
        map_figure(looks, drawn_faces),
    )
    yield Figure(
        "Shares by region",
        "Share of attribution (integrated gradients) by region of the face, with 95 % intervals over people. Above the"
        " grey bar a network looks there more than at an average pixel.",
        region_figure(findings),
    )


def _remarks(findings: Sequence[Finding]) -> Iterator[str]:
    told = {(f.metric, f.level): f for f in findings}
    for name, words in (("face_age", "FaceAge"), ("face_survival", "FaceSurvival")):
        sanity = told.get((f"{name}_sanity_margin_spearman", WHOLE))
        if sanity is None:
            yield f"The release has no {words} network."
            continue
        if sanity.note == FAILS:
            yield f"{words}: maps with shuffled weights look too much like the network's own. Do not read these maps."
        else:
            yield f"{words}: two methods agree better on a face than the network's map and that of shuffled weights."
        shares = {f.level: f.estimate or 0.0 for f in findings if f.metric == f"{name}_gradients_share"}
        most = sorted(shares, key=lambda region: -shares[region])[:3]
        yield (
            f"{words} looks most at "
            + ", ".join(f"{one.replace('_', ' ')} ({100 * shares[one]:.0f} %)" for one in most)
            + "."
        )
        found = {f.level: f.note for f in findings if f.metric == f"{name}_margin_spearman"}
        for signs, note in found.items():
            yield f"{words} and the drawn {signs.replace('_', ' ')}: {_FOUND_IN_WORDS[note or NOT_FOUND]}"


_FOUND_IN_WORDS = {
    FOUND: "its map resembles theirs, and more than the map of shuffled weights does.",
    NOT_FOUND: "not found; its map resembles theirs no more than the map of shuffled weights does, or not at all.",
}

"""How far make-up, pose, light, surgery, compression and masks move the scores, against one person's own noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd
from tqdm import tqdm

from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.findings import Evaluation, Figure, Finding
from jobs.evaluation.photographs import Photographs
from jobs.evaluation.subjects import SEED, DrawnPeople
from jobs.releases import require_scoring
from model.decode import decode_photo
from model.detect import FaceDetector, MtcnnDetector
from model.evaluation.nuisance import DRAWN_NUISANCES, PICTURE_NUISANCES
from model.evaluation.robustness import Subject, drawn_subjects, read_under_nuisances
from model.evaluation.robustness_figures import dot_plot, example_strip
from model.evaluation.robustness_table import FACE_AGE, LOG_RISK, RESAMPLES, robustness_findings, weaknesses
from model.exclusions import PhotoExcluded
from model.preprocessing import DECODED_SIDE_PX
from model.release import ModelRelease
from model.scorer import PhotoScorer

PEOPLE, QUICK_PEOPLE = 200, 24
"""By default, and with --quick, which also takes the furthest levels only."""

OFTEN_LOST = 0.10
"""Share of photographs without a score from which a nuisance is named in the remarks."""


def evaluate_robustness(
    *, release: ModelRelease, people: DrawnPeople | Photographs, device: str = "cpu", quick: bool = False
) -> Evaluation:
    """Score the same people under every nuisance: how far that moves FaceAge, log-risk and rank of risk.

    `quick`: the furthest levels only.

    Raises:
        ModelRefused: the release has no FaceAge network.
        WeightsRefused: a network was altered, or does not fit.
        NothingToEvaluate: no photograph with a score was found.
    """
    require_scoring(release)
    refused: Counter[str] = Counter()
    drawn = isinstance(people, DrawnPeople)
    subjects = drawn_subjects(people.latents, SEED) if isinstance(people, DrawnPeople) else _decoded(people, refused)
    detector = MtcnnDetector(device)
    readings = read_under_nuisances(
        tqdm(subjects, total=people.count, desc="people", disable=None),
        PhotoScorer(release, device=device, detector=detector).score,
        detector,
        drawn=DRAWN_NUISANCES,
        pictures=PICTURE_NUISANCES,
        extremes_only=quick,
        seed=SEED,
    )
    findings = _findings(readings, refused)
    return Evaluation(
        kind="robustness",
        data=people.data,
        data_sha256=people.sha256,
        is_synthetic=people.is_synthetic,
        photos=len(readings),
        people=people.count,
        findings=tuple(findings),
        figures=tuple(_figures(findings, people, detector)),
        remarks=tuple(_remarks(findings, drawn=drawn)),
        method=f"{'furthest' if quick else 'all'} levels; {RESAMPLES} resamples of people; seed {SEED}",
    )


def _decoded(photographs: Photographs, refused: Counter[str]) -> Iterator[Subject]:
    """Each person's photographs as pixels. One that cannot be decoded is counted by its reason."""
    for contents in photographs.read():
        pixels = []
        for content in contents:
            try:
                pixels.append(decode_photo(content, shortest_side=DECODED_SIDE_PX))
            except PhotoExcluded as excluded:
                refused[excluded.reason.value] += 1
        if pixels:
            yield Subject(pixels[0], (pixels[0], pixels[1]) if len(pixels) == 2 else None)


def _findings(readings: pd.DataFrame, refused: Counter[str]) -> list[Finding]:
    try:
        found = robustness_findings(readings, seed=SEED)
    except ValueError:
        raise NothingToEvaluate(
            f"None of {readings['person'].nunique()} photos has a score, so nothing can be compared with it.",
            next_step="Look at the photos: `fahr evaluate robustness` needs faces that the scoring job accepts.",
        ) from None
    lost = [
        Finding("not_evaluated", float(count), "left_out", reason, photos=count)
        for reason, count in sorted(refused.items())
    ]
    return found + lost


def _figures(
    findings: Sequence[Finding], people: DrawnPeople | Photographs, detector: FaceDetector
) -> Iterator[Figure]:
    tried = (*DRAWN_NUISANCES, *PICTURE_NUISANCES) if isinstance(people, DrawnPeople) else PICTURE_NUISANCES
    yield Figure(
        "How far each nuisance moves the scores",
        "A dot is the mean |change| over the people at one level, a line its 95 % interval; the number at the right is"
        " the level that moves most. Dashed: the mean |difference| between two photos of one person on one day, grey:"
        " its interval. Red: more than that, a weakness.",
        dot_plot(findings, tried),
    )
    if isinstance(people, DrawnPeople):
        subject = next(drawn_subjects(people.latents, SEED))
        found = detector.detect([subject.photo])[0]
        if found:
            yield Figure(
                "What the nuisances look like",
                "One drawn person (no real one), plain and under each nuisance at its furthest level.",
                example_strip(subject, found[0].landmarks, DRAWN_NUISANCES, PICTURE_NUISANCES),
            )


def _remarks(findings: Sequence[Finding], *, drawn: bool) -> Iterator[str]:
    for measure, words in ((FACE_AGE, "FaceAge"), (LOG_RISK, "FaceSurvival")):
        if any(finding.metric == measure.ratio for finding in findings):
            told = ", ".join(_worst_levels(weaknesses(findings, measure))) or "nothing that was tried"
            yield f"{words} moves more than two photos of one person on one day differ under: {told}."
        else:
            yield f"{words} could not be held against one person's noise: too few people have two photos of one day."
    lost = [f for f in findings if f.metric == "unscored_share" and (f.estimate or 0.0) >= OFTEN_LOST]
    if lost:
        told = ", ".join(f"{f.level} ({100 * (f.estimate or 0.0):.0f} %)" for f in lost)
        yield f"Photos often lose their score, rather than get a wrong one, under: {told}."
    if drawn:
        yield "Drawn faces: what a nuisance does to a drawing is a guess at what it does to a photo of a person."
    else:
        yield "Make-up, pose, light and surgery need drawn faces (--drawn): a photo cannot be taken again."


def _worst_levels(weak: Sequence[Finding]) -> list[str]:
    """Of each nuisance its worst level, in words; `weak` is sorted, worst first."""
    names = {one.label(level): one.name for one in (*DRAWN_NUISANCES, *PICTURE_NUISANCES) for level in one.levels}
    worst: dict[str, Finding] = {}
    for finding in weak:
        worst.setdefault(names[finding.level], finding)
    return [f"{finding.level} ({finding.estimate:.1f} times)" for finding in worst.values()]

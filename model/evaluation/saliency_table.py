"""From maps to numbers: shares by region, agreement of methods, the test by shuffled weights, and the drawn truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.evaluation.findings import WHOLE, Finding
from model.evaluation.regions import GRID, PATCH_PX, REGIONS, area_shares, by_patch, region_shares
from model.evaluation.saliency import COMPLETENESS_TOLERANCE, FaceMaps
from model.evaluation.saliency_statistics import FaceBootstrap, estimate, per_face

PASSES, FAILS = "passes", "fails"
FOUND, NOT_FOUND = "found", "not found"
RESAMPLES = 500
FEWEST_FACES = 8
"""With fewer faces nothing is said of a map (ours)."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Looks:
    """Everything that was seen of the same n faces."""

    networks: Mapping[str, FaceMaps]
    """By name: face_age, face_survival, or one of them."""
    shuffled: Mapping[str, Sequence[Array]]
    """Integrated gradients (n, 112, 112) of the same networks with shuffled weights, one entry a shuffle."""
    truths: Mapping[str, Array] = field(default_factory=dict)
    """(n, 112, 112) where signs really are, for drawn faces."""

    @property
    def faces(self) -> int:
        """How many."""
        return len(next(iter(self.networks.values())).gradients)


def saliency_findings(looks: Looks, *, resamples: int = RESAMPLES, seed: int = 0) -> list[Finding]:
    """All numbers, with percentile intervals of bootstraps over faces (one a person).

    Correlations are Spearman's over the 49 patches; "of the averages" those of maps averaged over the faces, "per face"
    the mean of each face's own. Raises ValueError where there are fewer than `FEWEST_FACES` faces.
    """
    if looks.faces < FEWEST_FACES:
        raise ValueError(f"{looks.faces} faces are too few to say where a network looks; {FEWEST_FACES} are needed")
    resampler = FaceBootstrap(looks.faces, resamples, seed)
    findings: list[Finding] = []
    for name, maps in looks.networks.items():
        findings += _of_one_network(name, maps, looks.shuffled[name], resampler)
    findings += _between_networks(looks, resampler)
    findings += _by_region(looks, resampler)
    findings += _against_truth(looks, resampler)
    return findings


def _of_one_network(
    name: str, maps: FaceMaps, shuffled: Sequence[Array], resampler: FaceBootstrap
) -> Iterator[Finding]:
    faces = len(maps.gradients)
    few_steps = f"above {COMPLETENESS_TOLERANCE:g}: too few steps, read integrated gradients with care"
    note = few_steps if maps.completeness_error > COMPLETENESS_TOLERANCE else None
    yield Finding(f"{name}_completeness_error_sd", maps.completeness_error, photos=faces, people=faces, note=note)
    looked = by_patch(maps.gradients)
    yield _finding(f"{name}_methods_spearman_of_averages", resampler.correlations(looked, maps.occlusion), faces)
    agree = resampler.means(per_face(looked, maps.occlusion))[:, 0]
    yield _finding(f"{name}_methods_spearman_per_face", agree, faces)
    others = [by_patch(other) for other in shuffled]
    averages = np.mean([resampler.correlations(looked, other) for other in others], axis=0)
    yield _finding(f"{name}_shuffled_weights_spearman_of_averages", averages, faces)
    same = resampler.means(np.mean([per_face(looked, other) for other in others], axis=0))[:, 0]
    yield _finding(f"{name}_shuffled_weights_spearman_per_face", same, faces)
    margin = agree - same
    verdict = PASSES if estimate(margin)[1] > 0 else FAILS
    yield _finding(f"{name}_sanity_margin_spearman", margin, faces, note=verdict)


def _between_networks(looks: Looks, resampler: FaceBootstrap) -> Iterator[Finding]:
    """How far two networks look at the same places."""
    if len(looks.networks) == 2:
        one, other = looks.networks.values()
        alike = resampler.correlations(by_patch(one.gradients), by_patch(other.gradients))
        yield _finding("both_networks_gradients_spearman_of_averages", alike, looks.faces)
        alike = resampler.correlations(one.occlusion, other.occlusion)
        yield _finding("both_networks_occlusion_spearman_of_averages", alike, looks.faces)


def _by_region(looks: Looks, resampler: FaceBootstrap) -> Iterator[Finding]:
    """Shares of each map by region of the face, and of the area and of the truth for comparison."""
    for region, area in zip(REGIONS, area_shares(), strict=True):
        yield Finding("area_share", float(area), "region", region)
    shares: dict[str, Array] = {}
    for name, maps in looks.networks.items():
        shares[f"{name}_gradients_share"] = _shares(maps.gradients, resampler)
        shares[f"{name}_occlusion_share"] = _shares(_spread(maps.occlusion), resampler)
    if len(looks.networks) == 2:
        age, survival = (shares[f"{name}_gradients_share"] for name in ("face_age", "face_survival"))
        shares["survival_less_age_gradients_share"] = survival - age
    shares |= {f"true_{signs}_share": _shares(truth, resampler) for signs, truth in looks.truths.items()}
    for metric, by_region in shares.items():
        for column, region in enumerate(REGIONS):
            yield _finding(metric, by_region[:, column], looks.faces, at=("region", region))


def _against_truth(looks: Looks, resampler: FaceBootstrap) -> Iterator[Finding]:
    """Whether a map finds the drawn signs: it resembles their map, and more than that of shuffled weights does."""
    for signs, truth in looks.truths.items():
        at, true = ("drawn_signs", signs), by_patch(truth)
        resembles: dict[str, Array] = {}
        for name, maps in looks.networks.items():
            resembles[name] = resampler.correlations(by_patch(maps.gradients), true)
            shuffled = [resampler.correlations(by_patch(other), true) for other in looks.shuffled[name]]
            by_chance = np.mean(shuffled, axis=0)
            margin = resembles[name] - by_chance
            found = estimate(resembles[name])[1] > 0 and estimate(margin)[1] > 0
            yield _finding(f"{name}_true_map_spearman", resembles[name], looks.faces, at=at)
            yield _finding(f"{name}_shuffled_true_map_spearman", by_chance, looks.faces, at=at)
            verdict = FOUND if found else NOT_FOUND
            yield _finding(f"{name}_margin_spearman", margin, looks.faces, at=at, note=verdict)
        if len(resembles) == 2:
            differs = resembles["face_survival"] - resembles["face_age"]
            yield _finding("survival_less_age_true_map_spearman", differs, looks.faces, at=at)


def _shares(maps: Array, resampler: FaceBootstrap) -> Array:
    """(1 + resamples, 9) shares by region of the averaged map; 0 where the map is 0 everywhere."""
    summed = resampler.means(region_shares(maps))
    totals = summed.sum(axis=1, keepdims=True)
    return np.divide(summed, totals, out=np.zeros_like(summed), where=totals > 0)


def _spread(by_patches: Array) -> Array:
    """(n, 49) by patch -> (n, 112, 112), each patch's value spread evenly over its pixels."""
    grid = by_patches.reshape(-1, GRID, GRID) / PATCH_PX**2
    return grid.repeat(PATCH_PX, axis=1).repeat(PATCH_PX, axis=2)


def _finding(
    metric: str, values: Array, faces: int, *, at: tuple[str, str] = (WHOLE, WHOLE), note: str | None = None
) -> Finding:
    number, low, high = estimate(values)
    return Finding(metric, number, *at, photos=faces, people=faces, lower_95=low, upper_95=high, note=note)

"""Saliency: a network whose gaze is known is seen to look there, and maps that tell nothing are called out."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from model.align import ARCFACE_TEMPLATE
from model.detect import MtcnnDetector
from model.evaluation.regions import GRID, REGIONS, area_shares, by_patch, region_masks, region_shares
from model.evaluation.saliency import (
    FaceMaps,
    baseline_of,
    integrated_gradients,
    look,
    randomised,
    shuffled_gradients,
)
from model.evaluation.saliency_figures import map_figure, region_figure
from model.evaluation.saliency_statistics import FaceBootstrap, per_face
from model.evaluation.saliency_table import FAILS, FOUND, NOT_FOUND, PASSES, Looks, saliency_findings
from model.evaluation.saliency_truth import TruthfulFaces, faces_with_truth
from model.network import BiomarkerNetwork, NetworkConfig
from model.preprocessing import to_network_input
from model.release import ModelRelease, save_release
from model.training.people import UNSEEN_SEEDS, simulate_people

SMALL = NetworkConfig(hidden_size=32, layers=2, heads=2, mlp_size=64)
PNG_START = b"\x89PNG"


class Gaze(nn.Module):
    """Output: the pixels times a fixed map of weights, bent a little so that it is not linear."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights).float(), requires_grad=False)

    def forward(self, faces: Tensor) -> Tensor:
        seen = (faces.mean(dim=1) * self.weights).sum(dim=(1, 2))
        return seen + 0.1 * torch.tanh(seen)


class Scaled(nn.Module):
    """Another network's output in another unit."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        return 21.7 * self.network(faces) + 57.0


def some_faces(count: int = 10) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, size=(count, 112, 112, 3), dtype=np.uint8)


def one_patch(row: int, column: int) -> np.ndarray:
    weights = np.zeros((112, 112))
    weights[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 0.01
    return weights


def maps_of(gradients: np.ndarray, occlusion: np.ndarray | None = None) -> FaceMaps:
    return FaceMaps(gradients, by_patch(gradients) if occlusion is None else occlusion, 0.0)


def small_release(folder) -> ModelRelease:
    torch.manual_seed(2)
    age = BiomarkerNetwork(replace(SMALL, output_mean=57.0, output_sd=21.0))
    with torch.no_grad():
        age.head.weight.mul_(30)
    return save_release(
        folder, {"age": age}, model_id="small", trained_on_synthetic=True, training_data="none", intended_use="tests"
    )


@functools.cache
def drawn() -> TruthfulFaces:
    return faces_with_truth(simulate_people(10, UNSEEN_SEEDS, 78, ages="clinic").latents, MtcnnDetector(), 1)


def test_both_methods_find_the_one_patch_a_network_looks_at() -> None:
    maps = look(Gaze(one_patch(4, 2)), some_faces(), steps=16)
    for by_patches in (by_patch(maps.gradients), maps.occlusion):
        grid = by_patches.mean(axis=0).reshape(GRID, GRID)
        assert grid[4, 2] == pytest.approx(1.0, abs=1e-6)
    assert maps.completeness_error < 1e-3


@pytest.mark.parametrize("baseline", ["mean", "blurred"])
def test_attributions_of_a_released_network_add_up_to_the_change_of_its_output(tmp_path, baseline) -> None:
    network = small_release(tmp_path).network("age")
    inputs, compared_with = to_network_input(list(some_faces(4))), baseline_of(some_faces(4), baseline)
    maps, sums = integrated_gradients(network, inputs, compared_with, steps=48)
    with torch.no_grad():
        change = (network(inputs) - network(compared_with)).double().numpy()
    np.testing.assert_allclose(sums, change, rtol=0.02, atol=1e-3)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1.0)
    assert np.abs(change).min() > 1e-3, "the test would pass with no attribution at all"


def test_the_unit_of_the_output_changes_no_map(tmp_path) -> None:
    network = small_release(tmp_path).network("age")
    one, other = (look(each, some_faces(3), steps=8) for each in (network, Scaled(network)))
    np.testing.assert_allclose(one.gradients, other.gradients, atol=1e-7)
    np.testing.assert_allclose(one.occlusion, other.occlusion, atol=1e-4)


def test_a_network_without_gradients_is_refused() -> None:
    class Detached(Gaze):
        def forward(self, faces: Tensor) -> Tensor:
            return super().forward(faces).detach()

    with pytest.raises(ValueError, match="no gradient"):
        look(Detached(one_patch(1, 1)), some_faces(2))


def test_a_network_that_looks_nowhere_has_an_empty_map() -> None:
    maps = look(Gaze(np.zeros((112, 112))), some_faces(8), steps=4)
    assert not maps.gradients.any() and not maps.occlusion.any() and maps.completeness_error == 0.0
    findings = saliency_findings(Looks({"face_age": maps}, {"face_age": [maps.gradients]}), resamples=20)
    numbers = [finding.estimate for finding in findings]
    assert all(number is not None and math.isfinite(number) for number in numbers)


def test_shuffled_weights_keep_every_value_and_lose_the_gaze() -> None:
    network = Gaze(one_patch(4, 2))
    other = randomised(network, 1)
    np.testing.assert_array_equal(np.sort(other.weights, axis=None), np.sort(network.weights, axis=None))
    assert network.weights[64:80, 32:48].min() > 0, "the network itself was changed"
    (gradients,) = shuffled_gradients(network, some_faces(), shuffles=1, steps=8)
    assert by_patch(gradients).mean(axis=0).reshape(GRID, GRID)[4, 2] < 0.1


def test_the_sanity_check_passes_a_map_that_depends_on_the_weights_and_fails_one_that_does_not() -> None:
    strengths = np.random.default_rng(1).lognormal(sigma=1.5, size=(GRID, GRID)) * 0.001
    network, faces = Gaze(strengths.repeat(16, axis=0).repeat(16, axis=1)), some_faces(12)
    maps = look(network, faces, steps=8)
    shuffled = shuffled_gradients(network, faces, shuffles=2, steps=8)

    looks = Looks({"face_age": maps}, {"face_age": shuffled})
    margin = next(f for f in saliency_findings(looks, resamples=50) if f.metric == "face_age_sanity_margin_spearman")
    assert margin.note == PASSES and margin.lower_95 > 0.3
    edges = np.abs(np.diff(faces.astype(float).mean(axis=3), axis=1, append=0.0))
    always_the_same = FaceMaps(edges, by_patch(edges), 0.0)
    same = Looks({"face_age": always_the_same}, {"face_age": [edges]})
    margin = next(f for f in saliency_findings(same, resamples=50) if f.metric == "face_age_sanity_margin_spearman")
    assert margin.note == FAILS and margin.estimate == pytest.approx(0.0)


def test_every_pixel_is_of_one_region_and_landmarks_lie_where_they_belong() -> None:
    masks = region_masks()
    np.testing.assert_array_equal(masks.sum(axis=0), 1)
    assert area_shares().sum() == pytest.approx(1.0) and area_shares().min() > 0.03
    places = dict(zip(("left", "right", "nose", "mouth_left", "mouth_right"), ARCFACE_TEMPLATE, strict=True))
    expected = {"left": "eyes", "right": "eyes", "nose": "nose", "mouth_left": "mouth", "mouth_right": "mouth"}
    for landmark, (x, y) in places.items():
        assert REGIONS[int(masks[:, round(y), round(x)].argmax())] == expected[landmark]
    for region, (x, y) in {"forehead": (56, 25), "chin_and_jaw": (56, 108), "hair": (4, 4), "background": (2, 110),
                           "cheeks": (28, 72), "temples": (24, 34)}.items():  # fmt: skip
        assert REGIONS[int(masks[:, y, x].argmax())] == region


def test_shares_by_region_add_up_and_follow_the_map() -> None:
    everywhere = np.ones((2, 112, 112)) / 112**2
    np.testing.assert_allclose(region_shares(everywhere), np.tile(area_shares(), (2, 1)))
    mouth_only = region_masks()[REGIONS.index("mouth")][None].astype(float)
    assert region_shares(mouth_only / mouth_only.sum())[0, REGIONS.index("mouth")] == pytest.approx(1.0)


def test_rank_correlations_are_spearmans() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.integers(0, 6, size=(2, 5, 49)).astype(float)
    known = [spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(per_face(one, other)[:, 0], known)
    one, other = rng.random(size=(2, 5, 49))
    of_averages = FaceBootstrap(5, 10, 0).correlations(one, other)
    assert of_averages[0] == pytest.approx(spearmanr(one.mean(axis=0), other.mean(axis=0)).statistic)


def test_the_drawn_truth_lies_where_the_signs_are_drawn() -> None:
    truths = drawn().truths
    assert len(drawn().faces) == 10
    shares = {signs: region_shares(truth).sum(axis=0) / truth.sum() for signs, truth in truths.items()}
    of = {signs: dict(zip(REGIONS, values, strict=True)) for signs, values in shares.items()}
    assert of["lifted_signs"]["hair"] < 0.01 < 0.2 < of["lifted_signs"]["eyes"], "a surgeon lifts lids, not hair"
    assert of["age_signs"]["hair"] > 0.25, "hair greys"
    assert of["frailty_signs"]["hair"] < 0.15 and of["frailty_signs"]["temples"] > 0.08, "temples waste"


def test_a_network_that_reads_the_frailty_signs_is_seen_to_find_them_and_no_others() -> None:
    faces, truths = drawn().faces, drawn().truths
    networks = {"face_age": Gaze(0.001 * truths["age_signs"].mean(axis=0)),
                "face_survival": Gaze(0.001 * truths["frailty_signs"].mean(axis=0))}  # fmt: skip
    looks = Looks(
        {name: look(network, faces, steps=8) for name, network in networks.items()},
        {name: shuffled_gradients(network, faces, shuffles=2, steps=8) for name, network in networks.items()},
        truths,
    )
    findings = saliency_findings(looks, resamples=200)
    found = {(finding.metric, finding.level): finding for finding in findings}
    assert found["face_survival_margin_spearman", "frailty_signs"].note == FOUND
    assert found["face_survival_margin_spearman", "age_signs"].note == NOT_FOUND
    assert found["face_age_margin_spearman", "age_signs"].note == FOUND
    assert found["survival_less_age_true_map_spearman", "frailty_signs"].lower_95 > 0
    shares = [finding for finding in findings if finding.metric == "face_survival_gradients_share"]
    assert [finding.level for finding in shares] == list(REGIONS)
    assert sum(finding.estimate for finding in shares) == pytest.approx(1.0)
    assert len(found) == len(findings)
    for png in (map_figure(looks, faces), map_figure(replace(looks, truths={}), None), region_figure(findings)):
        assert png.startswith(PNG_START)


def test_few_faces_are_refused() -> None:
    maps = maps_of(np.ones((3, 112, 112)))
    with pytest.raises(ValueError, match="3 faces are too few"):
        saliency_findings(Looks({"face_age": maps}, {"face_age": [maps.gradients]}))

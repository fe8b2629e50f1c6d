"""The MTCNN cascade (Zhang et al., 2016), driven in batches over images of different sizes.

The three networks and their weights are facenet-pytorch's. Its own driver takes images of one size only and resizes
every candidate by itself in torch; this one runs the proposal network per size, and the two that refine proposals
once for the whole batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.ops.boxes import batched_nms

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

PROPOSAL_STRIDE, PROPOSAL_CELL = 2, 12
REFINE_PX, OUTPUT_PX = 24, 48
CROPS_PER_FORWARD = 512


@dataclass(frozen=True)
class CascadeSettings:
    """Thresholds of the published cascade."""

    proposal_probability: float = 0.6
    refined_probability: float = 0.7
    face_probability: float = 0.7
    pyramid_factor: float = 0.709


class Faces(NamedTuple):
    """The faces of one image: boxes (N, 4) left, top, right, bottom; probabilities (N,); landmarks (N, 5, 2)."""

    boxes: Floats
    probabilities: Floats
    landmarks: Floats


class Cascade:
    """Proposal, refinement and output network, one after the other."""

    def __init__(self, device: str | torch.device, settings: CascadeSettings) -> None:
        self._device = torch.device(device)
        self._settings = settings
        self._propose, self._refine, self._output = (
            net().eval().requires_grad_(False).to(self._device) for net in (PNet, RNet, ONet)
        )

    @torch.inference_mode()
    def run(self, images: Sequence[Image], smallest_face_px: int) -> list[Faces]:
        """Find faces at least `smallest_face_px` wide in uint8 RGB (H, W, 3) images of any sizes."""
        boxes, owners = self._proposals(images, smallest_face_px)
        boxes, owners = self._refined(images, boxes, owners)
        return self._faces(images, boxes, owners)

    def _proposals(self, images: Sequence[Image], smallest_face_px: int) -> tuple[Floats, NDArray[np.int64]]:
        """Square candidate boxes (N, 4) over the whole batch, and for each the index of its image (N,)."""
        indices_of_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, image in enumerate(images):
            indices_of_shape[image.shape].append(index)
        boxes, scores, shifts, owners = [], [], [], []
        for shape, indices in indices_of_shape.items():
            pixels = torch.from_numpy(np.stack([images[index] for index in indices])).to(self._device)
            pixels = pixels.permute(0, 3, 1, 2).float()
            for scale in self._pyramid(min(shape[:2]), smallest_face_px):
                level_size = (int(shape[0] * scale + 1), int(shape[1] * scale + 1))
                found = self._proposals_at(interpolate(pixels, size=level_size, mode="area"), scale)
                keep = batched_nms(found[:, :4], found[:, 4], found[:, 9].long(), 0.5)
                found = found[keep].cpu()
                boxes.append(found[:, :4])
                scores.append(found[:, 4])
                shifts.append(found[:, 5:9])
                owners.append(torch.as_tensor(indices)[found[:, 9].long()])
        if not boxes:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
        box, score, shift, owner = torch.cat(boxes), torch.cat(scores), torch.cat(shifts), torch.cat(owners)
        keep = batched_nms(box, score, owner, 0.7)
        box, shift, owner = box[keep], shift[keep], owner[keep]
        side = (box[:, 2:] - box[:, :2]).repeat(1, 2)
        return _squared((box + shift * side).numpy()), owner.numpy()

    def _pyramid(self, shortest_side: int, smallest_face_px: int) -> list[float]:
        scale, scales = PROPOSAL_CELL / smallest_face_px, []
        while shortest_side * scale >= PROPOSAL_CELL:
            scales.append(scale)
            scale *= self._settings.pyramid_factor
        return scales

    def _proposals_at(self, level: Tensor, scale: float) -> Tensor:
        """Candidates of one pyramid level, (N, 10): box, score, four shifts relative to the box, image within level."""
        shift, probability = self._propose(_normalised(level))
        hits = (probability[:, 1] >= self._settings.proposal_probability).nonzero()
        image, row, column = hits.T
        corner = torch.stack([column, row], dim=1).float() * PROPOSAL_STRIDE
        return torch.cat(
            [
                ((corner + 1) / scale).floor(),
                ((corner + PROPOSAL_CELL) / scale).floor(),
                probability[image, 1, row, column, None],
                shift[image, :, row, column],
                image[:, None].float(),
            ],
            dim=1,
        )

    def _refined(
        self, images: Sequence[Image], boxes: Floats, owners: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.int64]]:
        crops, boxes, owners = _crops(images, boxes, owners, REFINE_PX)
        if not len(boxes):
            return boxes, owners
        shift, probability = self._forward(self._refine, crops)
        score = probability[:, 1]
        passed = score > self._settings.refined_probability
        boxes, score, shift, owners = boxes[passed], score[passed], shift[passed], owners[passed]
        keep = _kept(boxes, score, owners, 0.7)
        return _squared(_shifted(boxes[keep], shift[keep])), owners[keep]

    def _faces(self, images: Sequence[Image], boxes: Floats, owners: NDArray[np.int64]) -> list[Faces]:
        crops, boxes, owners = _crops(images, boxes, owners, OUTPUT_PX)
        if not len(boxes):
            return [_no_faces() for _ in images]
        shift, points, probability = self._forward(self._output, crops)
        score = probability[:, 1]
        passed = score > self._settings.face_probability
        boxes, score, shift, points = boxes[passed], score[passed], shift[passed], points[passed]
        owners = owners[passed]
        size = boxes[:, 2:] - boxes[:, :2] + 1
        # The networks count pixels from one, as the authors' MATLAB did: hence the ones.
        landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * size[:, None] + boxes[:, None, :2] - 1
        boxes = _shifted(boxes, shift)
        faces = []
        for index in range(len(images)):
            own = np.flatnonzero(owners == index)
            own = own[_kept_by_smaller_overlap(boxes[own], score[own], 0.7)]
            faces.append(Faces(boxes[own], score[own], landmarks[own].astype(np.float32)))
        return faces

    def _forward(self, network: nn.Module, crops: NDArray[np.uint8]) -> tuple[Floats, ...]:
        """Run a refining network over uint8 crops (N, S, S, 3) in bounded batches."""
        outputs = []
        for start in range(0, len(crops), CROPS_PER_FORWARD):
            batch = torch.from_numpy(crops[start : start + CROPS_PER_FORWARD]).to(self._device)
            outputs.append(network(_normalised(batch.permute(0, 3, 1, 2).float())))
        return tuple(torch.cat(parts).cpu().numpy() for parts in zip(*outputs, strict=True))


def _normalised(pixels: Tensor) -> Tensor:
    return (pixels - 127.5) * 0.0078125


def _no_faces() -> Faces:
    return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def _crops(
    images: Sequence[Image], boxes: Floats, owners: NDArray[np.int64], side: int
) -> tuple[NDArray[np.uint8], Floats, NDArray[np.int64]]:
    """Each box's part of its image, clipped to the image, as (N, side, side, 3); boxes wholly outside are dropped."""
    crops, kept = [], []
    for number, ((left, top, right, bottom), owner) in enumerate(zip(np.trunc(boxes).astype(int), owners, strict=True)):
        image = images[owner]
        left, top = max(left, 1), max(top, 1)
        right, bottom = min(right, image.shape[1]), min(bottom, image.shape[0])
        if right >= left and bottom >= top:
            part = image[top - 1 : bottom, left - 1 : right]
            crops.append(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))
            kept.append(number)
    stacked = np.stack(crops) if crops else np.zeros((0, side, side, 3), np.uint8)
    return stacked, boxes[kept], owners[kept]


def _squared(boxes: Floats) -> Floats:
    """Boxes made square about their centres, by the longer side."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True) if len(boxes) else np.zeros((0, 1), np.float32)
    corner = boxes[:, :2] + size * 0.5 - side * 0.5
    return np.hstack([corner, corner + side]).astype(np.float32)


def _shifted(boxes: Floats, shift: Floats) -> Floats:
    size = np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)
    return (boxes + shift * size).astype(np.float32)


def _kept(boxes: Floats, scores: Floats, owners: NDArray[np.int64], overlap: float) -> NDArray[np.int64]:
    keep = batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(owners), overlap)
    return keep.numpy()


def _kept_by_smaller_overlap(boxes: Floats, scores: Floats, overlap: float) -> NDArray[np.int64]:
    """Non-maximum suppression by intersection over the smaller box, which also drops a box inside another."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    order, keep = np.argsort(-scores), []
    while len(order):
        best, rest = order[0], order[1:]
        keep.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.clip(high - low + 1, 0, None), axis=1)
        order = rest[shared / np.minimum(area[best], area[rest]) <= overlap]
    return np.array(keep, dtype=np.int64)

"""What is refused, with a message that says why: damaged files, code, wrong shapes, missing and unknown weights."""

from __future__ import annotations

import argparse
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from model.errors import WeightsRefused
from model.weights_import.convert import convert
from model.weights_import.limits import Limits
from model.weights_import.process import import_file
from model.weights_import.reading import read_checkpoint
from model.weights_import.wish import Wish
from tests.model.weights_import.checkpoints import (
    FaceAgeNetwork,
    MaskedAutoencoder,
    Size,
    old_names,
    timm_vit,
    with_a_life,
)

State = dict[str, Tensor]
AGE = Wish("age", heads=3)
CLS = "vit.embeddings.cls_token"
POSITIONS = "vit.embeddings.position_embeddings"
QUERY = "vit.encoder.layer.1.attention.attention.query.weight"


@pytest.fixture
def state() -> State:
    return dict(old_names(with_a_life(FaceAgeNetwork()).state_dict()))


def put(state: State, key: str, value: Tensor) -> None:
    state[key] = value


def spoil(state: State, key: str, number: float) -> None:
    state[key] = state[key].clone()
    state[key].view(-1)[-1] = number


DAMAGE: list[tuple[Callable[[State], object], str]] = [
    (lambda s: s.pop(QUERY), "missing: vit.encoder.layer.1.attention.attention.query.weight"),
    (lambda s: s.pop("vit.layernorm.bias"), "missing: vit.layernorm.bias"),
    (lambda s: s.pop(POSITIONS), "missing"),
    (lambda s: s.pop("vit.embeddings.patch_embeddings.projection.weight"), "missing"),
    (lambda s: [s.pop(key) for key in list(s) if ".layer.1." in key], "missing"),
    (lambda s: [s.pop(key) for key in list(s) if ".layer." in key], "missing"),
    (lambda s: s.pop(CLS), r"0 |no \[CLS\]"),
    (lambda s: put(s, "second.embeddings.cls_token", s[CLS]), r"2 \[CLS\] tokens"),
    (lambda s: put(s, "vit.encoder.layer.0.ls1.gamma", torch.ones(48)), "does not have: vit.encoder.layer.0.ls1.gamma"),
    (lambda s: put(s, "vit.encoder.layer.99.layernorm_after.bias", torch.ones(48)), "layers is 100"),
    (lambda s: put(s, QUERY, torch.zeros(48, 47)), r"has the shape \(48, 47\), not \(48, 48\)"),
    (lambda s: put(s, CLS, torch.zeros(48)), r"not \(1, 1, width\)"),
    (lambda s: put(s, CLS, torch.zeros(1, 1, 9000)), "hidden_size is 9000"),
    (lambda s: put(s, POSITIONS, torch.zeros(1, 197, 48)), "those of 224 px, not 112"),
    (lambda s: put(s, POSITIONS, torch.zeros(1, 49, 48)), "49 positions"),
    (lambda s: put(s, POSITIONS, torch.zeros(50, 48)), "patches"),
    (lambda s: spoil(s, QUERY, math.nan), "NaN or infinity"),
    (lambda s: spoil(s, "age_head.bias", math.inf), "NaN or infinity"),
    (lambda s: put(s, QUERY, torch.zeros(48, 48, dtype=torch.int64)), "floating-point"),
    (lambda s: [s.pop("age_head.weight"), s.pop("age_head.bias")], "no head"),
    (lambda s: put(s, "age_head.weight", torch.zeros(2, 48)), "not one linear layer with one output"),
    (lambda s: put(s, "age_head.weight", torch.zeros(1, 47)), "not one linear layer with one output"),
    (lambda s: put(s, "other_head.weight", torch.zeros(1, 48)), "not one linear layer"),
    (lambda s: put(s, "head_norm.weight", torch.zeros(48)), "not one linear layer"),
    (lambda s: put(s, "buffer", torch.zeros(3)), "not one linear layer"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_weights_that_do_not_fit_are_refused_by_name(
    state: State, damage: Callable[[State], object], message: str
) -> None:
    convert({"model_state_dict": state}, AGE)
    damage(state)
    with pytest.raises(WeightsRefused, match=message):
        convert({"model_state_dict": state}, AGE)


@pytest.mark.parametrize("head", [{}, {"fc.weight": torch.ones(1, 48)}, {"w": torch.ones(48), "b": torch.tensor(2.0)}])
def test_a_head_of_any_name_with_or_without_a_bias(state: State, head: State) -> None:
    encoder = {key: value for key, value in state.items() if key.startswith("vit.")}
    if not head:
        with pytest.raises(WeightsRefused, match="import it as `face`"):
            convert(encoder, AGE)
        return
    converted = convert(encoder | head, AGE)
    assert converted.state["head.weight"].shape == (1, 48)
    assert converted.state["head.bias"].item() == (2.0 if "b" in head else 0.0)


def test_an_encoder_may_leave_one_linear_head_behind_and_nothing_else(state: State) -> None:
    imagenet = timm_vit(num_classes=1000).state_dict()
    assert any("head was left out" in note for note in convert(imagenet, Wish("face", heads=3)).notes)
    state["head_norm.weight"] = torch.zeros(48)
    with pytest.raises(WeightsRefused, match="neither the encoder's nor one linear head's"):
        convert(state, Wish("face", heads=3))


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ([1, 2], "no dictionary"),
        ({}, "no weights"),
        ({"epoch": 3}, "no weights under model_state_dict"),
        ({"model": {"a": torch.zeros(1)}, "state_dict": {"a": torch.zeros(1)}}, "several sets"),
        ({"model": {"conv1.weight": torch.zeros(64, 3, 7, 7)}}, "not one ViT encoder"),
    ],
)
def test_a_file_of_something_else_is_refused(checkpoint: object, message: str) -> None:
    with pytest.raises(WeightsRefused, match=message):
        convert(checkpoint, AGE)


def test_what_only_timm_has(state: State) -> None:
    with pytest.raises(WeightsRefused, match="mean of the patches"):
        convert(timm_vit(global_pool="avg").state_dict(), AGE)
    for options in ({"init_values": 1.0}, {"reg_tokens": 2}, {"class_token": False}, {"no_embed_class": True}):
        with pytest.raises(WeightsRefused):
            convert(timm_vit(**{"global_pool": "avg", "fc_norm": False, **options}).state_dict(), AGE)


def test_heads_are_told_where_the_width_does_not_tell_them(state: State) -> None:
    with pytest.raises(WeightsRefused, match="say how many heads"):
        convert(state, Wish("age"))
    with pytest.raises(WeightsRefused, match="among 5 heads"):
        convert(state, Wish("age", heads=5))
    with pytest.raises(WeightsRefused, match="do not divide"):
        convert(timm_vit(Size(patch=15, image=105)).state_dict(), AGE)


def test_names_out_of_a_file_are_shown_short_and_printable(state: State) -> None:
    state["vit.\x1b[31m" + "x" * 500] = torch.zeros(1)
    with pytest.raises(WeightsRefused) as refusal:
        convert(state, AGE)
    assert len(str(refusal.value)) < 300
    assert str(refusal.value).isprintable()


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_with_code_in_it_is_refused_and_does_not_run(state: State, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    for number, save in enumerate((torch.save, lambda thing, file: file.write_bytes(pickle.dumps(thing)))):
        file = tmp_path / f"trap{number}.pth"
        save({"model_state_dict": state, "extra": Trap(sprung)}, file)
        with pytest.raises(WeightsRefused, match="code"):
            import_file(file, AGE, scratch=tmp_path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists(), "the trap would have worked"


def save_zip(state: State, file: Path) -> None:
    torch.save({"model_state_dict": state}, file)


def save_old(state: State, file: Path) -> None:
    torch.save({"model_state_dict": state}, file, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(("save", "suffix"), [(save_zip, "pth"), (save_old, "pth"), (save_file, "safetensors")])
def test_a_file_cut_short_is_refused(
    state: State, tmp_path: Path, save: Callable[[State, Path], None], suffix: str
) -> None:
    file = tmp_path / f"checkpoint.{suffix}"
    save(state, file)
    convert(read_checkpoint(file), AGE)
    content = file.read_bytes()
    for kept in (0, 10, 700, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:kept])
        with pytest.raises(WeightsRefused, match=r"cut short|no checkpoint|damaged"):
            read_checkpoint(file)


def test_a_flipped_byte_in_a_checkpoint_is_found(state: State, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    save_zip(state, file)
    content = bytearray(file.read_bytes())
    where = content.index(state[QUERY].numpy().tobytes()[:16])
    content[where] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsRefused, match="damaged"):
        read_checkpoint(file)


def test_the_command_line_in_a_checkpoint_of_the_mae_release_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint-799.pth"
    torch.save({"model": MaskedAutoencoder().state_dict(), "args": argparse.Namespace(blr=1.5e-4), "epoch": 799}, file)
    assert convert(read_checkpoint(file), Wish("face", heads=3)).layout == "mae"


def test_a_small_file_of_a_huge_tensor_is_refused(state: State, tmp_path: Path) -> None:
    """Strides of zero make a hundred thousand million numbers of one."""
    file = tmp_path / "huge.pth"
    state["vit.embeddings.patch_embeddings.projection.bias"] = torch.zeros(1).expand(10**11)
    torch.save({"model_state_dict": state}, file)
    with pytest.raises(WeightsRefused, match="has the shape"):
        convert(read_checkpoint(file), AGE)


def test_a_file_that_asks_for_more_memory_than_it_may_is_refused(tmp_path: Path) -> None:
    """Every weight of a large network, each a view of one number: few bytes in the file, gigabytes in memory."""
    width, layers, mlp = 4096, 24, 16384
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 50, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for layer in range(layers):
        for name, shape in (
            ("norm1.weight", (width,)), ("norm1.bias", (width,)), ("norm2.weight", (width,)), ("norm2.bias", (width,)),
            ("attn.qkv.weight", (3 * width, width)), ("attn.qkv.bias", (3 * width,)),
            ("attn.proj.weight", (width, width)), ("attn.proj.bias", (width,)), ("mlp.fc1.weight", (mlp, width)),
            ("mlp.fc1.bias", (mlp,)), ("mlp.fc2.weight", (width, mlp)), ("mlp.fc2.bias", (width,)),
        ):  # fmt: skip
            shapes[f"blocks.{layer}.{name}"] = shape
    file = tmp_path / "small.pth"
    torch.save({name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}, file)
    assert file.stat().st_size < 2**20
    with pytest.raises(WeightsRefused, match="memory"):
        import_file(file, Wish("face"), scratch=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["small.pth"]


def test_a_file_that_takes_too_long_is_refused(state: State, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    save_zip(state, file)
    with pytest.raises(WeightsRefused, match=r"took longer|limits on time"):
        import_file(file, AGE, scratch=tmp_path, limits=Limits(seconds=0))


def test_files_that_are_not_looked_into(state: State, tmp_path: Path) -> None:
    with pytest.raises(WeightsRefused, match="no such file"):
        import_file(tmp_path / "none.pth", AGE, scratch=tmp_path)
    file = tmp_path / "checkpoint.pth"
    save_zip(state, file)
    with pytest.raises(WeightsRefused, match="larger than"):
        import_file(file, AGE, scratch=tmp_path, limits=Limits(largest_file_bytes=1000))


def test_a_file_with_another_sha256_than_its_publisher_tells(state: State, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pth"
    save_zip(state, file)
    with pytest.raises(WeightsRefused, match="SHA-256"):
        import_file(file, AGE, scratch=tmp_path, expected_sha256="0" * 64)


FENCED = """
import os, socket, subprocess, sys
from model.weights_import.limits import Limits, put_up_fences
put_up_fences(0, Limits())
attempts = {
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "program": lambda: subprocess.run(["/bin/true"]),
    "shell": lambda: os.system("true"),
    "fork": os.fork,
    "memory": lambda: bytearray(3 * 2**30),
    "remove": lambda: os.remove(sys.argv[1]),
    "file": lambda: open(sys.argv[1], "wb").write(bytes(2**20)),
}
for name, attempt in attempts.items():
    try:
        attempt()
        print(name, "went through")
    except (PermissionError, MemoryError) as error:
        print(name, type(error).__name__)
"""


def test_the_process_that_reads_it_can_reach_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("still here")
    process = subprocess.run(
        [sys.executable, "-c", FENCED, str(victim)], capture_output=True, text=True, check=True, timeout=60
    )
    assert process.stdout.splitlines() == [
        "connect PermissionError",
        "program PermissionError",
        "shell PermissionError",
        "fork PermissionError",
        "memory MemoryError",
        "remove PermissionError",
        "file PermissionError",
    ]
    assert victim.read_text() == "still here"

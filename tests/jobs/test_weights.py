"""Releases of a hospital: brought in, listed, promoted, withdrawn; and which one a night scores with."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from jobs.archive import archive
from jobs.errors import ModelRefused, SettingsError, UsageError
from jobs.landing import landing_partition
from jobs.nightly import nightly
from jobs.publish import publish
from jobs.releases import DEFAULT_MODEL, current_release, scored_model_id
from jobs.score import score
from jobs.settings import Settings
from jobs.spark_conf import submit_conf
from jobs.weights import list_releases, promote, show_release
from jobs.weights_cli import app, show_list
from jobs.weights_import import Description, import_weights
from model.drawing import draw_face, random_conditions, random_latents
from model.release import ModelRelease, save_release
from model.weights_import import process
from model.weights_import.wish import Wish
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS, land, photo, rows
from tests.model.releases import small_release
from tests.model.weights_import.checkpoints import FaceAgeNetwork, hugging_face_mae, old_names, with_a_life
from tests.nights.photograph import jpeg_bytes

NIGHT = date(2026, 3, 2)
DESCRIPTION = Description("faces of the public", "CC-BY-4.0", "research", False)
AGE = Wish("age", heads=3, output_mean=60.0, output_sd=12.0)


@pytest.fixture
def hospital(settings: Settings) -> Settings:
    """A home with two releases of the hospital's, random-small-1 and random-small-2; nothing was promoted."""
    for seed in (1, 2):
        small_release(settings.models / f"random-small-{seed}", seed=seed)
    return settings.model_copy(update={"score_batch_size": 4})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small FaceAge network as it would be published."""
    file = tmp_path / "fahr_faceage.pth"
    torch.save({"model_state_dict": old_names(with_a_life(FaceAgeNetwork()).state_dict())}, file)
    return file


def accept_faces(settings: Settings, engine: Engine, count: int) -> None:
    """Land and accept photographs of drawn faces."""
    faces = []
    for number in range(1, count + 1):
        rng = np.random.default_rng(number)
        drawn = draw_face(random_latents(rng), random_conditions(rng), 320).pixels
        faces.append(photo(number, content=jpeg_bytes(drawn)))
    pull = land(settings, engine, faces, night=NIGHT)
    assert landing_partition(settings.landing, pull).is_dir()
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fahr.validation_v1 SELECT photo_id, content_sha256, true, NULL, '{}', :night, run_id"
                " FROM fahr.photo_v1"
            ),
            {"night": NIGHT},
        )


def state(engine: Engine) -> dict[str, Any]:
    """What an analyst sees: scores by model, which are current, and for whom coverage speaks."""
    return {
        "scores": {
            row.model_id: (row.is_current_model, row.photos)
            for row in rows(
                engine, "SELECT model_id, is_current_model, count(*) AS photos FROM fahr.face_score GROUP BY 1, 2"
            )
        },
        "coverage": {
            (row.model_id, row.status): row.photos
            for row in rows(engine, "SELECT model_id, status, count(*) AS photos FROM fahr.coverage GROUP BY 1, 2")
        },
    }


class TestPromotion:
    pytestmark = IMPORTS_GREAT_EXPECTATIONS

    def test_a_promoted_model_scores_and_the_old_ones_scores_stay(self, hospital, engine, spark):
        accept_faces(hospital, engine, 3)

        def night() -> dict[str, int]:
            counts = score(settings=hospital, engine=engine, spark=spark, night=NIGHT)
            publish(settings=hospital, engine=engine, night=NIGHT)
            return counts | archive(settings=hospital, engine=engine, spark=spark, night=NIGHT)

        promote(hospital, engine, model="random-small-1", reason="the first")
        assert night()["scored"] == 3
        promote(hospital, engine, model="random-small-2")
        # Promoted, but no night has come yet: the views go on speaking for the one that scored.
        assert state(engine)["coverage"] == {("random-small-1", "scored"): 3}
        assert night()["scored"] == 3
        assert state(engine) == {
            "scores": {"random-small-1": (False, 3), "random-small-2": (True, 3)},
            "coverage": {("random-small-2", "scored"): 3},
        }

        promote(hospital, engine, model="random-small-1", reason="the second was worse")
        went_back = {
            "scores": {"random-small-1": (True, 3), "random-small-2": (False, 3)},
            "coverage": {("random-small-1", "scored"): 3},
        }
        assert state(engine) == went_back
        before = rows(engine, "SELECT * FROM fahr.face_score_v1 ORDER BY 1, 2")
        assert night() == {}
        assert rows(engine, "SELECT * FROM fahr.face_score_v1 ORDER BY 1, 2") == before
        assert state(engine) == went_back
        assert [tuple(row) for row in rows(
            engine, "SELECT model_id, reason, holds FROM fahr.model_promotion ORDER BY promotion_id"
        )] == [
            ("random-small-1", "the first", False),
            ("random-small-2", None, False),
            ("random-small-1", "the second was worse", True),
        ]  # fmt: skip

    def test_a_night_makes_good_what_another_setting_left(self, hospital, engine, spark):
        """FAHR_MODEL made one night score with another release: the next without it speaks for the promoted again."""
        accept_faces(hospital, engine, 1)
        promote(hospital, engine, model="random-small-1")
        score(settings=hospital, engine=engine, spark=spark, night=NIGHT)
        other = hospital.model_copy(update={"model": "random-small-2"})
        score(settings=other, engine=engine, spark=spark, night=NIGHT)
        publish(settings=hospital, engine=engine, night=NIGHT)
        with engine.connect() as connection:
            assert scored_model_id(connection) == "random-small-2"
        assert score(settings=hospital, engine=engine, spark=spark, night=NIGHT) == {"current_again": 1}
        with engine.connect() as connection:
            assert scored_model_id(connection) == "random-small-1"


def test_a_model_that_was_registered_but_not_promoted_is_never_used(hospital, engine):
    assert current_release(hospital, engine).model_id == DEFAULT_MODEL
    promote(hospital, engine, model="random-small-2")
    assert current_release(hospital, engine).model_id == "random-small-2"
    named = hospital.model_copy(update={"model": "random-small-1"})
    assert current_release(named, engine).model_id == "random-small-1"


def test_promoting_what_is_promoted_leaves_no_trace(hospital, engine):
    assert promote(hospital, engine, model="random-small-1") is not None
    assert promote(hospital, engine, model="random-small-1") is None
    assert rows(engine, "SELECT count(*) FROM fahr.model_promotion") == [(1,)]
    assert rows(engine, "SELECT stage, status, model_id FROM fahr.run") == [("promote", "succeeded", "random-small-1")]


def flip_a_byte(release: Path) -> None:
    content = bytearray((release / "age.safetensors").read_bytes())
    content[-1] ^= 1
    (release / "age.safetensors").write_bytes(content)


def exchange(release: Path) -> None:
    """Other weights under the same name, with a manifest that agrees with them."""
    other = small_release(release.with_name("other"), seed=9)
    manifest = (other.folder / "manifest.json").read_text()
    for file in other.folder.glob("*.safetensors"):
        file.replace(release / file.name)
    (release / "manifest.json").write_text(manifest.replace(other.model_id, release.name))


@pytest.mark.parametrize("harm", [flip_a_byte, exchange, lambda release: (release / "manifest.json").unlink()])
def test_a_promoted_release_that_was_altered_stops_the_night_before_it_begins(hospital, engine, harm):
    promote(hospital, engine, model="random-small-1")
    harm(hospital.models / "random-small-1")
    with pytest.raises(ModelRefused) as refusal:
        nightly(settings=hospital, engine=engine, night=NIGHT)
    assert refusal.value.exit_code == 12
    assert rows(engine, "SELECT count(*) FROM fahr.run WHERE stage <> 'promote'") == [(0,)]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda models: flip_a_byte(models / "random-small-1"), "SHA-256"),
        (lambda models: (models / "random-small-1").rename(models / "moved"), "no model release"),
        (lambda models: (models / "random-small-1" / "manifest.json").write_text("{}"), "incomplete"),
    ],
)
def test_what_cannot_be_promoted(hospital, engine, prepare: Callable[[Path], object], message: str):
    prepare(hospital.models)
    with pytest.raises(ModelRefused, match=message):
        promote(hospital, engine, model="random-small-1")
    assert rows(engine, "SELECT count(*) FROM fahr.model_promotion") == [(0,)]


def test_other_weights_under_a_promoted_name_are_not_promoted_either(hospital, engine):
    promote(hospital, engine, model="random-small-1")
    promote(hospital, engine, model="random-small-2")
    exchange(hospital.models / "random-small-1")
    with pytest.raises(ModelRefused, match="with other weights"):
        promote(hospital, engine, model="random-small-1")


def test_a_release_elsewhere_or_under_another_name_is_not_promoted(hospital, engine, tmp_path):
    elsewhere = small_release(tmp_path / "elsewhere", seed=3).folder
    with pytest.raises(ModelRefused, match="find it by name"):
        promote(hospital, engine, model=str(elsewhere))
    elsewhere.rename(hospital.models / "elsewhere")
    with pytest.raises(ModelRefused, match="folder of another name"):
        promote(hospital, engine, model="elsewhere")


def test_an_encoder_alone_neither_scores_nor_is_promoted(hospital, engine):
    networks = {"face": ModelRelease.load(hospital.models / "random-small-1").network("age")}
    save_release(
        hospital.models / "encoder",
        networks,
        model_id="encoder",
        trained_on_synthetic=True,
        training_data="nothing",
        intended_use="tests",
    )
    with pytest.raises(ModelRefused, match="no age network"):
        promote(hospital, engine, model="encoder")
    with pytest.raises(ModelRefused, match="no age network"):
        current_release(hospital.model_copy(update={"model": "encoder"}), engine)


def test_executors_are_given_the_folder_that_the_driver_chose(hospital):
    assert "spark.executorEnv.FAHR_MODEL" not in submit_conf(hospital, scores=True)
    folder = hospital.models / "random-small-1"
    assert submit_conf(hospital, scores=True, release=folder)["spark.executorEnv.FAHR_MODEL"] == str(folder)


class TestImport:
    def test_a_published_file_becomes_a_release_that_scores_once_promoted(self, settings, engine, checkpoint):
        release = import_weights(settings, file=checkpoint, name="faceage-1", wish=AGE, description=DESCRIPTION)
        assert (release.folder, release.biomarkers) == (settings.models / "faceage-1", ("age",))
        assert current_release(settings, engine).model_id == DEFAULT_MODEL
        promote(settings, engine, model="faceage-1")
        network = current_release(settings, engine).network("age")
        theirs = with_a_life(FaceAgeNetwork())
        faces = torch.randn(2, 3, 112, 112)
        with torch.no_grad():
            torch.testing.assert_close(network(faces), theirs(faces) * 12 + 60, rtol=0, atol=1e-4)
        facts = dict(show_release(settings, engine, "faceage-1"))
        assert facts["licence"] == "CC-BY-4.0"
        assert "imported from a file in hugging-face layout, SHA-256" in facts["network age"]
        assert facts["promoted"].endswith("holds")

    def test_networks_are_added_in_a_new_release_and_the_old_one_stays(self, settings, checkpoint, tmp_path):
        first = import_weights(settings, file=checkpoint, name="one", wish=AGE, description=DESCRIPTION)
        file = tmp_path / "fahr_face.pth"
        torch.save({"model_state_dict": hugging_face_mae().state_dict()}, file)
        drawn = Description("drawn faces", "CC-BY-4.0", "research", True)
        face = Wish("face", heads=3)
        both = import_weights(settings, file=file, name="two", wish=face, description=drawn, add_to="one")
        assert set(both.networks) == {"age", "face"}
        assert both.networks["age"] == first.networks["age"]
        assert both.trained_on_synthetic
        assert both.training_data == "age: faces of the public; face: drawn faces"
        assert ModelRelease.load(settings.models / "one") == first
        with pytest.raises(ModelRefused, match="has a network face already"):
            import_weights(settings, file=file, name="three", wish=face, description=drawn, add_to="two")

    def test_names_that_are_taken_or_no_names(self, hospital, checkpoint):
        for name in (DEFAULT_MODEL, "random-small-1"):
            with pytest.raises(ModelRefused, match="already"):
                import_weights(hospital, file=checkpoint, name=name, wish=AGE, description=DESCRIPTION)
        for name in ("../up", ".hidden", "Two words", ""):
            with pytest.raises(UsageError):
                import_weights(hospital, file=checkpoint, name=name, wish=AGE, description=DESCRIPTION)

    def test_a_refused_file_leaves_nothing_behind(self, settings, tmp_path):
        class Trap:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.mkdir, (str(tmp_path / "sprung"),)

        file = tmp_path / "trap.pth"
        file.write_bytes(pickle.dumps({"model_state_dict": Trap()}))
        with pytest.raises(ModelRefused, match="code") as refusal:
            import_weights(settings, file=file, name="trap", wish=AGE, description=DESCRIPTION)
        assert refusal.value.exit_code == 12
        assert list(settings.models.iterdir()) == []
        assert not (tmp_path / "sprung").exists()

    def test_weights_that_cannot_be_written_are_told_and_leave_nothing_behind(
        self, settings, checkpoint, monkeypatch, tmp_path
    ):
        """As on a full disk: the limited process finds no place for its result."""
        asked = process._ask

        def ask_for_no_place(request: dict[str, Any], *others: Any) -> dict[str, Any]:
            return asked(request | {"output": str(tmp_path / "gone" / "weights.safetensors")}, *others)

        monkeypatch.setattr(process, "_ask", ask_for_no_place)
        with pytest.raises(SettingsError, match="converted weights could not be written") as error:
            import_weights(settings, file=checkpoint, name="one", wish=AGE, description=DESCRIPTION)
        assert error.value.exit_code == 10
        assert list(settings.models.iterdir()) == []


class TestList:
    def test_every_release_is_told_with_what_it_does(self, hospital, engine):
        promote(hospital, engine, model="random-small-1")
        promote(hospital, engine, model="random-small-2")
        (hospital.models / "broken").mkdir()
        (hospital.models / "broken" / "manifest.json").write_text("[]")
        (hospital.models / ".unfinished-x").mkdir()
        (hospital.models / ".unfinished-x" / "manifest.json").write_text("[]")
        listed = {one.name: one for one in list_releases(hospital, engine)}
        assert set(listed) == {DEFAULT_MODEL, "broken", "random-small-1", "random-small-2"}
        assert listed["random-small-2"].state == "scores (promoted)"
        assert listed["random-small-1"].state.startswith("promoted on ")
        assert listed["broken"].state.startswith("refused: ")
        assert listed[DEFAULT_MODEL].place == "shipped"
        assert listed["random-small-1"].networks == ("age", "survival")

    def test_the_one_that_scores_is_listed_wherever_it_stands(self, hospital, engine, tmp_path):
        assert list_releases(hospital, engine)[0].state == "scores (nothing was promoted)"
        path = str(small_release(tmp_path / "elsewhere", seed=3).folder)
        named = hospital.model_copy(update={"model": path})
        assert list_releases(named, engine)[-1].state == "scores (FAHR_MODEL names it)"
        gone = hospital.model_copy(update={"model": "gone"})
        assert list_releases(gone, engine)[-1].state.startswith("refused: ")

    def test_a_table_at_a_terminal_and_lines_elsewhere(self, hospital, engine, capsys):
        listed = list_releases(hospital, engine)
        screen = io.StringIO()
        show_list(listed, Console(file=screen, force_terminal=True, width=140))
        assert "random-small-1" in screen.getvalue()
        assert "┃" in screen.getvalue()
        show_list(listed, Console(file=io.StringIO()))
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "Model\tNetworks\tTrained on\tSHA-256\tFrom\tState"
        assert lines[2].split("\t")[:3] == ["random-small-1", "age, survival", "synthetic faces"]


class TestCommands:
    @pytest.fixture
    def fahr(self, settings, monkeypatch) -> Callable[..., Result]:
        monkeypatch.setenv("FAHR_HOME", str(settings.home))
        monkeypatch.setenv("FAHR_WAREHOUSE_URL", settings.warehouse_url.get_secret_value())
        return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=False)

    def test_import_show_promote_list_and_back(self, fahr, checkpoint):
        told = fahr(
            "import", str(checkpoint), "--name", "faceage-1", "--kind", "age", "--heads", "3", "--training-data",
            "faces of the public", "--licence", "CC-BY-4.0", "--intended-use", "research", "--real",
        )  # fmt: skip
        assert told.exit_code == 0, told.output
        assert "It scores nothing yet" in told.output
        assert "faces of the public" in fahr("show", "faceage-1").output
        assert "the next night scores with it" in fahr("promote", "faceage-1", "--reason", "a trial").output
        assert "already" in fahr("promote", "faceage-1").output
        (line,) = [line for line in fahr("list").output.splitlines() if line.startswith("faceage-1\t")]
        assert line.split("\t")[1:3] + line.split("\t")[4:] == ["age", "real faces", "hospital", "scores (promoted)"]
        assert "a trial" in fahr("show", "faceage-1").output
        assert "mean nothing" in fahr("promote", DEFAULT_MODEL).output

    def test_whether_it_is_synthetic_must_be_said(self, fahr, checkpoint):
        words = ["--name", "a", "--kind", "age", "--training-data", "x", "--licence", "x", "--intended-use", "x"]
        assert fahr("import", str(checkpoint), *words).exit_code == 2
        assert fahr("import", str(checkpoint), *words, "--real", "--pixel-mean", "1,2").exit_code == 2

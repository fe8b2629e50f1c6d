"""`fahr evaluate robustness` and `saliency`, from the command line to rows, CSV and a page without a real face."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest
from landed import land, photo
from opened_page import Opened
from PIL import Image
from sqlalchemy import text
from test_chosen_photographs import accept
from typer.testing import CliRunner

import jobs.evaluation.photo_commands as photo_commands
from jobs.errors import ModelRefused
from jobs.evaluation.cli import app
from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.photographs import folder_photographs
from jobs.evaluation.robustness import evaluate_robustness
from jobs.evaluation.saliency import evaluate_saliency
from model.drawing import draw_face, draw_scene_without_face, random_conditions, random_latents
from model.release import SHIPPED_RELEASES, ModelRelease

DATE = ["--date", "2026-03-01", "--model", "fahr-demo-1"]


@pytest.fixture
def run(settings, engine, monkeypatch):
    """The commands on the test's own warehouse; gives what they printed."""
    monkeypatch.setattr(photo_commands, "load_settings", lambda: settings)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, *DATE], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def jpeg(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    drawing = draw_face(random_latents(rng), random_conditions(rng), 240).pixels
    buffer = BytesIO()
    Image.fromarray(drawing).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def found(engine, query: str) -> dict:
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(query))}


def page_of(settings, kind: str):
    (page,) = settings.reports.glob(f"evaluation-{kind}-*.html")
    (csv,) = settings.reports.glob(f"evaluation-{kind}-*.csv")
    return page, csv.read_text()


def test_robustness_of_drawn_people_ends_in_rows_and_a_page(run, settings, engine, browser) -> None:
    told = run("robustness", "--quick", "--drawn", "6")
    page, csv = page_of(settings, "robustness")
    assert "evaluate robustness: " in told and "6 people" in told
    ratios = found(
        engine,
        "SELECT level, estimate FROM fahr.evaluation_metric WHERE metric = 'face_age_change_to_noise_ratio'"
        " AND group_name = 'drawn_nuisance'",
    )
    assert {"makeup 1", "surgery 1", "yaw -30 deg", "yaw 30 deg", "exposure 0.7 x"} <= set(ratios)
    refused = found(
        engine, "SELECT metric, estimate FROM fahr.evaluation_metric WHERE level = 'gaussian blur 0.05 of eye distance'"
    )
    assert 0 <= refused["unscored_share"] <= 1
    assert "nan" not in re.split(r"[,\s]", csv.lower())
    opened = Opened(browser, page)
    assert opened.complaints == [] and opened.requests == [opened.url]
    words = opened.words("body")
    assert "synthetic" in words and "FaceAge moves more than two photos of one person" in words
    assert "yaw 30 deg" in words and opened.page.locator("img.picture").count() == 2


def test_robustness_of_landed_photographs_shows_no_face_and_no_number_of_a_person(run, settings, engine) -> None:
    photos = [photo(n, person_id=900_000 + n // 2, content=jpeg(n)) for n in range(12)] + [
        photo(99, person_id=999_999, content=b"\xff\xd8 damaged")
    ]
    accept(engine, land(settings, engine, photos), photos)
    told = run("robustness", "--quick", "--warehouse")
    assert "7 people" in told
    page, csv = page_of(settings, "robustness")
    html = page.read_text()
    assert html.count("<img") == 1, "the plot alone: no photo of a person is shown"
    assert "Make-up, pose, light and surgery need drawn faces" in html
    for personal in (r"\b90000\d\b", "CANARY", re.escape(str(settings.home)), r"\.jpe?g\b"):
        assert not re.search(personal, html + csv), personal
    noise = found(engine, "SELECT metric, people FROM fahr.evaluation_metric WHERE metric LIKE '%same_day%'")
    assert noise["face_age_same_day_difference_years"] == 6
    left_out = found(engine, "SELECT level, photos FROM fahr.evaluation_metric WHERE group_name = 'left_out'")
    assert sum(left_out.values()) == 1
    groups = found(engine, "SELECT group_name, count(*) FROM fahr.evaluation_metric GROUP BY group_name")
    assert "picture_nuisance" in groups and "drawn_nuisance" not in groups


def test_saliency_of_drawn_people_ends_in_rows_and_a_page(run, settings, engine, browser) -> None:
    run("saliency", "--quick", "--drawn", "8")
    page, csv = page_of(settings, "saliency")
    shares = found(
        engine, "SELECT level, estimate FROM fahr.evaluation_metric WHERE metric = 'face_age_gradients_share'"
    )
    assert sum(shares.values()) == pytest.approx(1.0)
    signs = found(
        engine, "SELECT level, note FROM fahr.evaluation_metric WHERE metric = 'face_survival_margin_spearman'"
    )
    assert set(signs) == {"age_signs", "frailty_signs", "lifted_signs"} and set(signs.values()) <= {
        "found",
        "not found",
    }
    error = found(engine, "SELECT metric, estimate FROM fahr.evaluation_metric WHERE metric LIKE '%completeness%'")
    assert all(0 <= value < 0.1 for value in error.values()), error
    assert "nan" not in re.split(r"[,\s]", csv.lower())
    opened = Opened(browser, page)
    assert opened.complaints == [] and opened.requests == [opened.url]
    assert "FaceSurvival looks most at" in opened.words("#remarks")


def test_saliency_of_photographs_in_a_folder_has_no_truth_and_shows_no_face(tmp_path) -> None:
    for n in range(9):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(n))
    wall = BytesIO()
    Image.fromarray(draw_scene_without_face(np.random.default_rng(1))).save(wall, "PNG")
    (tmp_path / "wall.png").write_bytes(wall.getvalue())
    people = folder_photographs(tmp_path, is_synthetic=True, most_people=20, limit_bytes=10**6)
    release = ModelRelease.load(SHIPPED_RELEASES / "fahr-demo-1")
    evaluation = evaluate_saliency(release=release, people=people, quick=True)
    levels = {(finding.group_name, finding.level) for finding in evaluation.findings}
    assert ("left_out", "no_face") in levels
    assert {group for group, _ in levels} == {"all", "region", "left_out"}
    assert "no face is shown" in evaluation.figures[0].caption
    few = folder_photographs(tmp_path, is_synthetic=True, most_people=3, limit_bytes=10**6)
    with pytest.raises(NothingToEvaluate, match="too few"):
        evaluate_saliency(release=release, people=few, quick=True)


def test_photographs_without_one_face_stop_robustness_with_what_to_do(tmp_path) -> None:
    wall = BytesIO()
    Image.fromarray(draw_scene_without_face(np.random.default_rng(1))).save(wall, "PNG")
    (tmp_path / "wall.png").write_bytes(wall.getvalue())
    people = folder_photographs(tmp_path, is_synthetic=False, most_people=20, limit_bytes=10**6)
    with pytest.raises(NothingToEvaluate, match="None of 1 photos has a score"):
        evaluate_robustness(release=ModelRelease.load(SHIPPED_RELEASES / "fahr-demo-1"), people=people)


def test_a_release_that_is_not_there_is_refused(run) -> None:
    with pytest.raises(ModelRefused):
        CliRunner().invoke(app, ["saliency", "--model", "nobody", "--date", "2026-03-01"], catch_exceptions=False)

"""The gates: Great Expectations and the SQL expression made from the same rules agree; the pages work offline."""

from __future__ import annotations

import re
import subprocess
from datetime import date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from pyspark.sql import functions as F

from jobs.errors import DatasetRejected
from jobs.expectations import expectation_suite
from jobs.gates import VERDICTS_KEPT, Gate
from schemas.landing_rules import HEADER_PROBLEMS, LANDING
from schemas.rules import Between, InSet, NotNull, Predicate, RowCount, Rule, Suite, failed_rules_sql, reason_sql
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS

pytestmark = IMPORTS_GREAT_EXPECTATIONS

RUN = UUID("00000000-0000-0000-0000-00000000cafe")

CANDIDATES = {
    "person_id long": (None, 1, 2),
    "captured_at timestamp_ntz": (
        None,
        datetime(1950, 6, 1),
        datetime(2026, 3, 1, 23, 59, 59),
        datetime(2026, 3, 2),
        datetime(2031, 1, 1),
    ),
    "byte_count long": (None, 0, 1, 5_000_000),
    "image_format string": (None, "jpeg", "dicom", "webp"),
    "width_px int": (None, 0, 159, 160, 4_000, 10_000, 30_000, 2**31 - 1),
    "height_px int": (None, 0, 159, 160, 4_000, 10_000, 10_001, 2**31 - 1),
    "frame_count int": (None, 0, 1, 2),
    "has_pixel_data boolean": (None, True, False),
    "sop_class_uid string": (None, "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.2"),
    "header_problem string": (None, None, None, "a new problem", *HEADER_PROBLEMS),
    "known_person_id long": (None, 1),
    "birth_date date": (None, date(1940, 1, 1), date(1950, 6, 1), date(1950, 6, 2)),
    "other_patient_id long": (None, None, 2),
    "earlier_photo_id long": (None, None, 5),
}
SOUND = (1, datetime(2026, 2, 1), 9, "jpeg", 200, 200, 1, True, None, None, 1, date(1950, 1, 1), None, None)

VALUES = Suite(
    "values",
    (
        Rule("not_null", NotNull("x"), "A."),
        Rule("closed", Between("x", -1, 1), "A."),
        Rule("open", Between("x", above=-1, below=1), "A."),
        Rule("half", Between("x", at_least=0), "A."),
        Rule("other_half", Between("x", below=0), "A."),
        Rule("known", InSet("s", ("a", "it's", "")), "A."),
        Rule("true", Predicate("x > 0 OR s = 'a'"), "A."),
        Rule("braces", Predicate("s <> '{}'"), "A."),
    ),
    key="photo_id",
)


def landed_at_random(spark, seed: int, size: int):
    rng = np.random.default_rng(seed)
    columns = list(CANDIDATES)
    rows = [tuple(values[rng.integers(len(values))] for values in CANDIDATES.values()) for _ in range(size)]
    # Rows that break one rule at most, so that each rule also decides alone.
    for column, name in enumerate(columns):
        rows += [(*SOUND[:column], value, *SOUND[column + 1 :]) for value in CANDIDATES[name]]
    frame = spark.createDataFrame(
        [(number, date(2026, 3, 1), *row) for number, row in enumerate(rows)],
        ", ".join(["photo_id long", "night date", *columns]),
    )
    return frame.cache()


def values_at_random(spark):
    numbers = (None, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, float("nan"), float("inf"), float("-inf"))
    texts = (None, "a", "it's", "", "{}", "b")
    rows = [(x, s) for x in numbers for s in texts]
    return spark.createDataFrame(
        [(number, *row) for number, row in enumerate(rows)], "photo_id long, x double, s string"
    ).cache()


def row_rules(suite: Suite) -> Suite:
    return Suite(suite.name, tuple(rule for rule in suite.rules if rule.level == "row"), key=suite.key)


def rows_refused_by_expectations(suite: Suite, frame) -> dict[str, set[int]]:
    """Of each rule, the rows that Great Expectations finds unexpected."""
    made = expectation_suite(suite, {})
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_spark("spark").add_dataframe_asset("asset")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    results = batch.validate(
        made, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["photo_id"]}
    )
    refused = {}
    for result in results.results:
        rows = {index["photo_id"] for index in result.result.get("unexpected_index_list") or []}
        assert result.success == (not rows), result
        refused[result.expectation_config.meta["rule"]] = rows
    return refused


def rows_refused_by_sql(suite: Suite, frame) -> dict[str, set[int]]:
    refused: dict[str, set[int]] = {rule.name: set() for rule in suite.rules}
    for row in frame.select("photo_id", F.expr(failed_rules_sql(suite.rules)).alias("failed")).collect():
        for name in row.failed:
            refused[name].add(row.photo_id)
    return refused


@pytest.mark.parametrize(
    ("suite", "make"), [(LANDING, lambda spark: landed_at_random(spark, 7, 300)), (VALUES, values_at_random)]
)
def test_expectations_and_sql_refuse_the_same_rows(spark, suite, make):
    suite, frame = row_rules(suite), make(spark.session)
    by_sql = rows_refused_by_sql(suite, frame)
    assert rows_refused_by_expectations(suite, frame) == by_sql
    everything = {row.photo_id for row in frame.select("photo_id").collect()}
    assert [rule for rule, rows in by_sql.items() if not rows or rows == everything] == [], "a rule was not exercised"


def test_what_the_sql_accepts_passes_the_expectations_as_a_whole(settings, spark):
    frame = landed_at_random(spark.session, 11, 300)
    accepted = frame.where(f"{reason_sql(LANDING.rules)} IS NULL AND coalesce(header_problem, '') <> 'a new problem'")
    assert accepted.count() > 5
    assert Gate(settings, RUN).judge_frame(row_rules(LANDING), accepted).broken == ()


def test_an_empty_data_set_is_not_taken_for_a_sound_one(settings, spark):
    suite = Suite("some", (Rule("not_null", NotNull("x"), "A."), Rule("some_rows", RowCount(), "A.")), key="photo_id")
    frame = spark.session.createDataFrame([], "photo_id long, x double")
    verdict = Gate(settings, RUN).judge_frame(suite, frame)
    assert [rule.name for rule in verdict.stopping] == ["some_rows"]


def test_neither_results_nor_pages_hold_a_value_and_the_pages_load_nothing(settings, spark, tmp_path):
    suite = Suite(
        "secrets",
        (Rule("known", InSet("s", ("public",)), "A."), Rule("true", Predicate("s = 'public'"), "B.")),
        key="photo_id",
    )
    frame = spark.session.createDataFrame([(1, "CANARY"), (2, "public")], "photo_id long, s string")
    verdict = Gate(settings, RUN).judge_frame(suite, frame)
    assert [rule.name for rule in verdict.broken] == ["known", "true"]
    stored = [path for folder in ("gx", "data_docs") for path in (settings.home / folder).rglob("*") if path.is_file()]
    assert [path.name for path in stored if b"CANARY" in path.read_bytes()] == []
    pages = [path for path in stored if path.suffix == ".html"]
    assert {path.parent.name for path in pages} >= {"data_docs", "expectations"}
    for page in pages:
        assert loaded_by(page) == []
    dom = rendered(settings.data_docs / "index.html", tmp_path)
    assert "secrets" in dom
    assert "stopped" in dom
    link = re.search(r'href="(validations/secrets/[^"]+)"', dom)
    assert link is not None
    assert "known: A." in rendered(settings.data_docs / link[1], tmp_path)


def loaded_by(page: Path) -> list[str]:
    """What a browser would fetch to show the page."""
    html = page.read_text()
    tags = re.findall(r"<(?:script|link|img|iframe|source|object|embed)\b[^>]*(?:src|href|data)=[^>]*>", html, re.I)
    return tags + re.findall(r"@import[^;]*|url\([^)]*\)|https?://[^\s\"'<]*", html)


def rendered(page: Path, folder: Path) -> str:
    """The page as a browser shows it, scripts run."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    shown = subprocess.run(
        [*command, f"--user-data-dir={folder / 'browser'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return shown.stdout


def test_a_rule_that_cannot_be_applied_stops_the_stage_and_leaves_no_stack_trace(settings, spark):
    suite = Suite("broken", (Rule("cast", Predicate("CAST(s AS int) > 0"), "A."),), key="photo_id")
    frame = spark.session.createDataFrame([(1, "CANARY")], "photo_id long, s string")
    with pytest.raises(DatasetRejected, match="cast") as stopped:
        Gate(settings, RUN).judge_frame(suite, frame)
    assert "CANARY" not in str(stopped.value)
    assert stopped.value.exit_code == 11
    stored = [path for folder in ("gx", "data_docs") for path in (settings.home / folder).rglob("*") if path.is_file()]
    assert [path.name for path in stored if b"CANARY" in path.read_bytes()] == []


def test_the_warehouse_is_judged_with_the_loaders_role_and_no_file_holds_its_password(settings, engine):
    suite = Suite(
        "tables",
        (
            Rule("role", Predicate("role = 'fahr_loader'"), "A."),
            Rule("range", Between("x", 0, 1), "A."),
            Rule("nan", Between("y", 0, 1), "A."),
            Rule("null", Predicate("z > 0"), "A."),
        ),
        key="x",
    )
    query = "SELECT 1 AS x, CAST('NaN' AS double precision) AS y, CAST(NULL AS int) AS z, current_user AS role"
    verdict = Gate(settings, RUN).judge_query(suite, engine, query)
    assert [rule.name for rule in verdict.broken] == ["nan", "null"]
    password = engine.url.password.encode()
    stored = [path for folder in ("gx", "data_docs") for path in (settings.home / folder).rglob("*") if path.is_file()]
    assert stored
    assert [path.name for path in stored if password in path.read_bytes()] == []


def test_only_the_last_verdicts_are_kept(settings, engine):
    suite = Suite("kept", (Rule("some_rows", RowCount(), "A."),), key="x")
    runs = settings.home / "gx" / "validations" / "kept"
    for _ in range(VERDICTS_KEPT + 3):
        (runs / str(uuid4())).mkdir(parents=True)
    Gate(settings, RUN).judge_query(suite, engine, "SELECT 1 AS x")
    assert len(list(runs.iterdir())) == VERDICTS_KEPT
    assert (runs / str(RUN)).is_dir()

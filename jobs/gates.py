"""The dataset gates: Great Expectations suites made from declared rules, run as checkpoints, written up as Data Docs.

Results are stored as verdicts alone (`BOOLEAN_ONLY`) under `home`/gx, the pages under `home`/data_docs; neither holds a
value of the data. The context lives in memory, so that no file ever holds how to connect to the warehouse.

Great Expectations takes seconds to import, so it is imported where a gate is built: a night without news never does.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from jobs.errors import DatasetRejected
from jobs.expectations import expectation_suite, keep_usage_private
from jobs.offline_docs import make_offline, write_index
from jobs.settings import Settings
from schemas.rules import Number, Rule, Suite

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context import EphemeralDataContext
    from pyspark.sql import DataFrame
    from sqlalchemy import Engine

VERDICTS_KEPT = 100
"""Ours: of each data set, so many of the last verdicts are kept and have a page."""

_SITE = "fahr"


@dataclass(frozen=True)
class Verdict:
    """What a gate found: the rules that were broken, in their order."""

    suite: str
    broken: tuple[Rule, ...]

    @property
    def stopping(self) -> tuple[Rule, ...]:
        """The broken rules that stop the stage."""
        return tuple(rule for rule in self.broken if rule.severity == "critical")


class _Connector:
    """Opens warehouse connections for Great Expectations with the role and rights of our own engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self) -> Any:
        """A new DBAPI connection, which the caller closes."""
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        return connection

    def __deepcopy__(self, memo: dict[int, Any]) -> _Connector:
        """Configurations are copied; the engine behind this one is not."""
        return self


class Gate:
    """Judges data sets for one run of a stage, and writes up each verdict in the Data Docs."""

    def __init__(self, settings: Settings, run_id: UUID) -> None:
        self._settings = settings
        self._run_id = run_id
        self._context = _context(settings)

    def judge_frame(self, suite: Suite, frame: DataFrame, parameters: Mapping[str, Number] | None = None) -> Verdict:
        """Judge a Spark DataFrame; cache it first, as each rule is a query of its own.

        Raises:
            DatasetRejected: a rule could not be applied to it at all.
        """
        asset = self._context.data_sources.add_or_update_spark("spark").add_dataframe_asset(suite.name)
        batch = asset.add_batch_definition_whole_dataframe("all")
        return self._judge(suite, batch, parameters or {}, {"dataframe": frame})

    def judge_query(
        self, suite: Suite, engine: Engine, query: str, parameters: Mapping[str, Number] | None = None
    ) -> Verdict:
        """Judge the rows that `query` selects from the warehouse.

        Raises:
            DatasetRejected: a rule could not be applied to it at all.
        """
        from sqlalchemy.pool import NullPool

        # Connections come from our own engine, with its role: Great Expectations never learns where, nor the password.
        source = self._context.data_sources.add_postgres(
            "warehouse",
            connection_string="postgresql+psycopg://fahr@warehouse/fahr",
            kwargs={"creator": _Connector(engine), "poolclass": NullPool},  # type: ignore[call-arg]
        )
        batch = source.add_query_asset(suite.name, query=query).add_batch_definition_whole_table("all")
        return self._judge(suite, batch, parameters or {}, {})

    def _judge(
        self, suite: Suite, batch: BatchDefinition, parameters: Mapping[str, Number], batch_parameters: dict[str, Any]
    ) -> Verdict:
        import great_expectations as gx
        from great_expectations.checkpoint.actions import UpdateDataDocsAction
        from great_expectations.core.run_identifier import RunIdentifier

        _forget_old_verdicts(_results(self._settings) / suite.name)
        validation = gx.ValidationDefinition(
            name=suite.name, data=batch, suite=self._context.suites.add_or_update(expectation_suite(suite, parameters))
        )
        checkpoint = gx.Checkpoint(
            name=suite.name,
            validation_definitions=[self._context.validation_definitions.add_or_update(validation)],
            actions=[UpdateDataDocsAction(name="data_docs", site_names=[_SITE])],
            result_format="BOOLEAN_ONLY",
        )
        outcome = self._context.checkpoints.add_or_update(checkpoint).run(
            batch_parameters=batch_parameters,
            run_id=RunIdentifier(run_name=str(self._run_id), run_time=datetime.now(UTC)),
        )
        (results,) = outcome.run_results.values()
        failures = [result for result in results.results if not result.success]
        inapplicable = sorted(_rule_name(result) for result in failures if _raised(result))
        if inapplicable:
            self._forget(suite)
            raise DatasetRejected(
                f"The data set {suite.name} could not be judged by the rules {', '.join(inapplicable)}.",
                next_step="Compare its columns with docs/data-dictionary.md; the rules are declared in schemas/.",
            )
        self._write_up()
        names = {_rule_name(result) for result in failures}
        return Verdict(suite.name, tuple(rule for rule in suite.rules if rule.name in names))

    def _forget(self, suite: Suite) -> None:
        """Remove the results of a run that raised: a stack trace may quote the data."""
        for validations in (_results(self._settings), self._settings.data_docs / "validations"):
            shutil.rmtree(validations / suite.name / str(self._run_id), ignore_errors=True)
        self._write_up()

    def _write_up(self) -> None:
        make_offline(self._settings.data_docs)
        write_index(self._settings.data_docs, _results(self._settings))


def require(verdict: Verdict, settings: Settings, *, next_step: str) -> None:
    """Stop the stage if a rule that must hold was broken.

    Raises:
        DatasetRejected: with the names of those rules.
    """
    if verdict.stopping:
        names = ", ".join(rule.name for rule in verdict.stopping)
        raise DatasetRejected(
            f"The data set {verdict.suite} breaks rules that must hold: {names}.",
            next_step=f"{next_step} What the rules mean: {settings.data_docs / 'index.html'}",
        )


def _results(settings: Settings) -> Path:
    """Where the verdicts are stored."""
    return settings.home / "gx" / "validations"


def _forget_old_verdicts(runs: Path) -> None:
    """Make room for one more verdict; Great Expectations removes the pages of those that are gone."""
    if runs.is_dir():
        newest_first = sorted(runs.iterdir(), key=lambda run: run.stat().st_mtime, reverse=True)
        for run in newest_first[VERDICTS_KEPT - 1 :]:
            shutil.rmtree(run)


def _rule_name(result: Any) -> str:
    return str(result.expectation_config.meta["rule"])


def _raised(result: Any) -> bool:
    """Whether evaluating the expectation raised; the information is flat, or one record a metric."""
    information = result.exception_info or {}
    records = [information] if "raised_exception" in information else list(information.values())
    return any(record.get("raised_exception") for record in records)


def _context(settings: Settings) -> EphemeralDataContext:
    """A context in memory, whose suites, results and pages are files: none of them can hold a connection."""
    keep_usage_private()
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    defaults = InMemoryStoreBackendDefaults()
    stores = defaults.stores
    for store, folder in (
        (defaults.expectations_store_name, settings.home / "gx" / "expectations"),
        (defaults.validation_results_store_name, _results(settings)),
    ):
        stores[store]["store_backend"] = {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder),
            "filepath_suffix": ".json",
        }
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(settings.data_docs)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "show_cta_footer": False},
    }
    config = DataContextConfig(
        store_backend_defaults=defaults,
        stores=stores,
        data_docs_sites={_SITE: site},
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)

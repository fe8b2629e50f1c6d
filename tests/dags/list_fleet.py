"""Parse a DAGs folder as Airflow does and write what it holds as JSON. A script, for a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAVY = {"torch", "pandas", "pyspark", "transformers", "great_expectations", "lifelines", "psycopg", "facenet_pytorch"}


def main(folder: Path, answer: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(folder)
    facts = {
        "errors": {Path(file).name: error for file, error in bag.import_errors.items()},
        "heavy_modules": sorted(HEAVY & set(sys.modules)),
        "dags": {dag_id: _facts(dag) for dag_id, dag in bag.dags.items()},
    }
    answer.write_text(json.dumps(facts))


def _facts(dag) -> dict:
    condition = getattr(dag.timetable, "asset_condition", None)
    return {
        "file": Path(dag.fileloc).name,
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "cron": getattr(dag.timetable, "expression", None),
        "assets": [asset.uri for asset in condition.objects] if condition else [],
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tasks": {
            task.task_id: {
                "operator": type(task).__name__,
                "owner": task.owner,
                "retries": task.retries,
                "timeout_s": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                "alerts": [callback.__name__ for callback in task.on_failure_callback or ()],
                "downstream": sorted(task.downstream_task_ids),
                "outlets": [outlet.uri for outlet in task.outlets],
            }
            for task in dag.tasks
        },
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

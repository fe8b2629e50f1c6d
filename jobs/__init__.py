"""The jobs: one verb a module, run in order by `fahr nightly` or by the Airflow DAGs."""

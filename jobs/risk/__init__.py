"""Risk tables: a cohort's persons, the models its declaration lists, and everything a reader needs to believe them."""

from __future__ import annotations

from jobs.risk.declared import load_declaration, model_covariates
from jobs.risk.job import risk

__all__ = ["load_declaration", "model_covariates", "risk"]

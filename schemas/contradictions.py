"""What in a cohort's declaration contradicts what: things that no single key can show."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from schemas.declaration import CohortFile, DeclaredCovariate, DeclaredModel

RESERVED = ("person_id", "index_date", "followup_years", "event", "left_out")
"""Columns with a meaning of their own, which nothing else may be read from."""

Mistake = tuple[tuple[str | int, ...], str]
"""Where it stands in the file, and what is wrong."""


def contradictions(declared: CohortFile, folder: str) -> Iterator[Mistake]:
    """Every contradiction, in the order of the file's keys.

    Args:
        declared: the content of cohort.yaml.
        folder: name of the folder it stands in.
    """
    if declared.cohort != folder:
        yield ("cohort",), f"differs from the name of its folder, '{folder}'"
    yield from _ascending(("endpoint", "horizons_years"), declared.endpoint.horizons_years)
    yield from _columns(declared)
    yield from _landmark(declared)
    yield from _missing(declared)
    yield from _weights(declared)
    for name, covariate in declared.covariates.items():
        for key, mistake in _covariate_mistakes(covariate):
            yield ("covariates", name, key), mistake
    for name, model in declared.models.items():
        yield from _model_mistakes(("models", name), model, declared)
    yield from _comparisons(declared)
    yield from _subgroups(declared)
    if declared.prediction.model not in declared.models:
        yield ("prediction", "model"), f"there is no model '{declared.prediction.model}'"
    elif declared.models[declared.prediction.model].method != "cox":
        yield ("prediction", "model"), "predictions need a model of method cox"
    yield from _curves(declared)


def _ascending(path: tuple[str | int, ...], values: tuple[float, ...]) -> Iterator[Mistake]:
    for position, (before, after) in enumerate(pairwise(values), start=1):
        if not before < after:
            yield (*path, position), f"{after:g} does not follow {before:g}: each is larger than the one before"


def _columns(declared: CohortFile) -> Iterator[Mistake]:
    if declared.entry in RESERVED:
        yield ("entry",), f"'{declared.entry}' means something else: name the column of years before observation starts"
    if declared.cluster in RESERVED and declared.cluster != "person_id":
        yield ("cluster",), f"'{declared.cluster}' means something else: name the column that tells clusters"
    competing = declared.competing
    if competing is None:
        return
    if competing.column in RESERVED:
        yield ("competing", "column"), f"'{competing.column}' means something else: name the column of the events"
    for position, other in enumerate(competing.others):
        if other == competing.of_interest:
            yield ("competing", "others", position), f"'{other}' is the event of interest"
        if other in competing.others[:position]:
            yield ("competing", "others", position), f"'{other}' stands twice"


def _landmark(declared: CohortFile) -> Iterator[Mistake]:
    landmark = declared.landmark
    if landmark is None:
        return
    if (landmark.years is None) == (landmark.column is None):
        yield ("landmark",), "years for everybody, or a column of each person's own: one of the two"
    for key in ("column", "measured_until"):
        if getattr(landmark, key) in RESERVED:
            yield ("landmark", key), f"'{getattr(landmark, key)}' means something else: name a column of years"
    if declared.entry is not None:
        yield ("entry",), "under a landmark everybody enters at the landmark: one or the other"


def _missing(declared: CohortFile) -> Iterator[Mistake]:
    missing = declared.missing
    yield from _unknown(("missing", "only"), missing.only, declared)
    if missing.only and not missing.impute:
        yield ("missing", "only"), "nothing is imputed: say how many times in impute"
    if missing.impute == 1:
        yield ("missing", "impute"), "one completed data set does not tell what was not known: 2 or more, or 0 for none"
    if not missing.impute:
        return
    if declared.cluster is not None:
        yield ("missing", "impute"), "takes no cluster: it would fill the rows of a cluster as if they were strangers"
    if declared.weights is not None:
        yield ("missing", "impute"), "takes no weights"
    for name, model in declared.models.items():
        if model.method == "fine_gray":
            yield ("models", name, "method"), "fine_gray models are not pooled over imputed data sets"


def _weights(declared: CohortFile) -> Iterator[Mistake]:
    if declared.weights is None:
        return
    if declared.weights in RESERVED:
        yield ("weights",), f"'{declared.weights}' means something else: name the column of weights"
    for name, model in declared.models.items():
        if model.method == "fine_gray":
            yield ("models", name, "method"), "fine_gray takes no weights"
    for name in declared.adjusted_curves:
        yield ("adjusted_curves", name), "adjusted curves take no weights"
    if declared.competing is not None and declared.curves:
        yield ("curves",), "curves of competing events take no weights"


def _covariate_mistakes(covariate: DeclaredCovariate) -> Iterator[tuple[str, str]]:
    kind = covariate.type
    if kind == "continuous" and covariate.per is None:
        yield "per", "missing: how much of it one unit is, a number or SD"
    if kind != "continuous" and covariate.per is not None:
        yield "per", f"a {kind} covariate has none"
    if kind in ("quartile", "cut", "spline") and covariate.column is None:
        yield "column", f"missing: {kind} of which column?"
    if covariate.transform is not None and kind not in ("continuous", "spline"):
        yield "transform", f"a {kind} covariate has none"
    if kind != "spline" and covariate.knots is not None:
        yield "knots", f"a {kind} covariate has none"
    if kind == "cut" and not covariate.cuts:
        yield "cuts", "missing: at which values?"
    if kind != "cut" and covariate.cuts:
        yield "cuts", f"a {kind} covariate has none"
    for (_, position), mistake in _ascending(("cuts",), covariate.cuts):
        yield "cuts", f"item {position}: {mistake}"
    if kind != "categorical" and (covariate.levels or covariate.reference is not None):
        yield "levels", f"a {kind} covariate has none"
    if kind == "categorical":
        if len(covariate.levels) < 2:
            yield "levels", "a categorical covariate has at least two"
        if len(set(covariate.levels)) < len(covariate.levels):
            yield "levels", "a level stands twice"
        if covariate.reference not in covariate.levels:
            yield "reference", f"'{covariate.reference}' is not among the levels {', '.join(covariate.levels)}"


def _model_mistakes(path: tuple[str, str], model: DeclaredModel, declared: CohortFile) -> Iterator[Mistake]:
    yield from _unknown((*path, "covariates"), model.covariates, declared)
    yield from _unknown((*path, "strata"), model.strata, declared)
    for position, name in enumerate(model.strata):
        if name in model.covariates:
            yield (*path, "strata", position), f"'{name}' is a covariate of the model too: one or the other"
        covariate = declared.covariates.get(name)
        if covariate is not None and covariate.type != "categorical":
            yield (*path, "strata", position), f"'{name}' is {covariate.type}: strata need a categorical covariate"
    if model.method == "cox":
        return
    if declared.competing is None:
        yield (*path, "method"), f"{model.method} needs the key competing: which events compete?"
    if model.method == "fine_gray" and (model.strata or declared.entry or declared.cluster):
        yield (*path, "method"), "fine_gray takes no strata, entry or cluster"


def _comparisons(declared: CohortFile) -> Iterator[Mistake]:
    for name, comparison in declared.comparisons.items():
        path = ("comparisons", name)
        models = {}
        for key in ("smaller", "larger"):
            model_name = getattr(comparison, key)
            if model_name not in declared.models:
                yield (*path, key), f"there is no model '{model_name}'"
            else:
                models[key] = declared.models[model_name]
        if len(models) < 2:
            continue
        smaller, larger = models["smaller"], models["larger"]
        if set(smaller.covariates) == set(larger.covariates):
            yield (
                (*path, "larger"),
                f"'{comparison.larger}' has the covariates of '{comparison.smaller}': nothing is added",
            )
        elif not set(smaller.covariates) < set(larger.covariates):
            lacking = [covariate for covariate in smaller.covariates if covariate not in larger.covariates]
            yield (*path, "larger"), f"not nested: '{comparison.larger}' lacks {', '.join(lacking)}"
        if (set(smaller.strata), smaller.method) != (set(larger.strata), larger.method):
            yield (*path, "larger"), "not nested: the models differ in their strata or their method"
        elif smaller.method == "fine_gray":
            yield (*path, "larger"), "a likelihood ratio of fine_gray models is no test: their likelihood is weighted"


def _subgroups(declared: CohortFile) -> Iterator[Mistake]:
    subgroups = declared.subgroups
    if subgroups is None:
        return
    yield from _unknown(("subgroups", "by"), subgroups.by, declared)
    yield from _unknown(("subgroups", "exposures"), subgroups.exposures, declared)
    for position, name in enumerate(subgroups.by):
        covariate = declared.covariates.get(name)
        if covariate is not None and not covariate.has_levels:
            yield ("subgroups", "by", position), f"'{name}' is {covariate.type}: subgroups need levels"
        if name in subgroups.exposures:
            yield ("subgroups", "by", position), f"'{name}' is an exposure too"
    for position, name in enumerate(subgroups.exposures):
        covariate = declared.covariates.get(name)
        if covariate is not None and covariate.type != "continuous":
            yield ("subgroups", "exposures", position), f"'{name}' is {covariate.type}: an exposure is continuous"
    model = declared.models.get(subgroups.model)
    if model is None:
        yield ("subgroups", "model"), f"there is no model '{subgroups.model}'"
        return
    if model.method != "cox":
        yield ("subgroups", "model"), "subgroups need a model of method cox"
    for position, name in enumerate(subgroups.exposures):
        if name in declared.covariates and name not in model.covariates:
            yield ("subgroups", "exposures", position), f"'{name}' is no covariate of '{subgroups.model}'"


def _curves(declared: CohortFile) -> Iterator[Mistake]:
    yield from _unknown(("curves",), declared.curves, declared)
    for position, name in enumerate(declared.curves):
        covariate = declared.covariates.get(name)
        if covariate is not None and not covariate.has_levels:
            yield (
                ("curves", position),
                f"'{name}' is {covariate.type}: curves need a categorical covariate, cuts or quartiles",
            )
    for name, model_name in declared.adjusted_curves.items():
        path = ("adjusted_curves", name)
        if name not in declared.covariates:
            yield path, f"there is no covariate '{name}'"
        elif not declared.covariates[name].has_levels:
            yield path, f"'{name}' is {declared.covariates[name].type}: curves need levels"
        elif model_name not in declared.models:
            yield path, f"there is no model '{model_name}'"
        elif name not in declared.models[model_name].covariates:
            yield path, f"'{name}' is no covariate of '{model_name}'"
        elif declared.models[model_name].method != "cox":
            yield path, "adjusted curves need a model of method cox"


def _unknown(path: tuple[str | int, ...], names: tuple[str, ...], declared: CohortFile) -> Iterator[Mistake]:
    for position, name in enumerate(names):
        if name not in declared.covariates:
            yield (*path, position), f"there is no covariate '{name}'"
        if name in names[:position]:
            yield (*path, position), f"'{name}' stands twice"

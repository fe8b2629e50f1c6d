"""Evaluate the scores against survival: discrimination, predicted survival, quarters, subgroups, nested Cox models."""

from __future__ import annotations

from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.findings import Evaluation, Figure
from jobs.evaluation.scored import ScoredFaces
from model.evaluation.findings import Finding
from model.evaluation.nested_models import WORDS
from model.evaluation.quarters import curves_by_quarter
from model.evaluation.survival import FOLDS, SCORES, survival_findings
from model.evaluation.survival_figures import (
    auc_over_time,
    concordance_by_group,
    concordance_by_model,
    survival_curves,
)
from model.survival.bootstrap import Resampling


def evaluate_survival(faces: ScoredFaces, *, resampling: Resampling) -> Evaluation:
    """What there is to say of the scores and survival of these people.

    Raises:
        NothingToEvaluate: nobody's survival is known, or nobody died.
    """
    people = faces.people
    if people.empty or not people["event"].any():
        what = "nobody died" if len(people) else "nobody's survival is known"
        lost = ", ".join(f"{reason} {count}" for reason, count in sorted(faces.left_out.items()) if count)
        raise NothingToEvaluate(
            f"There is no survival to evaluate: {what}{f' ({lost})' if lost else ''}.",
            next_step="Give time and event in the label file, or load cdm.observation_period and cdm.death.",
        )
    names = {name: WORDS[name] for column, name in SCORES.items() if column in people}
    findings = survival_findings(people, clinical=faces.clinical, resampling=resampling)
    return Evaluation(
        kind="survival",
        data=faces.data,
        data_sha256=faces.sha256,
        is_synthetic=faces.is_synthetic,
        photos=int(faces.photos["person"].isin(people["person"]).sum()),
        people=len(people),
        findings=(*findings, *faces.left_out_findings()),
        figures=tuple(_figures(faces, findings, names)),
        remarks=(
            *faces.remarks,
            "Hazard ratios compare groups of these people. They are nobody's personal risk, and no cause follows.",
            *(() if "face_survival" in names else ("The release has no FaceSurvival network.",)),
        ),
        method=f"{resampling.words}; Cox models with Efron's ties, cross-fitted on {FOLDS} folds of people",
    )


def _figures(faces: ScoredFaces, findings: list[Finding], names: dict[str, str]) -> list[Figure]:
    figures = []
    for title, caption, png in (
        *(
            (
                f"Survival by quarter of {names[name]}",
                "Kaplan-Meier with 95 % log-log intervals, not adjusted; Q1 is the lowest quarter of the score. Below:"
                " people still followed. A curve ends where fewer than five are.",
                survival_curves(curves_by_quarter(faces.people, column)),
            )
            for column, name in SCORES.items()
            if name in names
        ),
        (
            "Nested Cox models",
            "Concordance of Cox models on the same people. Whether a step is more than chance: the likelihood-ratio"
            " tests below.",
            concordance_by_model(findings),
        ),
        (
            "Discrimination over time",
            "Area under the cumulative/dynamic ROC curve: those dead by then against those alive, censoring weighted"
            " back in. Dashed: chance.",
            auc_over_time(findings, names),
        ),
        (
            "Discrimination by subgroup",
            "Harrell's C with 95 % intervals. Dashed: chance.",
            concordance_by_group(findings, names),
        ),
    ):
        if png is not None:
            figures.append(Figure(title, caption, png))
    return figures

"""Evaluate FaceAge against age: errors by group, calibration, agreement of photos, and prognosis beside them."""

from __future__ import annotations

from jobs.evaluation.errors import NothingToEvaluate
from jobs.evaluation.findings import Evaluation, Figure
from jobs.evaluation.scored import ScoredFaces
from model.evaluation.age import age_findings
from model.evaluation.age_figures import age_plane, errors_by_group, session_disagreement
from model.survival.bootstrap import Resampling


def evaluate_age(faces: ScoredFaces, *, resampling: Resampling) -> Evaluation:
    """What there is to say of FaceAge on these faces.

    Raises:
        NothingToEvaluate: no photo has an age.
    """
    photos = faces.photos.dropna(subset=["age_years"]).reset_index(drop=True)
    if photos.empty:
        raise NothingToEvaluate(
            "No photo has both a FaceAge and an age.", next_step="Give ages in the label file, or load cdm.person."
        )
    followed = faces.people if len(faces.people) and "age_years" in faces.people else None
    findings = age_findings(photos, resampling=resampling, followed=followed)
    remarks = [*faces.remarks]
    if followed is not None:
        remarks.append(
            "A smaller error against age is not a better marker of survival: the predecessor of these models lost"
            " prognostic value when it was chosen by that error alone. Read the concordances beside the errors."
        )
    return Evaluation(
        kind="age",
        data=faces.data,
        data_sha256=faces.sha256,
        is_synthetic=faces.is_synthetic,
        photos=len(photos),
        people=int(photos["person"].nunique()),
        findings=(*findings, *faces.left_out_findings()),
        figures=tuple(
            Figure(title, caption, png)
            for title, caption, png in (
                (
                    "FaceAge against age",
                    "Photos in squares of 2.5 years. Dashed: FaceAge equals age. Red: the age to be expected at a"
                    " FaceAge (least squares of age on FaceAge).",
                    age_plane(photos, findings),
                ),
                (
                    "Errors by group",
                    "Left: mean absolute error. Right: bias, positive looks older. Lines: 95 % intervals, people"
                    " resampled.",
                    errors_by_group(findings),
                ),
                (
                    "Photos of one session",
                    "How far a photo's FaceAge lies from the mean of the photos of its session: the noise that no"
                    " difference between two photos should be read below.",
                    session_disagreement(photos),
                ),
            )
            if png is not None
        ),
        remarks=tuple(remarks),
        method=resampling.words,
    )

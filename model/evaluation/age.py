"""How well FaceAge tells an age: error, calibration, correlation, by group; and how far photos of a session agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from model.errors import NotComputable
from model.evaluation.agreement import Floats, Sessions
from model.evaluation.findings import Finding
from model.evaluation.measuring import measure_all
from model.evaluation.prognosis import prognosis_findings
from model.survival.bootstrap import Measure, Resampling, Rows

GROUPS = ("age_decade", "sex", "skin_tone", "photo_source")
"""What errors are split by, where it is known."""

UNKNOWN = "unknown"


def age_findings(
    photos: pd.DataFrame, *, resampling: Resampling, followed: pd.DataFrame | None = None
) -> list[Finding]:
    """Everything there is to say of FaceAge against age.

    Args:
        photos: one row a photo: `person` and `session` (whole numbers), `age_years` (the truth it is held against) and
            `face_age_years`, none missing; optionally `sex`, `skin_tone`, `photo_source` (words or None).
        resampling: of the intervals; people are resampled.
        followed: people whose survival is known, as `prognosis_findings` takes them; None where nobody's is.

    Returns:
        Errors over all and by group, calibration, correlation, agreement within sessions, prognostic value.
    """
    found = measure_all(
        {**error_measures(photos), **calibration_measures(photos)},
        _people(photos),
        resampling,
        notes=_CALIBRATION_NOTES,
    )
    sessions = photos.groupby("session", as_index=False).agg(
        person=("person", "first"), age_years=("age_years", "mean"), face_age_years=("face_age_years", "median")
    )
    found += measure_all(
        {"session_face_age_mae_years": error_measures(sessions)["face_age_mae_years"]},
        _people(sessions),
        resampling,
        counts_photos=False,
        notes={"session_face_age_mae_years": "of the median over a session's photos"},
    )
    spread = Sessions.of(
        photos["face_age_years"].to_numpy(float), photos["session"].to_numpy(np.int64), _people(photos)
    )
    agreement = spread.measures("face_age", "years")
    note = f"{len(spread.photos)} sessions of two photos or more"
    found += measure_all(
        agreement, spread.person, resampling, counts_photos=False, notes=dict.fromkeys(agreement, note)
    )
    for group, level, of_level in levels_of(photos):
        found += measure_all(error_measures(of_level), _people(of_level), resampling, group_name=group, level=level)
    if followed is not None:
        found += prognosis_findings(followed, resampling=resampling)
    return found


def levels_of(photos: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Group, level and its photos, for every group that says something of some photo."""
    decade = (photos["age_years"] // 10 * 10).astype(int)
    grouped = photos.assign(age_decade=[f"{start} to {start + 9}" for start in decade])
    for group in GROUPS:
        if group not in grouped or grouped[group].isna().all():
            continue
        values = grouped[group].astype(object).where(grouped[group].notna(), UNKNOWN)
        # Decades sort by number: "100 to 109" comes last.
        for level in sorted(values.unique(), key=lambda value: (str(value) == UNKNOWN, len(str(value)), str(value))):
            yield group, str(level), grouped[values == level].reset_index(drop=True)


def error_measures(frame: pd.DataFrame) -> dict[str, Measure]:
    """Mean absolute error, bias (FaceAge minus age) and SD of the error, years, of a frame's rows."""
    error = (frame["face_age_years"] - frame["age_years"]).to_numpy(float)

    def mae(rows: Rows) -> float:
        return float(np.abs(error[rows]).mean())

    def bias(rows: Rows) -> float:
        return float(error[rows].mean())

    def spread(rows: Rows) -> float:
        if len(rows) < 2:
            raise NotComputable("fewer than two photos")
        return float(error[rows].std(ddof=1))

    return {"face_age_mae_years": mae, "face_age_bias_years": bias, "face_age_error_sd_years": spread}


def calibration_measures(frame: pd.DataFrame) -> dict[str, Measure]:
    """Least squares of age on FaceAge (slope, and intercept in years), and Pearson's correlation of the two."""
    age, face_age = frame["age_years"].to_numpy(float), frame["face_age_years"].to_numpy(float)

    def slope(rows: Rows) -> float:
        x, y = _varying(face_age[rows], "FaceAge"), age[rows]
        return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())

    def intercept(rows: Rows) -> float:
        return float(age[rows].mean() - slope(rows) * face_age[rows].mean())

    def correlation(rows: Rows) -> float:
        return float(np.corrcoef(_varying(face_age[rows], "FaceAge"), _varying(age[rows], "age"))[0, 1])

    return {
        "face_age_calibration_slope": slope,
        "face_age_calibration_intercept_years": intercept,
        "face_age_pearson_r": correlation,
    }


_CALIBRATION_NOTES = {
    "face_age_calibration_slope": "age on FaceAge; 1 is perfect, below 1 FaceAge spreads too far",
    "face_age_calibration_intercept_years": "age on FaceAge; 0 is perfect",
}


def _varying(values: Floats, name: str) -> Floats:
    if len(values) < 2 or np.ptp(values) == 0:
        raise NotComputable(f"{name} is the same on every photo")
    return values


def _people(frame: pd.DataFrame) -> np.ndarray:
    return frame["person"].to_numpy(np.int64)

"""How good the networks are on people they never saw."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
from lifelines.utils import concordance_index
from numpy.typing import NDArray

from model.network import BiomarkerNetwork
from model.survival.cox import fit_cox
from model.survival.design import Covariate
from model.survival.errors import FitRefused
from model.survival.nested import likelihood_ratio
from model.training.crops import Crops
from model.training.people import DAYS_PER_YEAR, People
from model.training.predict import predict

SEX = Covariate("sex", "sex", "categorical", levels=("F", "M"), reference="F")
SCORES = {
    "face_age": Covariate("face_age", "face_age", "continuous"),
    "face_survival": Covariate("face_survival", "face_survival", "continuous"),
}


def measured(age: BiomarkerNetwork, survival: BiomarkerNetwork, people: People, crops: Crops) -> dict[str, float]:
    """Metrics over held-out people. Errors are a photo's; concordance takes one photo a person.

    The difference within a session is of its first two photos, and left out where nobody has two. What each score adds
    to sex and the other one is a likelihood ratio over medians of a person's photos, left out where a model is refused.
    """
    face_ages, log_risks = predict(age, crops.pixels), predict(survival, crops.pixels)
    errors = face_ages - people.biological_ages[crops.person]
    persons, first_photo, photos = np.unique(crops.person, return_index=True, return_counts=True)
    pair = first_photo[photos >= 2]
    times, died = people.follow_up_days[persons], people.died[persons]
    metrics = {
        "face_age_mae_years": round(float(np.abs(errors).mean()), 3),
        "face_age_bias_years": round(float(errors.mean()), 3),
        "face_age_sd_of_error_years": round(float(errors.std()), 3),
        "face_survival_c_index": round(float(concordance_index(times, -log_risks[first_photo], died)), 4),
        "true_risk_c_index": round(float(concordance_index(times, -people.true_log_risks[persons], died)), 4),
        "face_survival_correlation_with_true_risk": round(
            float(np.corrcoef(log_risks[first_photo], people.true_log_risks[persons])[0, 1]), 4
        ),
        "held_out_people": len(persons),
        "held_out_photos": len(crops.person),
        "held_out_censored_share": round(float(1 - died.mean()), 3),
    }
    if len(pair):
        within_session = np.abs(face_ages[pair + 1] - face_ages[pair]).mean()
        metrics["face_age_within_session_difference_years"] = round(float(within_session), 3)
    return metrics | likelihood_ratios(face_ages, log_risks, people, crops.person)


def likelihood_ratios(
    face_ages: NDArray[np.float64], log_risks: NDArray[np.float64], people: People, person: NDArray[np.int64]
) -> dict[str, float]:
    """Chi-squared, 1 degree of freedom, of each score added to sex and the other one; none where a model is refused.

    Args:
        face_ages: (m,) years, a photo each.
        log_risks: (m,) of the same photos.
        people: whose photos they are.
        person: (m,) index into `people`. The median over a person's photos enters.
    """
    photos = pd.DataFrame({"person": person, "face_age": face_ages, "face_survival": log_risks})
    sessions = photos.groupby("person", as_index=False).median()
    persons = sessions["person"].to_numpy()
    sessions = sessions.assign(
        sex=[people.latents[person].sex for person in persons],
        followup_years=people.follow_up_days[persons] / DAYS_PER_YEAR,
        event=people.died[persons],
    )
    try:
        both = fit_cox(sessions, (SEX, *SCORES.values()))
        alone = {name: fit_cox(sessions, (SEX, score)) for name, score in SCORES.items()}
    except FitRefused:
        return {}
    return {
        f"{added}_beyond_{other}_chi_squared": round(likelihood_ratio(alone[other], both).chi_squared, 2)
        for added, other in permutations(SCORES)
    }

"""How good the networks are on people they never saw."""

from __future__ import annotations

import numpy as np
from lifelines.utils import concordance_index

from model.network import BiomarkerNetwork
from model.training.crops import Crops
from model.training.people import People
from model.training.predict import predict


def measured(age: BiomarkerNetwork, survival: BiomarkerNetwork, people: People, crops: Crops) -> dict[str, float]:
    """Metrics over held-out people. Errors are a photo's; concordance takes one photo a person.

    The difference within a session is of its first two photos, and left out where nobody has two.
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
    return metrics

"""Drawn faces whose every meaning is known: for the demo hospital, and for training without anybody's photograph."""

from model.drawing.anatomy import age_signs, anatomy, frailty_signs
from model.drawing.camera import enlarge
from model.drawing.face import DrawnFace, draw_face
from model.drawing.latents import (
    HOSPITAL_IDENTITY_SEEDS_FROM,
    OLDEST_YEARS,
    TRAINING_IDENTITY_SEEDS_BELOW,
    YOUNGEST_YEARS,
    FaceLatents,
    Framing,
    ShotConditions,
    conditions_of_session,
    random_conditions,
    random_latents,
)
from model.drawing.oddities import draw_face_cut_by_frame, draw_scene_without_face, draw_two_faces

__all__ = [
    "HOSPITAL_IDENTITY_SEEDS_FROM",
    "OLDEST_YEARS",
    "TRAINING_IDENTITY_SEEDS_BELOW",
    "YOUNGEST_YEARS",
    "DrawnFace",
    "FaceLatents",
    "Framing",
    "ShotConditions",
    "age_signs",
    "anatomy",
    "conditions_of_session",
    "draw_face",
    "draw_face_cut_by_frame",
    "draw_scene_without_face",
    "draw_two_faces",
    "enlarge",
    "frailty_signs",
    "random_conditions",
    "random_latents",
]

"""When each patient sits for photographs, with which camera, and where the hospital keeps what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np

from jobs.demo.population import CANARY, DAYS_PER_YEAR, Patient
from model.drawing import FaceLatents, Framing, ShotConditions, conditions_of_session

SOURCES = SHARE, DICOM_FOLDER = "share", "dicom_folder"
"""The two sources, as `fahr.photo_v1.source` names them."""

SHARE_OF_DICOM_SESSIONS = 0.2
SHORTEST_YEARS_BETWEEN_SESSIONS, LONGEST_YEARS_BETWEEN_SESSIONS = 0.5, 5.0

_SESSIONS_STREAM = 3
_RETURNS_FOR_SESSION = {2: 0.58, 3: 0.35}
"""Probability that a patient who lives long enough comes back for a second and for a third session."""
_PHOTOS_IN_SESSION = (0.62, 0.26, 0.09, 0.03)
"""Probability of one to four photographs."""
_MEGAPIXELS = ((0.6, 0.5, 1.0), (0.3, 1.0, 3.0), (0.1, 3.0, 12.0))
"""Share of cameras, and the megapixels they take. Real ones are larger; the demo must be quick."""
_ASPECT_RATIOS = (3 / 4, 4 / 5, 1.0, 4 / 3)
_DICOM_ENCODINGS = {
    "jpeg_baseline": 0.80,
    "jpeg_2000": 0.06,
    "explicit_little_endian": 0.06,
    "rle": 0.04,
    "jpeg_ls": 0.04,
}
_LARGEST_WITHOUT_LOSSY_COMPRESSION = 0.7
"""Megapixels; larger photographs are compressed with loss."""


@dataclass(frozen=True, slots=True)
class Session:
    """One day on which a patient was photographed."""

    patient: Patient
    number: int
    """1 at index, then 2, 3."""
    day: date
    source: str
    photos: int


@dataclass(frozen=True, slots=True)
class Photo:
    """One photograph before it is drawn: enough to make its bytes, the same ones on any machine and in any order."""

    hospital_seed: int
    number: int
    """Unique in the hospital, from 1."""
    session: Session
    shot: int
    """Number in the session, from 1."""
    captured_at: datetime | None
    """Local time; None where nobody wrote it down."""
    registered_at: datetime
    width: int
    height: int
    encoding: str
    """`jpeg` on the share; a transfer syntax in DICOM."""
    conditions: ShotConditions
    framing: Framing

    @property
    def patient(self) -> Patient:
        """Whose photograph it is."""
        return self.session.patient

    @property
    def latents(self) -> FaceLatents:
        """What the face shows on this day."""
        return self.patient.face_on(self.session.day)

    @property
    def photo_key(self) -> str:
        """Key in the share's manifest."""
        return f"SYNPHOTO-{self.number:06d}"

    @property
    def relative_path(self) -> str:
        """Path below the root of its source; like many a real one it gives away the record number."""
        day = f"{self.session.day:%Y%m%d}"
        if self.session.source == DICOM_FOLDER:
            return f"{CANARY}/{self.patient.mrn}/{day}/{self.number:06d}.dcm"
        return f"{CANARY}/{self.session.day.year}/{self.patient.mrn}_{day}_{self.number:06d}.jpg"

    def noise(self) -> np.random.Generator:
        """Random numbers that belong to this photograph alone."""
        return np.random.default_rng([self.hospital_seed, self.number])


def plan_sessions(patients: Sequence[Patient], seed: int) -> list[Session]:
    """Everybody's sessions: one at index, later ones half a year to five years apart while the patient lives."""
    return [session for patient in patients for session in _sessions_of(patient, seed)]


def _sessions_of(patient: Patient, seed: int) -> Iterator[Session]:
    rng = np.random.default_rng([seed, _SESSIONS_STREAM, patient.person_id])
    day = patient.index_date
    for number in (1, 2, 3):
        if number > 1:
            years_left = (patient.last_day - day).days / DAYS_PER_YEAR
            comes_back = rng.random() < _RETURNS_FOR_SESSION[number]
            if years_left <= SHORTEST_YEARS_BETWEEN_SESSIONS or not comes_back:
                return
            years = rng.uniform(SHORTEST_YEARS_BETWEEN_SESSIONS, min(LONGEST_YEARS_BETWEEN_SESSIONS, years_left))
            day += timedelta(days=int(np.ceil(years * DAYS_PER_YEAR)))
            if day >= patient.last_day:
                return
        source = DICOM_FOLDER if rng.random() < SHARE_OF_DICOM_SESSIONS else SHARE
        photos = 1 + int(rng.choice(len(_PHOTOS_IN_SESSION), p=_PHOTOS_IN_SESSION))
        yield Session(patient, number, day, source, photos)


def plan_photos(sessions: Sequence[Session], seed: int) -> list[Photo]:
    """Every ordinary photograph of the sessions, numbered from 1 in their order."""
    photos: list[Photo] = []
    for session in sessions:
        photos.extend(_photos_of(session, seed, first_number=len(photos) + 1))
    return photos


def _photos_of(session: Session, seed: int, *, first_number: int) -> Iterator[Photo]:
    rng = np.random.default_rng([seed, _SESSIONS_STREAM, session.patient.person_id, session.number])
    encoding = "jpeg"
    if session.source == DICOM_FOLDER:
        encoding = str(rng.choice(list(_DICOM_ENCODINGS), p=list(_DICOM_ENCODINGS.values())))
    width, height = _camera(rng, lossy=encoding in ("jpeg", "jpeg_baseline"))
    captured_at = datetime.combine(session.day, time(8)) + timedelta(seconds=int(rng.integers(9 * 3600)))
    for shot, conditions in enumerate(conditions_of_session(rng, session.photos), start=1):
        captured_at += timedelta(seconds=int(rng.integers(5, 90)))
        yield Photo(
            hospital_seed=seed,
            number=first_number + shot - 1,
            session=session,
            shot=shot,
            captured_at=captured_at,
            registered_at=captured_at + timedelta(minutes=int(rng.integers(20, 360))),
            width=width,
            height=height,
            encoding=encoding,
            conditions=conditions,
            framing=Framing(zoom=float(rng.uniform(0.85, 1.0))),
        )


def _camera(rng: np.random.Generator, *, lossy: bool) -> tuple[int, int]:
    """Width and height in pixels."""
    share, smallest, largest = zip(*_MEGAPIXELS, strict=True)
    kind = int(rng.choice(len(share), p=share))
    megapixels = float(rng.uniform(smallest[kind], largest[kind]))
    if not lossy:
        megapixels = min(megapixels, _LARGEST_WITHOUT_LOSSY_COMPRESSION)
    aspect_ratio = float(rng.choice(_ASPECT_RATIOS))
    height = int(np.sqrt(megapixels * 1e6 / aspect_ratio))
    return int(height * aspect_ratio), height


def plain_photo(photo: Photo, *, number: int, width: int = 720, height: int = 900) -> Photo:
    """The same sitting under conditions in which nothing hides the face: what odd files are made from."""
    conditions = replace(
        photo.conditions,
        yaw=0.0,
        pitch=0.0,
        roll=0.0,
        light_hardness=0.4,
        exposure=1.0,
        colour_temperature=0.0,
        blur=0.3,
        sensor_noise=0.006,
    )
    return replace(photo, number=number, width=width, height=height, conditions=conditions, framing=Framing(zoom=0.95))

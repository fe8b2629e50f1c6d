"""The concepts the demo hospital's OMOP tables use, and which of them are OMOP's own.

`STANDARD_CONCEPTS` have the ids of the OHDSI Standardized Vocabularies. `LOCAL_CONCEPTS` (from 2,000,000,000 upwards,
the range OMOP leaves to sites) are this hospital's: a real one would use SNOMED, LOINC and Cancer Modifier there.
The housekeeping rows (vocabularies, concept classes and some domains) point to local concepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

FROM_THE_BEGINNING, FOR_EVER = date(1970, 1, 1), date(2099, 12, 31)

NO_MATCHING_CONCEPT = 0
GENDER = {"F": 8532, "M": 8507}
RACE_UNKNOWN = 8552
NOT_HISPANIC = 38003564
OUTPATIENT_VISIT = 9202
FROM_THE_RECORD = 32817
"""Type concept "EHR": where every row of the demo says it comes from."""
CDM_5_4 = 756265

SITE = {
    "breast": 2_000_000_101,
    "lung": 2_000_000_102,
    "prostate": 2_000_000_103,
    "colorectal": 2_000_000_104,
    "head_neck": 2_000_000_105,
    "brain": 2_000_000_106,
}
STAGE_GROUP = 2_000_000_200
STAGE = {"I": 2_000_000_201, "II": 2_000_000_202, "III": 2_000_000_203, "IV": 2_000_000_204}
ECOG_STATUS = 2_000_000_300
RADIOTHERAPY = 2_000_000_400


@dataclass(frozen=True, slots=True)
class Concept:
    """One row of `cdm.concept`."""

    concept_id: int
    name: str
    domain: str
    vocabulary: str
    concept_class: str
    code: str
    standard: str | None = "S"

    def as_row(self) -> tuple[object, ...]:
        """In the order of `CONCEPT_COLUMNS`."""
        return (
            self.concept_id,
            self.name,
            self.domain,
            self.vocabulary,
            self.concept_class,
            self.code,
            FROM_THE_BEGINNING,
            FOR_EVER,
            self.standard,
        )


CONCEPT_COLUMNS = (
    "concept_id",
    "concept_name",
    "domain_id",
    "vocabulary_id",
    "concept_class_id",
    "concept_code",
    "valid_start_date",
    "valid_end_date",
    "standard_concept",
)

DOMAINS = {
    "Gender": 2,
    "Race": 3,
    "Ethnicity": 4,
    "Visit": 8,
    "Procedure": 10,
    "Condition": 19,
    "Measurement": 21,
    "Observation": 27,
    "Meas Value": 2_000_000_911,
    "Type Concept": 2_000_000_912,
    "Metadata": 2_000_000_913,
}
"""Domains and their concepts: OMOP's ids, local ones for the last three."""

VOCABULARIES = {
    "None": ("OMOP standardized vocabularies", 2_000_000_921),
    "Gender": ("OMOP Gender", 2_000_000_922),
    "Race": ("Race and ethnicity code set", 2_000_000_923),
    "Ethnicity": ("OMOP Ethnicity", 2_000_000_924),
    "Visit": ("OMOP Visit", 2_000_000_925),
    "Type Concept": ("OMOP Type Concept", 2_000_000_926),
    "CDM": ("OMOP Common Data Model", 2_000_000_927),
    "Domain": ("OMOP Domain", 2_000_000_928),
    "Demo hospital": ("SYNTHETIC demo hospital, local concepts", 2_000_000_929),
}

CONCEPT_CLASSES = {
    "Undefined": 2_000_000_931,
    "Gender": 2_000_000_932,
    "Race": 2_000_000_933,
    "Ethnicity": 2_000_000_934,
    "Visit": 2_000_000_935,
    "Type Concept": 2_000_000_936,
    "CDM": 2_000_000_937,
    "Domain": 2_000_000_938,
    "Local": 2_000_000_939,
}

STANDARD_CONCEPTS: tuple[Concept, ...] = (
    Concept(NO_MATCHING_CONCEPT, "No matching concept", "Metadata", "None", "Undefined", "No matching concept", None),
    Concept(GENDER["M"], "MALE", "Gender", "Gender", "Gender", "M"),
    Concept(GENDER["F"], "FEMALE", "Gender", "Gender", "Gender", "F"),
    Concept(RACE_UNKNOWN, "Unknown", "Race", "Race", "Race", "9", None),
    Concept(NOT_HISPANIC, "Not Hispanic or Latino", "Ethnicity", "Ethnicity", "Ethnicity", "Not Hispanic"),
    Concept(OUTPATIENT_VISIT, "Outpatient Visit", "Visit", "Visit", "Visit", "OP"),
    Concept(FROM_THE_RECORD, "EHR", "Type Concept", "Type Concept", "Type Concept", "OMOP4976890"),
    Concept(CDM_5_4, "OMOP CDM Version 5.4.0", "Metadata", "CDM", "CDM", "CDM v5.4.0"),
    *(
        Concept(concept_id, domain, "Metadata", "Domain", "Domain", f"OMOP domain {domain}", None)
        for domain, concept_id in DOMAINS.items()
        if concept_id < 2_000_000_000
    ),
)
"""Concepts with the ids of the OHDSI Standardized Vocabularies."""


def _local(concept_id: int, name: str, domain: str) -> Concept:
    return Concept(concept_id, name, domain, "Demo hospital", "Local", f"DEMO-{concept_id - 2_000_000_000}", None)


_SITE_NAMES = {
    "breast": "Malignant tumour of breast",
    "lung": "Malignant tumour of lung",
    "prostate": "Malignant tumour of prostate",
    "colorectal": "Malignant tumour of colon or rectum",
    "head_neck": "Malignant tumour of head or neck",
    "brain": "Malignant tumour of brain",
}

LOCAL_CONCEPTS: tuple[Concept, ...] = (
    *(_local(SITE[site], name, "Condition") for site, name in _SITE_NAMES.items()),
    _local(STAGE_GROUP, "AJCC stage group", "Measurement"),
    *(_local(concept_id, f"AJCC stage group {stage}", "Meas Value") for stage, concept_id in STAGE.items()),
    _local(ECOG_STATUS, "ECOG performance status", "Observation"),
    _local(RADIOTHERAPY, "Radiotherapy", "Procedure"),
    *(
        _local(concept_id, f"Domain {domain}", "Metadata")
        for domain, concept_id in DOMAINS.items()
        if concept_id > 2_000_000_000
    ),
    *(_local(concept_id, f"Vocabulary {name}", "Metadata") for name, concept_id in VOCABULARIES.values()),
    *(_local(concept_id, f"Concept class {name}", "Metadata") for name, concept_id in CONCEPT_CLASSES.items()),
)
"""Concepts of this hospital alone."""

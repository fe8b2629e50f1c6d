"""Options that the evaluations share on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="The model release to evaluate. Default: the current one."),
]

QuickOption = Annotated[
    bool, typer.Option("--quick", help="Few people and few resamples: to see that it works, not to report numbers.")
]

FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", metavar="DIR", help="Photos of a folder instead of the warehouse; needs --labels."),
]

LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="CSV",
        help="Labels of the folder's photos: path, age, sex, subject; optional time, event, skin_tone."
        " See docs/evaluation.md.",
    ),
]

SyntheticOption = Annotated[
    bool,
    typer.Option("--synthetic", help="The folder's photos are drawn, or its people made up: the page then says so."),
]

DataSetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="ID",
        help="The test split of a data set, by its id, its name, or the release it taught: no training reads it.",
    ),
]

DrawnOption = Annotated[
    int | None,
    typer.Option("--drawn", metavar="N", min=2, help="N drawn people nobody was trained on, instead of the warehouse."),
]

PhotosEachOption = Annotated[int, typer.Option("--photos-each", min=1, help="With --drawn: photos of each person.")]

ResamplesOption = Annotated[
    int, typer.Option("--resamples", min=0, help="Resamples of people behind each interval; 0: no intervals.")
]

CohortOption = Annotated[
    str, typer.Option("--cohort", help="Cohort that gives survival and covariates: a folder under schemas/cohorts.")
]

"""Strata of a Cox model: combinations of values of some columns, each with a baseline hazard of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from model.survival.errors import FitRefused
from model.survival.risk_sets import Integers


@dataclass(frozen=True)
class Strata:
    """The strata of a fit, numbered in the order of their values (as text).

    Attributes:
        columns: of the frame; empty: everybody is in one stratum.
        values: of each stratum, by column.
    """

    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, columns: tuple[str, ...]) -> Strata:
        """The strata that occur in `frame`.

        Raises:
            FitRefused: a value is missing.
        """
        if not columns:
            return cls((), ((),))
        occurring = _texts(frame, columns).drop_duplicates()
        return cls(columns, tuple(sorted(tuple(row) for row in occurring.to_numpy())))

    def numbers(self, frame: pd.DataFrame) -> Integers:
        """The number of each row's stratum, (rows,).

        Raises:
            FitRefused: a value is missing, or no stratum of the fit has it.
        """
        if not self.columns:
            return np.zeros(len(frame), dtype=np.int64)
        known = pd.DataFrame(self.values, columns=list(self.columns)).assign(_number=np.arange(len(self.values)))
        found = _texts(frame, self.columns).merge(known, how="left", on=list(self.columns))["_number"]
        if found.isna().any():
            unknown = _texts(frame, self.columns)[found.isna().to_numpy()].iloc[0]
            words = ", ".join(f"{column}={value}" for column, value in unknown.items())
            raise FitRefused(f"no person of the fit is in the stratum {words}")
        return found.to_numpy(dtype=np.int64)


def _texts(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    for column in columns:
        if frame[column].isna().any():
            raise FitRefused(f"the stratum {column} is missing for some persons")
    return frame[list(columns)].astype(str)

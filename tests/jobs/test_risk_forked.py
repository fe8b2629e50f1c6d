"""Work shared out between copies of the process: the same to the bit, and nothing is lost quietly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas as pd
import psutil
import pytest

from jobs.errors import SettingsError, place_of
from jobs.risk.forked import ForkedMapper, WorkerLost
from jobs.risk.job import analyse
from jobs.risk.models import MANY, fit_models
from jobs.risk.spread import MOST_PROCESSES, SparkMapper, mapper_of
from jobs.settings import Settings
from jobs.spark import LazySpark
from model.survival.errors import FitRefused
from model.survival.mapping import in_threads, mapped, mapped_in_chunks, mapping_by, one_after_the_other, side_by_side
from model.survival.sharing import sharing
from schemas.cohort import Cohort
from schemas.declaration import CohortFile
from tests.jobs.test_risk_spread import PERSONS, few_resamples, people, told

WAIT_S = 60


def in_the_copy() -> Callable[[int], bool]:
    """Whether a piece is done in the copy of two processes; the first two pieces are done by one each."""
    parent, both = os.getpid(), get_context("fork").Barrier(2)

    def elsewhere(piece: int) -> bool:
        if piece < 2:
            both.wait(WAIT_S)
        return os.getpid() != parent

    return elsewhere


def with_gaps() -> tuple[pd.DataFrame, Cohort]:
    """What is not known of some is imputed twice, with two folds."""
    frame, cohort = people(), few_resamples()
    frame.loc[frame["person_id"] % 5 == 0, "ecog"] = np.nan
    changed = {"missing": {"impute": 2, "seed": 3}, "prediction": {"model": "both_adjusted", "folds": 2}}
    declared = CohortFile.model_validate(cohort.declared.model_dump(exclude_defaults=True) | changed)
    return frame, replace(cohort, declared=declared)


@pytest.mark.parametrize("imputing", [False, True])
def test_two_processes_find_the_same_to_the_bit(imputing: bool) -> None:
    frame, cohort = with_gaps() if imputing else (people(), few_resamples())
    here = told(analyse(frame, cohort, "analysis", "data", "model"))
    assert ("imputed_ecog" in here) is imputing
    mapper = ForkedMapper(2, worth=1)
    with mapping_by(mapper):
        assert told(analyse(frame, cohort, "analysis", "data", "model")) == here
    assert mapper.forked > 0


def test_models_fitted_in_threads_are_the_same_to_the_bit() -> None:
    frame = pd.concat([people()] * -(-MANY // PERSONS), ignore_index=True)
    frame = frame.assign(person_id=np.arange(len(frame)), age_years=frame["age_years"] + np.arange(len(frame)) % 7)

    def bits() -> list[bytes]:
        with sharing():
            fits = [result.cox for result in fit_models(frame, few_resamples()).values()]
        assert all(fits)
        return [np.append(fit.beta, [fit.log_likelihood, *fit.covariance.ravel()]).tobytes() for fit in fits if fit]

    here = bits()
    with mapping_by(ForkedMapper(3)):
        assert bits() == here
        by_thread = in_threads([threading.get_ident, threading.get_ident], size=10**9)
    assert threading.get_ident() not in by_thread


def test_results_come_back_in_order_from_more_than_one_process() -> None:
    everybody = get_context("fork").Barrier(3)

    def together(piece: int) -> tuple[int, int]:
        if piece < 3:
            everybody.wait(WAIT_S)
        return piece, os.getpid()

    with mapping_by(ForkedMapper(3, worth=1)):
        found = mapped(together, list(range(30)), size=30)
        assert mapped_in_chunks(lambda piece: piece**2, list(range(130)), size=130) == [n**2 for n in range(130)]
    assert [piece for piece, _ in found] == list(range(30))
    assert len({process for _, process in found}) == 3


def test_little_work_and_work_within_a_piece_stay_where_they_are() -> None:
    mapper = ForkedMapper(2, worth=100)

    def within(piece: int) -> list[int]:
        return [*mapped(lambda _: os.getpid(), [1, 2, 3], size=1000), piece]

    with mapping_by(mapper):
        assert mapped(lambda _: os.getpid(), [1, 2, 3], size=99) == [os.getpid()] * 3
        assert mapper.forked == 0
        for *inner, _ in side_by_side([partial(within, piece) for piece in (1, 2)]):
            assert len(set(inner)) == 1
    assert mapper.forked == 1


def test_the_first_error_is_raised_as_it_was() -> None:
    def refuse(piece: int) -> int:
        if piece in (3, 7):
            raise FitRefused(f"piece {piece}")
        return piece

    with mapping_by(ForkedMapper(2, worth=1)), pytest.raises(FitRefused, match="piece 3"):
        mapped(refuse, list(range(10)), size=10)


def test_a_killed_process_stops_the_work_and_says_what_to_do() -> None:
    before, elsewhere = set(psutil.Process().children()), in_the_copy()

    def die_elsewhere(piece: int) -> None:
        if elsewhere(piece):
            os.kill(os.getpid(), signal.SIGKILL)

    with mapping_by(ForkedMapper(2, worth=1)), pytest.raises(WorkerLost, match="-9") as lost:
        mapped(die_elsewhere, list(range(10)), size=10)
    assert "local[1]" in lost.value.next_step
    assert set(psutil.Process().children()) <= before


class _Unpackable(Exception):
    def __reduce__(self) -> str:
        raise TypeError("cannot pickle")


ORPHANS = """
import sys, time
from functools import partial
from jobs.risk.forked import ForkedMapper
def work(piece):
    print("begun", flush=True)
    time.sleep(60)
ForkedMapper(3, worth=1).side_by_side([partial(work, piece) for piece in range(1000)])
"""


def test_an_error_keeps_its_type_its_advice_and_its_place() -> None:
    def fail_elsewhere(elsewhere: Callable[[int], bool], error: Exception, piece: int) -> None:
        if elsewhere(piece):
            raise error

    def raised(error: Exception) -> BaseException:
        with mapping_by(ForkedMapper(2, worth=1)), pytest.raises(Exception) as caught:
            mapped(partial(fail_elsewhere, in_the_copy(), error), list(range(10)), size=10)
        return caught.value

    typed = raised(SettingsError("a table is missing", next_step="Make it."))
    assert isinstance(typed, SettingsError) and typed.next_step == "Make it." and typed.exit_code == 10
    assert "(fail_elsewhere)" in place_of(raised(KeyError("of a library")))
    unpacked = raised(_Unpackable("words that may quote data"))
    assert "_Unpackable" in str(unpacked) and "quote" not in str(unpacked)
    assert "(fail_elsewhere)" in place_of(unpacked)


def test_what_cannot_be_sent_is_an_error_and_what_is_large_arrives() -> None:
    with mapping_by(ForkedMapper(2, worth=1)):
        large = mapped(lambda piece: np.full(3_000_000, piece), [1, 2, 3, 4], size=4)
        assert [int(one[-1]) for one in large] == [1, 2, 3, 4]
        with pytest.raises(TypeError, match="lock can't be sent"):
            elsewhere = in_the_copy()
            mapped(lambda piece: threading.Lock() if elsewhere(piece) else None, list(range(10)), size=10)


@pytest.mark.fault
def test_copies_end_when_the_process_is_killed() -> None:
    """In the middle of a piece: they hold its connections to the warehouse, and with them its locks."""
    with subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        copies = psutil.Process(process.pid).children()
        assert len(copies) == 2
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(copies, timeout=10)
        assert not alive


def test_a_local_spark_stands_for_processes_and_a_cluster_for_spark() -> None:
    def of(master: str) -> object:
        settings = Settings(spark_master=master)
        return mapper_of(settings, LazySpark(settings, "test"))

    assert isinstance(of("spark://cluster:7077"), SparkMapper)
    assert isinstance(of("local-cluster[2,1,1024]"), SparkMapper)
    assert isinstance(of("local[*,4]"), ForkedMapper)
    one, many = of("local"), of("local[64]")
    assert isinstance(one, ForkedMapper) and isinstance(many, ForkedMapper)
    assert one.side_by_side([os.getpid, os.getpid]) == [os.getpid()] * 2
    works = [partial(time.sleep, 0.05) for _ in range(40)]
    many.side_by_side(works)
    assert many.forked == MOST_PROCESSES - 1
    assert mapper_of(Settings(spark_master="local[4]"), None) is one_after_the_other

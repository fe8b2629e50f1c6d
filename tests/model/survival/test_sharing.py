"""What threads of a block share is computed by one of them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest

from model.survival.errors import FitRefused
from model.survival.sharing import FEWEST_ROWS, remembered, sharing


def test_what_one_thread_computes_the_others_wait_for() -> None:
    column, computed, both = np.zeros(FEWEST_ROWS), [], threading.Barrier(2)

    def found() -> object:
        def compute() -> object:
            computed.append(1)
            time.sleep(0.2)
            return object()

        both.wait(60)
        return remembered("thing", (column,), compute)

    with sharing(), ThreadPoolExecutor(2) as threads:
        one = threads.submit(copy_context().run, found)
        other = threads.submit(copy_context().run, found)
        assert one.result() is other.result()
    assert len(computed) == 1


def test_what_was_refused_is_tried_again() -> None:
    column = np.zeros(FEWEST_ROWS)

    def refused() -> int:
        raise FitRefused("no events")

    with sharing():
        with pytest.raises(FitRefused):
            remembered("thing", (column,), refused)
        assert remembered("thing", (column,), lambda: 3) == 3
        with sharing():
            assert remembered("thing", (column,), lambda: 4) == 3

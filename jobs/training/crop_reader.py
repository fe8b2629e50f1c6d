"""petastorm, and everything it needs to run on today's libraries. No other file imports it.

petastorm 0.12.1 was written for pyarrow below 15 and numpy 1. What it misses is given to it here and to nobody else:

- the modules pyarrow.hdfs and pyarrow.filesystem, while it is imported, and gone afterwards;
- the old `ParquetDataset` and `ParquetDatasetPiece`, in its own modules' name `pq`, as little of them as it uses;
- the columns of our files, which it would work out through names that numpy 2 dropped.

Its thread pool announces the end when everything handed out is processed and the ventilator is done, and asks in this
order: a quick ventilator can hand out all the rest in between, and those rows are silently lost. `_PatientPool` asks in
the other order. Its result reader turns columns into Python objects; ours hands over the Arrow table as it was read.

Whatever petastorm gives is counted: rows that are missing or come twice end an epoch with an error.
"""

from __future__ import annotations

import queue
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from jobs.training.crop_files import CropDataSet, CropFile, crops_of
from jobs.training.errors import RowsLost
from jobs.training.shuffling_buffer import ShufflingBuffer
from model.training.face_set import Batch


@contextmanager
def _names_that_petastorm_imports() -> Iterator[None]:
    """Modules that pyarrow had until version 15, for as long as petastorm is imported."""
    filesystem = ModuleType("pyarrow.filesystem")
    filesystem.LocalFileSystem = type("LocalFileSystem", (), {})  # type: ignore[attr-defined]
    hdfs = ModuleType("pyarrow.hdfs")
    hdfs.HadoopFileSystem = type("HadoopFileSystem", (), {})  # type: ignore[attr-defined]
    sys.modules |= {module.__name__: module for module in (filesystem, hdfs)}
    try:
        with warnings.catch_warnings():  # it imports distutils, which Python 3.11 deprecates
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for module in (filesystem, hdfs):
            del sys.modules[module.__name__]


with _names_that_petastorm_imports():
    import petastorm.arrow_reader_worker
    import petastorm.etl.dataset_metadata
    import petastorm.reader
    from petastorm.unischema import Unischema, UnischemaField
    from petastorm.workers_pool import EmptyResultError, VentilatedItemProcessedMessage
    from petastorm.workers_pool.thread_pool import ThreadPool


class _Piece:
    """A Parquet file, or one row group of it."""

    def __init__(
        self, path: str, open_file_func: Any = None, row_group: int | None = None, partition_keys: Sequence[Any] = ()
    ) -> None:
        self.path = path
        self.row_group = row_group
        self.partition_keys = partition_keys

    def get_metadata(self) -> Any:
        return pyarrow.parquet.read_metadata(self.path)

    def read(self, columns: set[str], partitions: None = None) -> pa.Table:
        with pa.memory_map(self.path) as mapped, pyarrow.parquet.ParquetFile(mapped) as file:
            return file.read_row_group(self.row_group, columns=sorted(columns), use_threads=False)


class _Dataset:
    """A list of Parquet files, without partitions or metadata of its own."""

    partitions = metadata = common_metadata = None

    def __init__(self, paths: Sequence[str], **_: Any) -> None:
        self.paths = paths
        self.pieces = [_Piece(path) for path in paths]
        self.fs = SimpleNamespace(open=pa.memory_map)


_COLUMNS = Unischema(
    "crops", [UnischemaField("row", np.int64, (), None, False), UnischemaField("pixels", np.bytes_, (), None, False)]
)
_OLD_PARQUET = SimpleNamespace(ParquetDataset=_Dataset, ParquetDatasetPiece=_Piece)
petastorm.reader.pq = petastorm.etl.dataset_metadata.pq = petastorm.arrow_reader_worker.pq = _OLD_PARQUET
petastorm.reader.infer_or_load_unischema = lambda dataset: _COLUMNS
# Row groups dealt at a time. Dealt ones are numbers; how many are held is up to the pool. With petastorm's 2 the reader
# waits for its ventilator, which looks every 10 ms.
petastorm.reader._VENTILATE_EXTRA_ROWGROUPS = 16


class _PatientPool(ThreadPool):
    """A pool of one thread, so that row groups come in the order in which they were dealt, that tells no early end."""

    def __init__(self) -> None:
        super().__init__(workers_count=1, results_queue_size=8)

    def get_results(self) -> pa.Table:
        while True:
            all_dealt = self._ventilator.completed()  # asked before the counts: nothing can be dealt after it
            if all_dealt and self._results_queue.empty() and self._ventilated_items == self._ventilated_items_processed:
                raise EmptyResultError
            try:
                result = self._results_queue.get(timeout=0.05)
            except queue.Empty:
                continue
            if isinstance(result, VentilatedItemProcessedMessage):
                self._ventilated_items_processed += 1
                self._ventilator.processed_item()
            elif isinstance(result, Exception):
                raise result
            else:
                return result


class _ArrowWorker(petastorm.arrow_reader_worker.ArrowReaderWorker):
    """Reads row groups; the reader hands over what it read, as an Arrow table."""

    @staticmethod
    def new_results_queue_reader() -> Any:
        return SimpleNamespace(batched_output=True, read_next=_next_table)


def _next_table(pool: _PatientPool, schema: object, ngram: object) -> pa.Table:
    try:
        return pool.get_results()
    except EmptyResultError:
        raise StopIteration from None


@contextmanager
def _row_groups(files: Sequence[Path], seed: int) -> Iterator[Iterator[pa.Table]]:
    """The row groups of some files, each once, in an order that the seed decides; one or two are read ahead."""
    paths = [str(path) for path in files]
    with petastorm.reader.Reader(
        pyarrow_filesystem=None,
        dataset_path=paths,
        reader_pool=_PatientPool(),
        worker_class=_ArrowWorker,
        is_batched_reader=True,
        shuffle_row_groups=True,
        seed=seed,
        num_epochs=1,
    ) as reader:
        yield reader


_Ahead = queue.Queue[Batch | BaseException | None]
"""Batches read ahead; None: the epoch is over; an error: it ended so."""


@dataclass(frozen=True)
class PetastormSource:
    """Batches of a data set's crops through petastorm (`model.training.face_set.BatchSource`).

    An epoch's order is decided by (seed, epoch): row groups are shuffled by petastorm, and rows in a buffer of
    `buffer_rows`, from which batches are drawn at random; a data set no larger than the buffer is shuffled wholly. A
    thread fills batches ahead, so that a network that computes does not wait for them. Memory: the buffer, 37 kB a
    row, the batches ahead, and a few row groups, however large the data set.
    """

    data_set: CropDataSet
    chosen: Sequence[int] | NDArray[np.int64]
    """Rows to give; files that hold none of them are not read."""
    batch_size: int
    seed: int
    buffer_rows: int = 4096
    """154 MB (ours)."""
    batches_ahead: int = 8

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows it gives, ascending."""
        return np.unique(np.asarray(self.chosen, dtype=np.int64))

    def batches(self, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first `skip`, which are read and passed over.

        Raises:
            RowsLost: petastorm gave fewer, more or other rows than there are; the epoch is not to be trusted.
        """
        ahead: _Ahead = queue.Queue(self.batches_ahead)
        stopped = threading.Event()
        thread = threading.Thread(
            target=self._fill, args=(ahead, stopped, epoch, skip), name="crops-ahead", daemon=True
        )
        thread.start()
        try:
            while (given := ahead.get()) is not None:
                if isinstance(given, BaseException):
                    raise given
                yield given
        finally:
            stopped.set()
            thread.join()

    def _fill(self, ahead: _Ahead, stopped: threading.Event, epoch: int, skip: int) -> None:
        """In the thread: put batches, then None; or the error that ended them."""
        last: BaseException | None = None
        try:
            for number, batch in enumerate(self._shuffled(epoch)):
                if stopped.is_set():
                    return
                if number >= skip and not _put(ahead, batch, stopped):
                    return
        except BaseException as error:  # handed over to the caller's thread, which raises it
            last = error
        _put(ahead, last, stopped)

    def _shuffled(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch])
        buffer = ShufflingBuffer(max(self.buffer_rows, self.batch_size), self.batch_size, rng)
        wanted = np.zeros(len(self.data_set), dtype=bool)
        wanted[self.rows] = True
        outstanding = wanted.copy()
        with _row_groups(self._files(), int(rng.integers(2**32))) as tables:
            for table in tables:
                rows, pixels = crops_of(table)
                here = wanted[rows]
                if not here.all():
                    rows, pixels = rows[here], pixels[here]
                if not outstanding[rows].all() or len(np.unique(rows)) < len(rows):
                    raise _lost("a row came twice.")
                outstanding[rows] = False
                yield from buffer.put(rows, pixels)
        if missing := int(outstanding.sum()):
            raise _lost(f"{missing} of {len(self.rows)} rows did not come.")
        yield from buffer.drain()

    def _files(self) -> list[Path]:
        return [file.path for file in self.data_set.files if self._holds_any(file)]

    def _holds_any(self, file: CropFile) -> bool:
        first, after = np.searchsorted(self.rows, [file.first, file.first + file.count])
        return bool(after > first)


def _put(ahead: _Ahead, item: Batch | BaseException | None, stopped: threading.Event) -> bool:
    """Put unless the caller has stopped; whether it was put."""
    while not stopped.is_set():
        try:
            ahead.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False


def _lost(what: str) -> RowsLost:
    return RowsLost(
        f"The reader of the data set failed: {what}",
        next_step="Start the training again from its checkpoint; if it stays, remove the data set and build it again.",
    )

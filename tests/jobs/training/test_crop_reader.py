"""Crops through petastorm: every row once an epoch, in an order the seed decides, shuffled, bounded, and counted."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crops_on_disk import rows_told_by, write_data_set

from jobs.training import crop_reader
from jobs.training.crop_files import ROWS_A_ROW_GROUP, CropDataSet, open_data_set
from jobs.training.crop_reader import PetastormSource
from jobs.training.errors import DataSetDamaged, DataSetMissing, RowsLost

ROWS = 1100


@pytest.fixture(scope="module")
def data_set(tmp_path_factory) -> CropDataSet:
    return write_data_set(tmp_path_factory.mktemp("training") / "a-data-set", ROWS)


def source(data_set: CropDataSet, rows=range(ROWS), **options) -> PetastormSource:
    return PetastormSource(data_set, np.asarray(rows), **({"batch_size": 50, "seed": 3, "buffer_rows": 400} | options))


def epoch(given: PetastormSource, number: int = 0, **options) -> list[int]:
    """Rows in the order in which they come; each crop is seen to be the row's own."""
    order: list[int] = []
    for batch in given.batches(number, **options):
        assert batch.pixels.shape == (given.batch_size, 112, 112, 3) and batch.pixels.dtype == np.uint8
        assert rows_told_by(batch.pixels) == batch.rows.tolist()
        order += batch.rows.tolist()
    return order


def test_every_row_comes_once_an_epoch_in_an_order_of_its_own(data_set):
    given = source(data_set)
    first, second = epoch(given, 0), epoch(given, 1)
    assert sorted(first) == sorted(second) == list(range(ROWS))
    assert first != second
    assert epoch(given, 0) == first
    assert epoch(source(data_set, seed=4), 0) != first


def test_a_resumed_epoch_goes_on_where_it_stopped(data_set):
    given = source(data_set)
    assert epoch(given, 2, skip=7) == epoch(given, 2)[7 * 50 :]
    assert epoch(given, 2, skip=ROWS // 50) == []


def test_the_last_smaller_batch_is_left_out(data_set):
    order = epoch(source(data_set, batch_size=64))
    assert len(order) == len(set(order)) == ROWS // 64 * 64


def test_only_the_chosen_rows_come_and_only_their_files_are_read(tmp_path):
    data_set = write_data_set(tmp_path / "a-data-set", ROWS)
    for number in (1, 2):  # files that hold none of the chosen rows
        data_set.files[number].path.write_bytes(b"no Parquet")
    chosen = [*range(0, 300, 3), *range(900, 1000)]
    given = source(data_set, chosen, batch_size=20)
    assert given.rows.tolist() == chosen
    assert sorted(epoch(given)) == chosen


def test_rows_are_shuffled_across_row_groups(data_set):
    whole = epoch(source(data_set, buffer_rows=ROWS))
    assert abs(np.corrcoef(np.arange(ROWS), whole)[0, 1]) < 0.15
    # With a buffer smaller than the data, a batch still mixes several row groups.
    mixed = np.array(epoch(source(data_set, buffer_rows=400))).reshape(-1, 50)
    groups = [len(set((rows // ROWS_A_ROW_GROUP).tolist())) for rows in mixed]
    assert np.mean(groups) > 3


def test_rows_that_petastorm_loses_end_the_epoch_with_an_error(data_set, monkeypatch):
    """A pool that tells an early end, as petastorm's own can."""
    patient = crop_reader._PatientPool.get_results
    given = iter(range(1000))

    def impatient(pool):
        if next(given) == 4:
            raise crop_reader.EmptyResultError
        return patient(pool)

    monkeypatch.setattr(crop_reader._PatientPool, "get_results", impatient)
    with pytest.raises(RowsLost, match=f"of {ROWS} rows did not come"):
        epoch(source(data_set))


def test_a_row_that_comes_twice_ends_the_epoch_with_an_error(tmp_path):
    data_set = write_data_set(tmp_path / "twice", 300)
    file = data_set.files[0].path
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table.slice(0, 299), table.slice(0, 1)]), file, compression="none")
    with pytest.raises(RowsLost, match="came twice"):
        epoch(source(data_set, range(300)))


class DealsWhileAsked:
    """A ventilator that deals its last row group, and it is read, in the moment it is asked whether it is done."""

    def __init__(self, pool) -> None:
        self.pool = pool
        pool._results_queue = crop_reader.queue.Queue()
        pool._ventilator = self

    def completed(self) -> bool:
        if self.pool._ventilated_items == 0:
            self.pool._ventilated_items = 1
            self.pool._results_queue.put("the last row group")
            self.pool._results_queue.put(crop_reader.VentilatedItemProcessedMessage())
        return True

    def processed_item(self) -> None:
        pass


def test_the_pool_tells_no_early_end():
    hasty = crop_reader.ThreadPool(1)
    DealsWhileAsked(hasty)
    with pytest.raises(crop_reader.EmptyResultError):  # if this no longer fails, petastorm has mended its pool
        hasty.get_results()
    patient = crop_reader._PatientPool()
    DealsWhileAsked(patient)
    assert patient.get_results() == "the last row group"
    with pytest.raises(crop_reader.EmptyResultError):
        patient.get_results()


def test_many_small_readers_lose_nothing(tmp_path):
    data_set = write_data_set(tmp_path / "small", 8, rows_a_file=4)
    for number in range(150):
        assert sorted(epoch(source(data_set, range(8), batch_size=4, buffer_rows=4), number)) == list(range(8))


def test_batches_are_made_ahead_and_no_further(data_set):
    given = source(data_set, batch_size=10, buffer_rows=20, batches_ahead=3).batches(0)
    next(given)
    time.sleep(0.3)
    (ahead,) = [thread for thread in threading.enumerate() if thread.name == "crops-ahead"]
    assert ahead.is_alive()  # it waits, with three batches made, for somebody to take them
    given.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "crops-ahead"]


def test_a_consumer_that_stops_leaves_no_thread_behind(data_set):
    before = threading.active_count()
    for _ in range(5):
        for _batch in source(data_set).batches(0):
            break
    gc.collect()
    assert threading.active_count() == before


def test_single_rows_are_read_in_the_order_asked_for(data_set):
    wanted = [1099, 0, 300, 299, 0, 640]
    assert rows_told_by(data_set.pixels(wanted)) == wanted
    assert data_set.pixels([]).shape == (0, 112, 112, 3)
    for other in (-1, ROWS):
        with pytest.raises(IndexError):
            data_set.pixels([other])


def test_labels_are_those_of_the_rows(data_set):
    assert len(data_set) == len(data_set.labels) == ROWS
    assert data_set.labels.subject[11] == 5 and data_set.labels.subject.dtype == np.int64
    assert data_set.labels.fold[301] == 1


def test_a_data_set_that_is_not_whole_is_refused(tmp_path):
    with pytest.raises(DataSetMissing):
        open_data_set(tmp_path / "nothing")
    folder = write_data_set(tmp_path / "damaged", 400).folder
    file = folder / "crops" / "00001.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:1000])
    with pytest.raises(DataSetDamaged):
        open_data_set(folder)
    file.unlink()
    with pytest.raises(DataSetDamaged):
        open_data_set(folder)


def test_petastorm_is_imported_by_its_adapter_alone():
    root = Path(crop_reader.__file__).parents[2]
    importing = {
        str(path.relative_to(root))
        for folder in ("jobs", "model", "schemas", "dags", "bench")
        for path in (root / folder).rglob("*.py")
        if any(
            line.strip().startswith(("import petastorm", "from petastorm")) for line in path.read_text().splitlines()
        )
    }
    assert importing == {"jobs/training/crop_reader.py"}


def test_the_adapter_leaves_nothing_of_petastorms_wants_behind():
    script = (
        "import jobs.training.crop_reader, sys, numpy, pyarrow, pyarrow.parquet as pq;"
        "assert 'pyarrow.hdfs' not in sys.modules and 'pyarrow.filesystem' not in sys.modules;"
        "assert not hasattr(numpy, 'string_') and not hasattr(pyarrow, 'localfs');"
        "assert not hasattr(pq, 'ParquetDatasetPiece'); assert pq.ParquetDataset.__module__.startswith('pyarrow')"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_memory_does_not_grow_with_the_data_set(tmp_path):
    """Peak memory of an epoch over twice the rows is that over the rows, within the size of a few row groups."""
    script = (
        "import sys, resource; from pathlib import Path; from jobs.training.crop_files import open_data_set;"
        "from jobs.training.crop_reader import PetastormSource;"
        "data = open_data_set(Path(sys.argv[1]));"
        "source = PetastormSource(data, range(len(data)), batch_size=50, seed=1, buffer_rows=200);"
        "[None for _ in source.batches(0)];"
        "print(sum(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    peaks = []
    for rows in (1000, 4000):
        folder = write_data_set(tmp_path / str(rows), rows, rows_a_file=500).folder
        told = subprocess.run([sys.executable, "-c", script, str(folder)], check=True, capture_output=True, text=True)
        peaks.append(int(told.stdout) / 1024)
    crops_mib = 3000 * 37632 / 2**20
    assert peaks[1] - peaks[0] < crops_mib / 2

"""A data set by the id that a build printed, or by the name it was given."""

from __future__ import annotations

from sqlalchemy import Engine, text

from jobs.settings import Settings
from jobs.training.crop_files import CropDataSet, open_data_set
from jobs.training.data_set import training_folder


def find_data_set(settings: Settings, engine: Engine, name_or_id: str) -> CropDataSet:
    """Open a data set; of several with one name, the one built last.

    Raises:
        DataSetMissing: there is none of this id or name.
        DataSetDamaged: it is not what its description says.
    """
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT data_set_id FROM fahr.training_set_v1 WHERE name = :name OR data_set_id = :name"
                " ORDER BY built_on DESC, data_set_id LIMIT 1"
            ),
            {"name": name_or_id},
        ).scalar()
    return open_data_set(training_folder(settings) / (found or name_or_id))

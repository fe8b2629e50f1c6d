"""A data set by its id, by the name it was given, or by the name of a release that it taught."""

from __future__ import annotations

from sqlalchemy import Engine, text

from jobs.settings import Settings
from jobs.training.crop_files import CropDataSet, open_data_set
from jobs.training.data_set import training_folder

_FIND = text(
    """
    SELECT data_set_id
    FROM (
        SELECT data_set_id, built_on AS since, 1 AS preference FROM fahr.training_set_v1 WHERE data_set_id = :called
        UNION ALL
        SELECT data_set_id, built_on, 2 FROM fahr.training_set_v1 WHERE name = :called
        UNION ALL
        SELECT data_set_id, trained_on, 3 FROM fahr.model_training_v1 WHERE model_id = :called
    ) AS found
    ORDER BY preference, since DESC, data_set_id
    LIMIT 1
    """
)


def find_data_set(settings: Settings, engine: Engine, called: str) -> CropDataSet:
    """Open a data set; of several that fit, the latest.

    Raises:
        DataSetMissing: there is none of this id or name, or its folder was removed.
        DataSetDamaged: it is not what its description says.
    """
    with engine.connect() as connection:
        found = connection.execute(_FIND, {"called": called}).scalar()
    return open_data_set(training_folder(settings) / (found or called))

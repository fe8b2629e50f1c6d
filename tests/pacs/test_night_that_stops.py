"""A PACS that stops in the middle of a night: what came is scored and published, exit 14, the next night goes on."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from sqlalchemy import text

from jobs.errors import PartialNight
from jobs.nightly import run_stages
from jobs.sources.archives import archive_sources
from model.drawing import draw_face, random_conditions, random_latents
from tests.jobs.landed import IMPORTS_GREAT_EXPECTATIONS
from tests.model.releases import small_release
from tests.nights.photograph import jpeg_bytes
from tests.pacs.objects import as_file, photo_object

pytestmark = IMPORTS_GREAT_EXPECTATIONS

PHOTOS = 8
NIGHT, NEXT_NIGHT = date(2026, 3, 1), date(2026, 3, 2)


def _face(number: int) -> bytes:
    """A drawn face as a photograph of the first patient."""
    rng = np.random.default_rng(number)
    dataset = photo_object(number, side_px=256)
    dataset.PixelData = encapsulate([jpeg_bytes(draw_face(random_latents(rng), random_conditions(rng), 256).pixels)])
    return as_file(dataset)


@pytest.mark.fault
def test_what_came_is_published_and_the_next_night_brings_the_rest(
    orthanc, proxy, settings, engine, spark, patients, tmp_path
):
    for number in range(PHOTOS):
        assert orthanc.store(_face(number))
    settings = orthanc.settings(settings).model_copy(
        update={
            "pacs_url": proxy.url,
            "pacs_connections": 2,
            "model": str(small_release(tmp_path / "release").folder),
        }
    )
    settings.share.mkdir(parents=True)
    assert [source.name for source in archive_sources(settings)] == ["dicomweb"]

    def stop_after_four(request):
        if request.is_retrieval and proxy.retrieved() > 4:
            orthanc.stop()

    proxy.before = stop_after_four

    def night(day):
        return run_stages(settings=settings, engine=engine, spark=spark, night=day)

    with pytest.raises(PartialNight) as partial:
        night(NIGHT)
    assert partial.value.exit_code == 14
    first = _coverage(engine)
    assert first["failed", "source_unreachable"] >= PHOTOS - 4
    assert 2 <= first["scored", None] <= 4
    assert sum(first.values()) == PHOTOS

    orthanc.start()
    proxy.before = lambda request: None
    counts = night(NEXT_NIGHT)
    assert counts["pull"]["landed"] == first["failed", "source_unreachable"]
    assert _coverage(engine) == {("scored", None): PHOTOS}


def _coverage(engine) -> dict[tuple[str, str | None], int]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT status, reason_code, count(*) AS photos FROM fahr.coverage GROUP BY 1, 2")
        )
        return {(row.status, row.reason_code): row.photos for row in rows}

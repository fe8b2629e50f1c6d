"""Follow: before a night pulls, the ledger follows what the hospital decided about what it pulled before.

In this order, in one transaction: merged persons, opt-outs, photos of nobody known, the retention time, and photos that
an earlier night found to be taken after it, now that their day has come. Then the landed bytes that are to go are
removed. A night that finds nothing decided leaves no row.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine, text

from jobs.landing_removal import remove_landed_bytes
from jobs.merges import follow_merges, kept_persons, merge_news
from jobs.opt_outs import follow_opt_outs, opt_out_news, refusing_persons
from jobs.retention import expired, note_expired
from jobs.runs import Run, recorded_run
from jobs.settings import Settings
from jobs.standing import judge_again
from jobs.strangers import give_up_strangers, strangers_landed


def follow(*, settings: Settings, engine: Engine, night: date) -> dict[str, int]:
    """Bring the ledger and the landing zone in line with the hospital's merges and opt-outs, and the retention time.

    Returns:
        Counts, those that apply: merges_followed, photos_moved, persons_opted_out, photos_opted_out,
        photos_of_strangers, photos_purged.

    Raises:
        LockHeld: another run works on the night.
        DatasetRejected: merges go round in a circle.
    """
    with recorded_run(engine, stage="follow", logical_date=night) as run:
        _decide(run, settings)
        remove_landed_bytes(engine, settings)
    return run.counts


def _decide(run: Run, settings: Settings) -> None:
    night = run.logical_date
    with run.engine.connect() as connection:
        merges = merge_news(connection, night)
        refusing = refusing_persons(connection, night, kept_persons(connection, night))
        # A merge may bring photos under a person who refused: where there is one, look after it was followed.
        opt_outs = bool(merges) or opt_out_news(connection, refusing)
        strangers = strangers_landed(connection)
        old = expired(connection, night, settings.landing_days)
        ripe = connection.execute(text(f"SELECT EXISTS ({_RIPE})"), {"night": night}).scalar_one()
    if not (merges or opt_outs or strangers or old or ripe):
        run.nothing_to_do()
        return
    with run.publish() as connection:
        if merges:
            follow_merges(connection, run, merges)
        if opt_outs:
            follow_opt_outs(connection, run, refusing)
        if strangers:
            give_up_strangers(connection, run)
        if old and settings.landing_days is not None:
            note_expired(connection, run, settings.landing_days)
        if ripe:
            connection.execute(text("CREATE TEMPORARY TABLE ripe (photo_id bigint) ON COMMIT DROP"))
            connection.execute(text(f"INSERT INTO ripe {_RIPE}"), {"night": night})
            judge_again(connection, "ripe", night)


_RIPE = """
    SELECT photo_id
    FROM fahr.validation_v1 AS decision JOIN fahr.photo_v1 USING (photo_id, content_sha256)
    WHERE decision.reason_code = 'captured_in_future' AND captured_at < CAST(:night AS date) + 1
"""

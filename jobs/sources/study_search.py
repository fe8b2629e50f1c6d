"""Every study of a modality that an archive holds, though its answers may be cut short.

An archive may stop an answer at a number of rows of its own and say nothing (a result cap), forget where a page began,
ignore a condition, or change while its pages are turned. So what was asked for is asked for again in parts, along the
dates. An answer that is shorter than the longest one seen was not cut: the archive can tell more than that. In an
archive that tells everything, the two halves are shorter than the whole, and three questions are all. Where a part is
as long as the longest, it is asked in parts again, down to seconds of a day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import date, timedelta

from jobs.sources.archive import Archive, Row, Span, is_uid, study_date, study_second

log = logging.getLogger("fahr.pacs")


@dataclass(frozen=True)
class _Answer:
    """What came for a span."""

    rows: dict[str, Row]
    """The studies of the span, by UID."""
    length: int
    """Rows as they came, which is what a cap counts."""
    has_others: bool
    """Whether dated studies of another span were among them."""


class StudySearch:
    """One search. After `run`, `found` holds the studies by UID, and `complete` whether they are known to be all."""

    def __init__(self, archive: Archive, modality: str) -> None:
        self._archive = archive
        self._modality = modality
        self._longest = 0
        self._is_cut = False
        self._doubtful: list[int] = []  # lengths of answers that cannot be asked for in parts
        self._foreign = 0
        self.found: dict[str, Row] = {}

    @property
    def complete(self) -> bool:
        """False: the archive cuts its answers, and one of that length could not be asked for in parts."""
        return not self._is_cut or all(length < self._longest for length in self._doubtful)

    def run(self) -> StudySearch:
        """Ask until every answer is known to be whole.

        Raises:
            SourceUnreachable: the archive cannot be reached.
            AnswerRefused: it does not answer a search for studies.
        """
        everything = Span()
        self._confirm(everything, self._ask(everything))
        if self._is_cut:
            log.info("The PACS cuts its answers at %s studies; they were asked for in parts.", self._longest)
        if self._foreign:
            log.warning("The PACS ignores a condition of the search; %s rows were left out here.", self._foreign)
        return self

    def _ask(self, span: Span) -> _Answer:
        rows = {}
        answer = self._archive.studies(self._modality, span)
        has_others = False
        for row in answer:
            uid = row.get("StudyInstanceUID", "")
            told = row.get("ModalitiesInStudy")
            if not is_uid(uid) or (told is not None and self._modality not in told.split("\\")):
                self._foreign += 1
                continue
            self.found[uid] = row
            if span.holds(study_date(row), study_second(row)):
                rows[uid] = row
            elif study_date(row) is not None:
                has_others = True
        self._longest = max(self._longest, len(answer))
        return _Answer(rows, len(answer), has_others)

    def _confirm(self, span: Span, answer: _Answer) -> None:
        """Ask for the parts of an answer that may have been cut."""
        if answer.length < 2 or answer.length < self._longest:
            return
        parts = _parts(span, answer.rows)
        answers = [self._ask(part) for part in parts]
        in_parts = {uid for one in answers for uid in one.rows}
        self._is_cut = self._is_cut or not in_parts <= answer.rows.keys()
        dated = {uid: row for uid, row in answer.rows.items() if study_date(row) is not None}
        expected = {
            uid for uid, row in dated.items() if any(part.holds(study_date(row), study_second(row)) for part in parts)
        }
        ignored = any(one.has_others and one.length >= answer.length for one in answers)
        if len(dated) - len(expected) > 1 or not expected <= in_parts or ignored:
            # The parts do not tell apart what the whole holds: whether it was cut cannot be known any better.
            self._doubtful.append(answer.length)
        if not ignored:
            for part, one in zip(parts, answers, strict=True):
                self._confirm(part, one)


def _parts(span: Span, rows: dict[str, Row]) -> list[Span]:
    """Parts of `span` among which its known studies are spread as evenly as may be; none: it cannot be parted."""
    days = sorted(day for row in rows.values() if (day := study_date(row)))
    if not days:
        return []
    if days[0] != days[-1]:
        middle = days[(len(days) - 1) // 2]
        middle = middle if middle < days[-1] else days[-1] - timedelta(days=1)
        return [span.up_to(middle), span.after(middle)]
    return [*_around(span, days[0]), *_within(span, days[0], rows)]


def _around(span: Span, day: date) -> list[Span]:
    """The parts of `span` before and after `day`."""
    before = [] if span.first == day else [span.up_to(day - timedelta(days=1))]
    after = [] if span.last == day else [span.after(day)]
    return before + after


def _within(span: Span, day: date, rows: dict[str, Row]) -> list[Span]:
    """The parts of `day`, parted between the times of its known studies, or around the one time they all have."""
    seconds = sorted(second for row in rows.values() if (second := study_second(row)) is not None)
    if not seconds:
        return []
    whole = replace(span, first=day, last=day)
    if seconds[0] == seconds[-1]:
        cuts = [second for second in (seconds[0] - 1, seconds[0]) if whole.from_second <= second < whole.to_second]
    else:
        middle = seconds[(len(seconds) - 1) // 2]
        cuts = [middle if middle < seconds[-1] else seconds[-1] - 1]
    if not cuts:
        return []
    begins = [whole.from_second, *(cut + 1 for cut in cuts)]
    ends = [*cuts, whole.to_second]
    return [replace(whole, from_second=begin, to_second=end) for begin, end in zip(begins, ends, strict=True)]

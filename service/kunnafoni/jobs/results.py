"""Results, page by page, in the order of the input or of completion. It knows rows, not messages; it is blocking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from kunnafoni.errors import OffsetOutOfRangeError
from kunnafoni.jobs.packing import unpack
from kunnafoni.storage.tables import ENDED, items, results

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from kunnafoni.jobs.store import JobRow
    from kunnafoni.storage.database import Database


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result: position and name of its item, the offset that follows it, and the rest as bytes.

    Attributes:
        item: The item's content as bytes; None if it was not asked for.
    """

    position: int
    id: str
    next_offset: int
    reused: bool
    body: bytes = field(repr=False)
    item: bytes | None = field(repr=False)


class Results:
    """Reads results of a job.

    An offset says where to go on, 0 from the beginning; a page has at most `limit` results, fewer if there are no more
    now. An offset that no page has led to raises OffsetOutOfRangeError.
    """

    def __init__(self, database: Database, *, with_items: bool = False) -> None:
        self._database = database
        self._columns: list[ColumnElement[Any]] = [
            results.c.position,
            results.c.sequence,
            results.c.reused,
            results.c.body,
            items.c.id,
        ]
        self._with_items = with_items
        if with_items:
            self._columns.append(items.c.body.label("item"))

    def in_completion_order(self, job: JobRow, *, offset: int, limit: int) -> list[StoredResult]:
        """The next page as the items were completed."""
        _check_offset(offset, job.last_sequence)
        query = self._of(job).where(results.c.sequence > offset).order_by(results.c.sequence).limit(limit)
        return self._fetch(query, by_sequence=True)

    def in_input_order(self, job: JobRow, *, offset: int, limit: int) -> list[StoredResult]:
        """The next page of the input; while the job runs, nothing behind an item that is still to be done."""
        _check_offset(offset, job.total_items)
        query = self._of(job).where(results.c.position >= offset).order_by(results.c.position).limit(limit)
        if job.state in ENDED:
            return self._fetch(query, by_sequence=False)
        page = self._fetch(query.where(results.c.position < offset + limit), by_sequence=False)
        unbroken = 0
        while unbroken < len(page) and page[unbroken].position == offset + unbroken:
            unbroken += 1
        return page[:unbroken]

    def _of(self, job: JobRow) -> Select[Any]:
        of_item = and_(items.c.job == results.c.job, items.c.position == results.c.position)
        return select(*self._columns).select_from(results.join(items, of_item)).where(results.c.job == job.number)

    def _fetch(self, query: Select[Any], *, by_sequence: bool) -> list[StoredResult]:
        with self._database.read() as connection:
            return [
                StoredResult(
                    position=row.position,
                    id=row.id,
                    next_offset=row.sequence if by_sequence else row.position + 1,
                    reused=row.reused,
                    body=unpack(row.body),
                    item=unpack(row.item) if self._with_items else None,
                )
                for row in connection.execute(query)
            ]


def _check_offset(offset: int, end: int) -> None:
    if offset > end:
        raise OffsetOutOfRangeError(offset, end)

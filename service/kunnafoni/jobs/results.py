"""Results, page by page, in the order of the input or of completion. It knows rows, not messages. It is blocking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from kunnafoni.jobs.packing import unpack
from kunnafoni.storage.tables import State, items, results

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from kunnafoni.jobs.store import JobRow
    from kunnafoni.storage.database import Database


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result: place and name of its item, the offset that follows it, and the rest as bytes.

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

    An offset is where to go on, 0 the beginning; a page has at most `limit` results, fewer if there are no more now.
    """

    def __init__(self, database: Database, *, with_items: bool = False) -> None:
        self._database = database
        self._columns: list[ColumnElement[Any]] = [
            results.c.position,
            results.c.place,
            results.c.reused,
            results.c.body,
            items.c.id,
        ]
        self._with_items = with_items
        if with_items:
            self._columns.append(items.c.body.label("item"))

    def in_completion_order(self, job: JobRow, *, offset: int, limit: int) -> list[StoredResult]:
        """The next page as the items were completed."""
        query = self._of(job).where(results.c.place > offset).order_by(results.c.place).limit(limit)
        return self._fetch(query, by_place=True)

    def in_input_order(self, job: JobRow, *, offset: int, limit: int) -> list[StoredResult]:
        """The next page of the input; while the job runs, nothing behind an item that is still to be done."""
        query = self._of(job).where(results.c.position >= offset).order_by(results.c.position).limit(limit)
        if job.state is not State.RUNNING:
            return self._fetch(query, by_place=False)
        page = self._fetch(query.where(results.c.position < offset + limit), by_place=False)
        unbroken = 0
        while unbroken < len(page) and page[unbroken].position == offset + unbroken:
            unbroken += 1
        return page[:unbroken]

    def _of(self, job: JobRow) -> Select[Any]:
        of_item = and_(items.c.job == results.c.job, items.c.position == results.c.position)
        return select(*self._columns).select_from(results.join(items, of_item)).where(results.c.job == job.number)

    def _fetch(self, query: Select[Any], *, by_place: bool) -> list[StoredResult]:
        with self._database.read() as connection:
            return [
                StoredResult(
                    position=row.position,
                    id=row.id,
                    next_offset=row.place if by_place else row.position + 1,
                    reused=row.reused,
                    body=unpack(row.body),
                    item=unpack(row.item) if self._with_items else None,
                )
                for row in connection.execute(query)
            ]

"""What was noted and waits to be written: a bounded queue in which crowds stand together."""

from __future__ import annotations

from collections import Counter
from typing import Final

from attrs import define, evolve, field

from whispercore.audit.row import Row

MOST: Final = 10_000
"""Rows that wait; what comes beyond is counted as lost."""
ALIKE: Final = 10
"""So many events that are alike wait one by one; the rest that comes with them is one event with a count.

A storm has to be seen, and not to fill the disk."""


@define
class Noted:
    """Rows in the order they came."""

    _rows: list[Row] = field(init=False, factory=list)
    _seen: Counter[tuple[object, ...]] = field(init=False, factory=Counter)
    _crowds: dict[tuple[object, ...], int] = field(init=False, factory=dict)
    """Places of rows that stand for several."""
    lost: int = field(init=False, default=0)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        """One more."""
        likeness = row.likeness
        place = self._crowds.get(likeness)
        if place is not None:
            self._rows[place] = evolve(row, occurrences=self._rows[place].occurrences + row.occurrences)
        elif len(self._rows) >= MOST:
            self.lost += row.occurrences
        else:
            self._seen[likeness] += 1
            if self._seen[likeness] > ALIKE:
                self._crowds[likeness] = len(self._rows)
            self._rows.append(row)

    def take(self) -> tuple[list[Row], int]:
        """All rows, and how many events were lost; nothing waits then."""
        taken, lost = self._rows, self.lost
        self._rows, self.lost = [], 0
        self._seen.clear()
        self._crowds.clear()
        return taken, lost

    def put_back(self, rows: list[Row], lost: int) -> None:
        """What could not be written, before what came meanwhile."""
        newer, newly_lost = self.take()
        self.lost = lost + newly_lost
        for row in (*rows, *newer):
            self.add(row)

"""One row of training text.

Knows no file format and no filter.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A source and its target, in one task.

    Attributes:
        task: `en>fr` and the like for a translation, `sum-fr` for a summary in French of a French text.
        weight: How often the row is taken in an epoch, on average; 1.0 is a plain row. Always above zero.
        source: The text the model reads, NFC.
        target: The text it is to write, NFC.
    """

    task: str
    weight: float
    source: str
    target: str

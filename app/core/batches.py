"""Bounded pieces of long lists: no statement carries more than `BATCH` values."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH = 1_000

T = TypeVar("T")


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]

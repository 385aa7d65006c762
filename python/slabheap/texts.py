"""Texts: numbers and names as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["bytes_text", "counted", "distinct_labels", "fact_rows", "fact_text", "printable", "shortened", "size_text", "time_text"]

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def bytes_text(value: float) -> str:
    """A number of bytes in the largest unit that it has one of, with three digits.

    Examples:
        >>> bytes_text(1536), bytes_text(1 << 40)
        ('1.5 KiB', '1 TiB')
    """
    power = min(4, max(0, int(abs(value)).bit_length() - 1) // 10)
    if power == 0:
        return f"{value:.0f} B"
    scaled = value / 1024**power
    return f"{scaled:.3g} {_UNITS[power]}" if abs(scaled) < 1000 else f"{scaled:,.0f} {_UNITS[power]}"


def size_text(size: int) -> str:
    """The bytes of a block, exactly.

    Examples:
        >>> size_text(4096), size_text(1040)
        ('4 KiB', '1,040 B')
    """
    return bytes_text(size) if size % 1024 == 0 else f"{size:,} B"


def time_text(nanoseconds: float) -> str:
    """A time in the largest unit that it has one of, with three digits.

    Examples:
        >>> time_text(15.4), time_text(2284), time_text(3.2e9)
        ('15 ns', '2.28 µs', '3.2 s')
    """
    for unit in ("ns", "µs", "ms"):
        if nanoseconds < 999.5:
            return f"{nanoseconds:.0f} ns" if unit == "ns" else f"{nanoseconds:.3g} {unit}"
        nanoseconds /= 1000
    return f"{nanoseconds:,.3g} s"


def counted(count: int, what: str) -> str:
    """How many there are of what.

    Examples:
        >>> counted(1, "event"), counted(2000, "event")
        ('1 event', '2,000 events')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def fact_text(name: str, value: Any) -> str:
    """A figure by its name: bytes with a unit if it ends in `_bytes`, a list as words.

    Examples:
        >>> fact_text("peak_bytes", 2048), fact_text("events", 2048), fact_text("seconds", 1.23456)
        ('2 KiB', '2,048', '1.23')
    """
    if name.endswith("_bytes"):
        return bytes_text(value)
    if isinstance(value, list):
        return " ".join(value)
    return f"{value:,.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def printable(text: str) -> str:
    r"""The text with an escape in the place of what UTF-8 does not have: bytes of a command or a path that are no letters.

    Examples:
        >>> print(printable("/tmp/b\udcfccher"))
        /tmp/b\udcfccher
    """
    return text.encode(errors="backslashreplace").decode()


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and end with "…" between them, of at most `most` characters.

    Examples:
        >>> shortened("abcdefghij", 7)
        'abc…hij'
    """
    if len(text) <= most:
        return text
    behind = (most - 1) // 2
    return f"{text[: most - 1 - behind]}…{text[len(text) - behind :]}"


def _without_lists(label: str) -> str:
    """The label with the count and the ends of each long list of numbers in the place of the list."""

    def summary(found: re.Match[str]) -> str:
        numbers = found[0].split(",")
        return f"{len(numbers)} from {numbers[0]} to {numbers[-1]}"

    return re.sub(r"\d+(,\d+){3,}", summary, label)


def distinct_labels(labels: Sequence[str], most: int = 64) -> list[str]:
    """Labels for a picture or a table: long lists of classes summed up, each of at most `most` characters, no two alike.

    Examples:
        >>> distinct_labels(["classic classes=16,32,64,128", "system", "system"])
        ['classic classes=4 from 16 to 128', 'system', 'system (2)']
    """
    short = [shortened(_without_lists(printable(label)), most) for label in labels]
    distinct: list[str] = []
    for index, label in enumerate(short):
        earlier = short[:index].count(label)
        distinct.append(f"{shortened(label, most - 4)} ({earlier + 1})" if earlier else label)
    return distinct


def fact_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Figures by their names, as the rows of a table.

    Examples:
        >>> fact_rows({"peak_requested_bytes": 2048, "threads": 1})
        [('peak requested', '2 KiB'), ('threads', '1')]
    """
    return [(name.removesuffix("_bytes").replace("_", " "), fact_text(name, value)) for name, value in facts.items()]

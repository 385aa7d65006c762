"""HTML: templates in which everything is escaped that is not meant to be markup."""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slabheap.pages import FREE, LARGE, page_occupancy, page_png
from slabheap.texts import bytes_text, printable

if TYPE_CHECKING:
    import jinja2
    import numpy as np
    import numpy.typing as npt

__all__ = ["card", "data_uri", "page_words", "rendered"]


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    loader = jinja2.PackageLoader("slabheap", "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )


def rendered(template: str, **content: Any) -> str:
    """A template of the package with its places filled in, escaped; as UTF-8 has it."""
    return printable(_environment().get_template(template).render(**content))


def data_uri(content: bytes, kind: str) -> str:
    """Content as an address that has all of it, such as `kind` "image/png".

    Examples:
        >>> data_uri(b"abc", "text/plain")
        'data:text/plain;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def page_words(runs: npt.NDArray[np.void]) -> str:
    """What a map of pages shows, for who cannot see it.

    Examples:
        >>> from slabheap import Heap
        >>> with Heap(1 << 20) as heap:
        ...     block = heap.allocate(5000)
        ...     page_words(heap.runs())
        'Map of 8 KiB: 8 KiB of large blocks, 0 B in sets, 0 B free between them'
    """
    occupancy, page_bytes = page_occupancy(runs)
    large, free = int((occupancy == LARGE).sum()), int((occupancy == FREE).sum())
    parts = (occupancy.size, large, occupancy.size - large - free, free)
    whole, of_large, of_sets, of_free = (bytes_text(count * page_bytes) for count in parts)
    return f"Map of {whole}: {of_large} of large blocks, {of_sets} in sets, {of_free} free between them"


def card(title: str, facts: Sequence[tuple[str, str]], runs: npt.NDArray[np.void] | None = None, moment: str = "") -> str:
    """An object as Jupyter shows it: a table of its facts, and a map of its pages.

    Args:
        title: What it is.
        facts: Names and values.
        runs: As `Heap.runs` gives them, if there is a map.
        moment: When the pages were like this.
    """
    picture = None
    if runs is not None and runs.size:
        picture = {"source": data_uri(page_png(runs), "image/png"), "words": page_words(runs), "moment": moment}
    return rendered("card.html", title=title, facts=facts, picture=picture)

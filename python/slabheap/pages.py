"""Pages: what each page of a heap holds, and a picture with a pixel for each."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import numpy.typing as npt

__all__ = [
    "DARK_PAGES",
    "FREE",
    "LARGE",
    "LIGHT_PAGES",
    "RUN_KINDS",
    "PageColours",
    "columns_for",
    "page_grid",
    "page_occupancy",
    "page_png",
]

#: What `Heap.runs` calls the kinds of runs, by number.
RUN_KINDS = ("free", "set", "large")

#: What `page_occupancy` says of a free page, and of one of a large block.
FREE, LARGE = -1.0, 2.0

_MOST_COLUMNS = 512  # pixels in a row of a PNG; larger heaps have several pages in a pixel

_Runs = npt.NDArray[np.void]
_Occupancy = npt.NDArray[np.float64]
_Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class PageColours:
    """Colours of pages, red, green and blue from 0 to 255; their brightness alone tells them apart.

    Attributes:
        free: Of a free page.
        large: Of a page of a large block.
        emptiest: Of a page of a set with no block used.
        fullest: Of a page of a set with every block used.
        beyond: Where there is no page.
    """

    free: _Colour
    large: _Colour
    emptiest: _Colour
    fullest: _Colour
    beyond: _Colour

    def of(self, occupancy: _Occupancy) -> npt.NDArray[np.uint8]:
        """The colour of each page; to the shape of `occupancy`, three colours are added. NaN is beyond."""
        share = np.clip(np.nan_to_num(occupancy), 0, 1)[..., np.newaxis]
        colours = np.rint(np.array(self.emptiest) * (1 - share) + np.array(self.fullest) * share).astype(np.uint8)
        colours[occupancy < 0] = self.free
        colours[occupancy > 1] = self.large
        colours[np.isnan(occupancy)] = self.beyond
        return colours


LIGHT_PAGES = PageColours(
    free=(255, 255, 255), large=(22, 24, 29), emptiest=(214, 230, 244), fullest=(46, 112, 168), beyond=(232, 232, 232)
)
DARK_PAGES = PageColours(free=(20, 24, 29), large=(244, 244, 244), emptiest=(36, 62, 88), fullest=(104, 170, 224), beyond=(48, 52, 58))


def _set_pages(sets: _Runs, pages: npt.NDArray[np.int64], page_bytes: int) -> _Occupancy:
    """The used part of each page of some sets, one set behind the other."""
    words = np.ascontiguousarray(sets["used"], "<u8").view(np.uint8).reshape(-1, 8)
    bits = np.pad(np.unpackbits(words, axis=1, bitorder="little"), ((0, 0), (0, 1)))
    used_before = np.pad(np.cumsum(bits[:, :64], axis=1, dtype=np.uint8), ((0, 0), (1, 0)))
    # Each set has an edge more than pages. The bytes used below an edge grow with the edge as long as it is in a used block.
    which = np.repeat(np.arange(sets.size), pages + 1)
    edges = np.arange(which.size) - np.repeat(np.cumsum(pages + 1) - (pages + 1), pages + 1)
    block_bytes = sets["block_size"].astype(np.float64)[which]
    blocks = np.minimum(edges * float(page_bytes) / block_bytes, sets["total_blocks"][which])
    whole = blocks.astype(np.int64)
    below = block_bytes * (used_before[which, whole] + (blocks - whole) * bits[which, whole])
    return np.asarray(np.diff(below)[edges[1:] > 0] / page_bytes)


def common_page_bytes(*runs: _Runs) -> int:
    """The longest length that can be a page of all the runs: each is a multiple of it. 1 if there is none."""
    return math.gcd(*(length for each in runs for length in each["bytes"].tolist())) or 1


def page_occupancy(runs: _Runs, page_bytes: int | None = None) -> tuple[_Occupancy, int]:
    """What each page of a heap holds, up to the last that is in use.

    Args:
        runs: As `Heap.runs` or `Result.snapshots` give them.
        page_bytes: Bytes of a page, of which every run is a multiple; the most that can be unless given.

    Returns:
        An array with a value for each page, shape (pages,), float64: FREE (-1) for a free page, LARGE (2) for one of a large block, and the
        used part, from 0 to 1, of one of a set; and the bytes of a page.

    Raises:
        ValueError: There is no run.

    Examples:
        >>> from slabheap import Heap
        >>> with Heap(1 << 22) as heap:
        ...     blocks = [heap.allocate(size) for size in (5000, 4096, 2048, 2048)]
        ...     heap.free(blocks[3])
        ...     occupancy, page_bytes = page_occupancy(heap.runs())
        >>> sorted(set(occupancy.tolist()))
        [-1.0, 0.0, 0.5, 1.0, 2.0]
    """
    if runs.size == 0:
        raise ValueError("there is no run to draw")
    page_bytes = page_bytes or common_page_bytes(runs)
    used = np.flatnonzero(runs["kind"] != RUN_KINDS.index("free"))
    runs = runs[: used[-1] + 1] if used.size else runs[:0]
    pages = (runs["bytes"] // np.uint64(page_bytes)).astype(np.int64)
    is_set = runs["kind"] == RUN_KINDS.index("set")
    occupancy = np.repeat(np.where(runs["kind"] == RUN_KINDS.index("free"), FREE, LARGE), pages)
    occupancy[np.repeat(is_set, pages)] = _set_pages(runs[is_set], pages[is_set], page_bytes)
    return occupancy, page_bytes


def columns_for(pages: int) -> int:
    """How many pages a row has so that the rows make a picture wider than high: a power of two, 16 at the least."""
    return max(16, 1 << math.ceil(math.log2(math.sqrt(max(1, pages) * 2.5))))


def page_grid(occupancy: _Occupancy, columns: int, pages: int | None = None) -> _Occupancy:
    """The pages in rows, shape (rows, columns); those up to `pages` are free, and behind them there is NaN. One row at the least."""
    rows = max(1, math.ceil(max(occupancy.size, pages or 0) / columns))
    grid = np.full(rows * columns, np.nan)
    grid[: pages or 0] = FREE
    grid[: occupancy.size] = occupancy
    return grid.reshape(rows, columns)


def page_png(runs: _Runs, colours: PageColours = LIGHT_PAGES) -> bytes:
    """A PNG with a pixel for each page, row by row in order of address; of several pages that share one, the mean. A few thousand bytes.

    Args:
        runs: As `Heap.runs` or `Result.snapshots` give them.
        colours: Of the pages.

    Raises:
        ValueError: There is no run.

    Examples:
        >>> from slabheap import Heap
        >>> with Heap(1 << 20) as heap:
        ...     block = heap.allocate(100)
        ...     page_png(heap.runs())[1:4]
        b'PNG'
    """
    from PIL import Image

    occupancy, _ = page_occupancy(runs)
    image = Image.fromarray(colours.of(page_grid(occupancy, columns_for(occupancy.size))))
    if image.width > _MOST_COLUMNS:
        factor = image.width // _MOST_COLUMNS
        image = image.resize((_MOST_COLUMNS, math.ceil(image.height / factor)), Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()

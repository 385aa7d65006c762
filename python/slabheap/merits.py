"""What is known of each figure of merit: its unit, its name for people, which way is better. docs/figures.md defines them."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

from slabheap import _core
from slabheap.costs import COST_FIGURES
from slabheap.texts import bytes_text, time_text

__all__ = ["FIGURES", "SERIES", "TIMED_FIGURES", "Figure", "Unit"]

Unit: TypeAlias = Literal["bytes", "pages", "count", "share", "ratio", "rate", "seconds", "ns"]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of merit.

    Attributes:
        name: Its name in frames and in JSON.
        unit: What it is counted in.
        more_is_better: Whether more of it is better than less.
        title: What it is, for people.
        is_whole: Whether it is a whole number.
    """

    name: str
    unit: Unit
    more_is_better: bool
    title: str
    is_whole: bool

    @classmethod
    def of(cls, name: str, unit: Unit, title: str = "", *, more_is_better: bool = False, is_whole: bool | None = None) -> Figure:
        """A figure; unless given, its title is its name, and it is whole if its unit is."""
        words = name.removesuffix("_bytes").removesuffix("_ns").replace("_", " ")
        return cls(name, unit, more_is_better, title or words, unit in ("bytes", "pages", "count") if is_whole is None else is_whole)

    def text(self, value: float) -> str:
        """A value of it, short enough for a cell of a table; a rate in millions.

        Examples:
            >>> FIGURES["peak_held_bytes"].text(8192), FIGURES["occupancy"].text(0.25), FIGURES["operations_per_second"].text(45.6e6)
            ('8 KiB', '25.0%', '45.6')
        """
        match self.unit:
            case "bytes":
                return bytes_text(value)
            case "share":
                return f"{value:.1%}"
            case "ratio":
                return f"{value:.3f}"
            case "rate":
                return f"{value / 1e6:,.1f}"
            case "seconds":
                return time_text(1e9 * value)
            case "ns":
                return time_text(value)
            case _:  # a median of counts need not be whole
                return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.3g}"


def _by_name(*figures: Figure) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


_COSTS = _by_name(*(Figure.of(name, "ns") for name in COST_FIGURES))

_FIELDS = _by_name(
    *(Figure.of("event", "count"), Figure.of("time", "ns")),
    *(Figure.of(name, "bytes") for name in ("requested", "used", "held", "slack")),
    *(Figure.of("failures", "count"), Figure.of("live_pages", "pages"), Figure.of("touched_pages", "pages")),
)

#: The figures that a result has at each sample of its timeline.
SERIES = {
    **{name: _FIELDS[name] for name in _core.sample_dtype.names or ()},
    **_by_name(
        Figure.of("internal_fragmentation", "share"),
        Figure.of("external_fragmentation", "share"),
        Figure.of("largest_free", "bytes", more_is_better=True),
        Figure.of("occupancy", "share", more_is_better=True),
        Figure.of("operations_per_second", "rate", more_is_better=True),
    ),
    **_COSTS,
}

_TIMED = _by_name(
    Figure.of("seconds", "seconds"),
    Figure.of("operations_per_second", "rate", "million operations a second", more_is_better=True),
)

#: The figures that differ from run to run.
TIMED_FIGURES = (*_TIMED, *_COSTS)

#: The figures that are one number.
FIGURES = {
    **_by_name(
        Figure.of("events", "count"),
        Figure.of("peak_requested_bytes", "bytes"),
        Figure.of("peak_used_bytes", "bytes"),
        Figure.of("peak_held_bytes", "bytes"),
        Figure.of("peak_resident_bytes", "bytes"),
        Figure.of("peak_slack_bytes", "bytes"),
        Figure.of("held_ratio", "ratio", "peak held / peak requested"),
        Figure.of("internal_fragmentation", "share", "internal fragmentation at the peak"),
        Figure.of("external_fragmentation", "share", "external fragmentation at the peak"),
        Figure.of("largest_free_bytes", "bytes", "largest free at the peak", more_is_better=True),
        Figure.of("occupancy", "share", "occupancy of slabs at the peak", more_is_better=True),
        Figure.of("mean_held_bytes", "bytes", "held on average, over events", is_whole=False),
        Figure.of("mean_held_bytes_by_time", "bytes", "held on average, over time", is_whole=False),
        Figure.of("peak_live_pages", "pages", "pages of 4 KiB live at most"),
        Figure.of("touched_pages", "pages", "pages of 4 KiB touched"),
        Figure.of("failures", "count"),
    ),
    **_TIMED,
    **_COSTS,
}

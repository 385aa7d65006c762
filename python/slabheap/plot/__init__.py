"""Pictures of traces, replays, sweeps and heaps.

Every function returns a matplotlib Figure and draws no window; `figure.savefig("x.png")` writes it, as PNG, SVG or PDF. Pictures can be
told apart without colour: lines by their dashes, pages and values by their darkness. Within `theme("dark")` they are for dark paper.
"""

from slabheap.plot.calls import call_costs
from slabheap.plot.comparing import comparison
from slabheap.plot.merit import figures
from slabheap.plot.over_time import class_occupancy, timeline
from slabheap.plot.page_maps import moments, page_animation, page_map, page_strip
from slabheap.plot.sizes import lifetimes
from slabheap.plot.style import theme
from slabheap.plot.sweep_maps import sweep_map

__all__ = [
    "call_costs",
    "class_occupancy",
    "comparison",
    "figures",
    "lifetimes",
    "moments",
    "page_animation",
    "page_map",
    "page_strip",
    "sweep_map",
    "theme",
    "timeline",
]

"""The kinds of heaps that behaviour is tested on."""

from __future__ import annotations

from typing import Any

#: Options of `Heap` by a name for them: both presets, both page layers, and sizes that nobody would choose.
GEOMETRIES: dict[str, dict[str, Any]] = {
    "classic": {},
    "compact": {"preset": "compact"},
    "odd classes": {"classes": [8, 24, 40, 100, 600, 5000], "set_blocks": 5, "page_bytes": 512, "pages": "best_fit"},
    "one class": {"classes": [64], "set_blocks": 1, "page_bytes": 8192},
    "compact over a buddy": {"preset": "compact", "pages": "buddy", "set_blocks": 64},
    "freed runs merged": {"freed_runs": "merged"},
}

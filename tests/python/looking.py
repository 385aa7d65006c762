"""What tests of pictures look at: their texts, their files, and whether anything is cut off."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure


def texts(axes: Axes) -> tuple[str, str, str, list[str]]:
    """Title, names of both axes, and legend."""
    legend = axes.get_legend()
    return (
        axes.get_title("left") or axes.get_title(),
        axes.get_xlabel(),
        axes.get_ylabel(),
        [text.get_text() for text in legend.get_texts()] if legend else [],
    )


def saved(figure: Figure, folder: Path) -> tuple[int, int]:
    """The width and height of the PNG that a figure becomes; all that is drawn is within it."""
    path = folder / "picture.png"
    figure.savefig(path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack_from(">II", content, 16)
    assert len(content) > 2000
    assert cut_off(figure) == []
    return width, height


def drawn_values(artist: ScalarMappable, hole: float) -> np.ndarray:
    """The numbers behind the colours of a picture; `hole` where there is no colour."""
    values = artist.get_array()
    assert values is not None
    return np.asarray(np.ma.filled(values, hole))


def cut_off(figure: Figure) -> list[str]:
    """On which sides of the figure something is drawn outside of it."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    box, (width, height) = figure.get_tightbbox(renderer), figure.get_size_inches()
    slack = 0.01  # inches
    sides = {"left": box.x0 < -slack, "bottom": box.y0 < -slack, "right": box.x1 > width + slack, "top": box.y1 > height + slack}
    return [side for side, is_crossed in sides.items() if is_crossed]

"""What the README shows of Python is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import slabheap
from making_traces import random_trace
from places import ROOT

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_first_example_ends_with_the_free_that_is_refused() -> None:
    with pytest.raises(slabheap.DoubleFree):
        exec(EXAMPLES[0], {})


def test_the_second_example_writes_pictures_and_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random_trace(1, 2000).save(tmp_path / "app.trace")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"slabheap": slabheap}
    exec(EXAMPLES[1], names)
    assert {path.name for path in tmp_path.iterdir()} == {"app.trace", "time.png", "report.html", "classes.png"}
    assert len(names["best"]) <= 12
    assert names["tuned"].failures == 0

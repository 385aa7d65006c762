"""The inputs that a fuzzer has found worth keeping, played on the reader of trace files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from places import ROOT
from playing_traces import content_of, play

CORPUS = sorted((ROOT / "tests/fuzz/corpus/trace_file").iterdir())


def test_every_kept_input_is_refused_with_its_place_and_reason_or_reads_the_same_again(tmp_path: Path) -> None:
    reasons = {re.sub(r"\d+|b'.*'", "", play(path.read_bytes(), tmp_path / "a.trace"))[:40] for path in CORPUS}
    assert "" in reasons  # some are whole
    assert len(reasons) > 12


def test_there_are_kept_inputs_with_sites_that_are_read_and_that_are_refused(tmp_path: Path) -> None:
    with_sites = [data for data in (path.read_bytes() for path in CORPUS) if b"SITE" in content_of(data)]
    outcomes = {play(data, tmp_path / "a.trace") for data in with_sites}
    assert "" in outcomes
    assert len([why for why in outcomes if why.startswith("site ")]) > 4


@given(data=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_so_is_any_other(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    play(data, tmp_path_factory.mktemp("any") / "a.trace")

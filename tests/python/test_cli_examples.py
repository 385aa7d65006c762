"""The examples that the documents and the help texts show are commands that there are, with options that they have."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from places import ROOT
from slabheap.cli.app import app

ROOT_COMMAND: Any = get_command(app)
DOCUMENTS = [ROOT / "README.md", ROOT / "docs/laboratory.md", ROOT / "docs/formats.md"]


def commands_below(command: Any) -> Iterator[Any]:
    """A command and all commands of its own."""
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from commands_below(each)


def examples_in(text: str) -> list[str]:
    """The calls of slabheap in a text, without what stands before and behind them in a pipe."""
    inner = re.findall(r"\$\((slabheap [^|)]*)", text)
    outer = re.findall(r"(?:^|[`|] *|[A-Z]+=\w+ )(slabheap [a-z]+ [^\n`|]+)", re.sub(r"\$\(.*\)", "64,128", text), re.MULTILINE)
    return [found.strip() for found in [*inner, *outer] if not re.search(r"\.\.\.|KIND", found)]


def parsed(example: str) -> None:
    """Raises what the command itself would of its arguments; nothing is run."""
    words = shlex.split(example, comments=True)[1:]
    command, context = ROOT_COMMAND, ROOT_COMMAND.make_context("slabheap", [], resilient_parsing=True)
    while hasattr(command, "commands"):
        command = command.get_command(context, words.pop(0))
    command.make_context(command.name, words, parent=context)


HELP = "\n\n".join(re.sub(r"^ +", "", command.help or "", flags=re.MULTILINE) for command in commands_below(ROOT_COMMAND))


@pytest.mark.parametrize("text", [HELP, *DOCUMENTS], ids=lambda text: text.name if isinstance(text, Path) else "help")
def test_every_example_is_a_command_with_options_that_it_has(text: str | Path) -> None:
    examples = examples_in(text.read_text() if isinstance(text, Path) else text)
    assert examples
    for example in examples:
        try:
            parsed(example)
        except Exception as error:
            raise AssertionError(f"{example}: {error}") from error


def test_every_command_has_an_example_in_its_help() -> None:
    for command in commands_below(ROOT_COMMAND):
        assert f"slabheap {command.name} " in command.help or f"slabheap plot {command.name} " in command.help or command is ROOT_COMMAND

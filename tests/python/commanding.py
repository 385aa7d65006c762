"""The command, run as a shell would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

#: What comes before the arguments.
COMMAND = (sys.executable, "-m", "slabheap.cli")


def slabheap(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a shell would run it, on a terminal of 120 columns that is none."""
    environment = {**os.environ, "COLUMNS": "120", "TERM": "dumb"}
    command = [*COMMAND, *map(str, arguments)]
    ended = subprocess.run(command, input=stdin, env=environment, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def said(*arguments: object, stdin: bytes | None = None) -> str:
    """What a command that ends well prints."""
    ended = slabheap(*arguments, stdin=stdin)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def told(*arguments: object) -> Any:
    """What a command says in JSON."""
    return json.loads(said(*arguments, "--json"))


def refusal(*arguments: object, stdin: bytes | None = None) -> str:
    """The one line with which a command ends that is refused, and changes nothing."""
    ended = slabheap(*arguments, stdin=stdin)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return " ".join(ended.stderr.split())


def completions(*words: str) -> list[str]:
    """What bash is told that the last of the words may become."""
    environment = {"_SLABHEAP_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("slabheap", *words)), "COMP_CWORD": str(len(words))}
    return subprocess.run(COMMAND, env={**os.environ, **environment}, capture_output=True, text=True, check=False).stdout.split()

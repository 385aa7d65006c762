"""C and C++ programs, compiled for a test."""

from __future__ import annotations

import subprocess
from pathlib import Path

#: What every program here begins with.
PREAMBLE = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
"""

#: So that no call is left out because its result is not used.
FLAGS = ("-O0", "-fno-builtin", "-w", "-pthread")


def compiled(folder: Path, source: str, *flags: str, name: str = "program", compiler: str = "gcc") -> Path:
    """The program or library that a source becomes; C unless another compiler is named."""
    path = folder / name
    language = ("-x", "c++" if compiler == "g++" else "c")
    subprocess.run([compiler, *FLAGS, *language, "-", "-o", path, *flags], input=PREAMBLE + source, text=True, check=True)
    return path


def library(folder: Path, source: str, name: str = "library.so") -> Path:
    """A shared library."""
    return compiled(folder, source, "-shared", "-fPIC", name=name)

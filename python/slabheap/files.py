"""Files to read, whatever packs them, and files to write, which take their name when they are whole."""

from __future__ import annotations

import abc
import contextlib
import errno
import io
import os
import secrets
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self, cast

__all__ = ["Closing", "Input", "Keeping", "Output", "replaced", "spooled"]

_HEAD_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 18
_PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class _Rejoined(io.RawIOBase):
    """A stream whose beginning has been read already. What cannot be unpacked is a ValueError."""

    def __init__(self, name: str, head: bytes, rest: Any) -> None:
        self._name, self._head, self._rest = name, head, rest
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._head[: len(buffer)]
        if content:
            self._head = self._head[len(content) :]
        else:
            content = _read(self._name, self._rest, len(buffer), self._given)
        buffer[: len(content)] = content
        self._given += len(content)
        return len(content)


def _read(name: str, file: Any, count: int, offset: int = 0) -> bytes:
    try:
        return bytes(file.read(count))
    except OSError as error:
        if error.errno is not None:  # the system's, not the unpacker's
            raise
        raise ValueError(f"{name}: at offset {offset}: cannot be unpacked: {error}") from None


def _size_on_disk(file: IO[bytes]) -> int:
    """Bytes of a regular file; 0 for all else, which has no size that is known."""
    try:
        status = os.fstat(file.fileno())
    except io.UnsupportedOperation:  # a stream in memory
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _unpacked(file: BinaryIO, packing: str) -> Any:
    import pyarrow as pa  # takes as long to load as all of slabheap

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), packing)


class Closing(abc.ABC):
    """What closes itself at the end of a context."""

    @abc.abstractmethod
    def close(self) -> None:
        """Closes it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


class Keeping(abc.ABC):
    """What writes a file: it closes the file at the end of a context, or discards it if an exception ends the context."""

    @abc.abstractmethod
    def close(self) -> None:
        """Writes the end and gives the file its name."""

    @abc.abstractmethod
    def discard(self) -> None:
        """Leaves what was there before."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


class Input(Closing):
    """A file to read from its beginning, or standard input. What gzip or Zstandard has packed is unpacked as it is read.

    Args:
        path: The file; "-" for standard input; or a stream of bytes, which is then the input's to close.

    Attributes:
        name: What to call it in messages.
        file: Its bytes, unpacked.
        head: The first 65,536 of them, or all if there are fewer; they are still to be read from `file`.
        total: Bytes of the file as it lies on disk; 0 if that is not known.

    Raises:
        OSError: It cannot be opened.
        ValueError: It cannot be unpacked; also later, while it is read.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "some.log"
        >>> _ = path.write_text("= Start")
        >>> with Input(path) as source:
        ...     source.head, source.file.read(3)
        (b'= Start', b'= S')
    """

    def __init__(self, path: str | Path | IO[bytes]) -> None:
        self._closing = contextlib.ExitStack()
        self._path: Path | None = None
        self._raw: IO[bytes]
        if not isinstance(path, str | Path):
            self.name, self._raw = "a stream", self._closing.enter_context(path)
        elif str(path) == "-":
            self.name, self._raw = "standard input", sys.stdin.buffer
        else:
            self.name, self._path = str(path), Path(path)
            self._raw = self._closing.enter_context(self._path.open("rb"))
        try:
            self.total = _size_on_disk(self._raw)
            self.head = _read(self.name, self._raw, _HEAD_BYTES)
            self._is_packed = False
            self._rejoin(self._raw)
            for magic, packing in _PACKINGS.items():
                if self.head.startswith(magic):
                    self._is_packed = True
                    unpacked = self._closing.enter_context(_unpacked(self.file, packing))
                    self.head = _read(self.name, unpacked, _HEAD_BYTES)
                    self._rejoin(unpacked)
                    break
        except BaseException:
            self.close()
            raise

    def _rejoin(self, rest: Any) -> None:
        self.file = io.BufferedReader(_Rejoined(self.name, self.head, rest), _BUFFER_BYTES)

    @property
    def done(self) -> int:
        """Bytes of the file on disk that have been read so far; 0 if `total` is."""
        return self._raw.tell() if self.total else 0

    def path_on_disk(self) -> Path:
        """A file that holds the same, not packed, for those who need to open or seek it; a copy if there is none. Lasts until `close`."""
        if self._path is not None and self.total and not self._is_packed:
            return self._path
        copy = self._closing.enter_context(tempfile.NamedTemporaryFile(prefix="slabheap-"))  # noqa: SIM115
        shutil.copyfileobj(self.file, copy)
        copy.flush()
        return Path(copy.name)

    def close(self) -> None:
        """Closes the file, unless it is standard input."""
        self._closing.close()


def _remove_own(path: Path, process: int) -> None:
    """Removes a file of this process; one that was forked since leaves it alone."""
    if os.getpid() == process:
        path.unlink(missing_ok=True)


class Output:
    """A file to write. It is written beside its place and takes it when it is kept, so a failure leaves what was there before.

    A file that is replaced hands its mode on.

    Args:
        path: The file, which is replaced; "-" for standard output. Devices and pipes are written directly.

    Attributes:
        file: Where to write.

    Raises:
        OSError: It cannot be written; the error names `path`.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "some.txt"
        >>> output = Output(path)
        >>> _ = output.file.write(b"whole")
        >>> path.exists()
        False
        >>> output.keep()
        >>> path.read_bytes()
        b'whole'
    """

    def __init__(self, path: str | Path) -> None:
        self._is_shared = str(path) == "-"
        self._beside: Path | None = None
        self._removal: weakref.finalize[[Path, int], Output] | None = None
        if self._is_shared:
            self.file: BinaryIO = sys.stdout.buffer
            return
        with _errors_of(path):
            # Behind a symbolic link, the file that it leads to is replaced, not the link.
            self._path = Path(path).resolve()
            if self._path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if self._path.exists() and not self._path.is_file():
                self.file = self._path.open("wb")
                return
            # A name of its own: with something added to it, that of the file could be too long.
            self._beside = self._path.with_name(f".slabheap-{secrets.token_hex(8)}.new")
            # An interrupt may come before anybody has this to discard it.
            self._removal = weakref.finalize(self, _remove_own, self._beside, os.getpid())
            self.file = self._beside.open("xb")
            try:
                if self._path.exists():
                    os.fchmod(self.file.fileno(), stat.S_IMODE(self._path.stat().st_mode))
            except BaseException:
                self.discard()
                raise

    def keep(self) -> None:
        """Closes the file and gives it its name."""
        try:
            self._close()
        except BaseException:
            self.discard()
            raise
        if self._beside is not None:
            with _errors_of(self._path):
                self._beside.replace(self._path)
            if self._removal is not None:
                self._removal.detach()

    def discard(self) -> None:
        """Closes the file and removes it. What was written to standard output, a device or a pipe stays written."""
        with contextlib.suppress(OSError):
            self._close()
        if self._removal is not None:
            self._removal()

    def _close(self) -> None:
        if self._is_shared:
            self.file.flush()
        else:
            self.file.close()  # also if what is left of it cannot be written


@contextlib.contextmanager
def _errors_of(path: str | Path) -> Iterator[None]:
    """Lets errors name the file that was meant, not the one beside it."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


@contextlib.contextmanager
def replaced(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write as `Output` does: it is kept at the end of the context, or discarded if an exception ends it.

    Examples:
        >>> path = Path(tempfile.mkdtemp()) / "some.txt"
        >>> with replaced(path) as file:
        ...     _ = file.write(b"whole")
        >>> path.read_bytes()
        b'whole'
    """
    output = Output(path)
    try:
        yield output.file
    except BaseException:
        output.discard()
        raise
    output.keep()


def spooled() -> IO[bytes]:
    """A file without a name for what has to be written later than it is known, in the folder for temporary files."""
    return cast("IO[bytes]", tempfile.TemporaryFile(prefix="slabheap-"))

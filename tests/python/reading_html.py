"""Reading HTML: what a page has in it, and a text that must not become part of one."""

from __future__ import annotations

from html.parser import HTMLParser

#: What a program might be called.
EVIL = "<script>alert('x')</script> & \"more\""


class Page(HTMLParser):
    """The rows, pictures and elements of a piece of HTML, whose elements are all closed."""

    EMPTY = frozenset({"img", "meta", "link", "source", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.pictures: list[dict[str, str | None]] = []
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "action", "data", "poster")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "img":
            self.pictures.append(dict(attrs))
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    @property
    def facts(self) -> dict[str, str]:
        """The first two cells of each row."""
        return {row[0]: row[1] for row in self.rows}

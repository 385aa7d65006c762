"""Mutants of a C++ source: copies in which one token, one statement or one condition is another.

The sources are formatted, so spaces tell a comparison from a template's brackets and a subtraction from a sign. What is no C++ any more
does not compile, and is no mutant.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[\[.*?\]\]|^[ ]*\#(?:[^\n\\]|\\\n|\\.)*)
      |(?P<number>(?:0x[0-9a-fA-F']+|\d[\d']*)[uUlL]*)
      |(?P<word>[A-Za-z_]\w*)
      |(?P<operator><<=|>>=|<=>|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|%=|&=|\|=|\^=|::|[-+*/%&|^!~<>=?:;,.(){}\[\]])
      |(?P<space>\s+)""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)

#: What takes the place of an operator between two operands.
_BETWEEN = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "/": ("*",),
    "%": ("/",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "^": ("&",),
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "|=": ("&=", "="),
    "&=": ("|=", "="),
}
#: What takes the place of an operator in front of an operand.
_BEFORE = {"!": "", "~": "", "++": "--", "--": "++"}
_WORDS = {"true": "false", "false": "true", "continue": "break"}
#: Statements that begin so are declarations, or are mutated by their parts.
_NO_EFFECT = {
    *{
        "auto",
        "break",
        "case",
        "class",
        "const",
        "constexpr",
        "continue",
        "default",
        "else",
        "enum",
        "explicit",
        "for",
        "friend",
        "goto",
        "if",
    },
    *{"inline", "namespace", "private", "public", "return", "static", "static_assert", "struct", "switch", "template", "typename", "using"},
    *{"while", "do", "concept", "requires", "alignas", "__extension__"},
}


@dataclasses.dataclass(frozen=True)
class Token:
    """A piece of a source: what it is, where it starts and what it says."""

    kind: str
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A change of one place of a source."""

    start: int
    end: int
    text: str  # that takes the place of what stands there

    def of(self, source: str) -> str:
        """The source with the change."""
        return source[: self.start] + self.text + source[self.end :]

    def line_number(self, source: str) -> int:
        return source.count("\n", 0, self.start) + 1

    def describe(self, source: str) -> str:
        """The line where it is, without what surrounds it, and what becomes of it: the same as long as the line is the same."""
        first = source.rfind("\n", 0, self.start) + 1
        last = source.find("\n", self.end)
        last = len(source) if last < 0 else last
        before = source[first:last]
        after = source[first : self.start] + self.text + source[self.end : last]
        # What stands on several lines is told as one.
        return " ==> ".join(re.sub(r"\s*\n\s*", " ", text.strip()) for text in (before, after))


def tokens_of(source: str) -> list[Token]:
    """The tokens of a source, without spaces, comments, text, attributes and what is for the preprocessor."""
    found = (Token(match.lastgroup or "", match.start(), match.group()) for match in _TOKEN.finditer(source))
    return [token for token in found if token.kind not in ("skip", "space")]


def _closing(tokens: list[Token], opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[index].text, 0)
        if depth == 0:
            return index
    return len(tokens) - 1


def _of_tokens(source: str, tokens: list[Token]) -> Iterator[Mutant]:
    for index, token in enumerate(tokens):
        is_between = source[token.start - 1 : token.start] == " " and source[token.end : token.end + 1] in (" ", "\n")
        if token.kind == "number" and re.fullmatch(r"\d+", token.text):
            yield Mutant(token.start, token.end, str(int(token.text) + 1))
            if token.text != "0":
                yield Mutant(token.start, token.end, str(int(token.text) - 1))
        elif token.kind == "word" and token.text in _WORDS:
            yield Mutant(token.start, token.end, _WORDS[token.text])
        elif token.kind == "operator" and is_between:
            for other in _BETWEEN.get(token.text, ()):
                yield Mutant(token.start, token.end, other)
        elif token.kind == "operator" and token.text in _BEFORE and tokens[index - 1].kind != "word":
            yield Mutant(token.start, token.end, _BEFORE[token.text])


def _of_conditions(tokens: list[Token]) -> Iterator[Mutant]:
    for index, token in enumerate(tokens[:-1]):
        if token.text == "if" and tokens[index + 1].text == "(":
            opening, closing = tokens[index + 1], tokens[_closing(tokens, index + 1)]
            yield Mutant(opening.end, closing.start, "true")
            yield Mutant(opening.end, closing.start, "false")


def _of_statements(tokens: list[Token]) -> Iterator[Mutant]:
    start = depth = 0
    is_block: list[bool] = []  # for each brace that is open, or it holds a value
    for index, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == ";" and depth == 0 and index > start:
            words = [one.kind == "word" for one in tokens[start : start + 4]]
            is_declaration = words[:2] == [True, True] or (tokens[start].text == "std" and words[2:] == [True, True])
            if tokens[start].text not in _NO_EFFECT and not is_declaration:
                yield Mutant(tokens[start].start, token.start, "")
        if token.text == "{":
            is_block.append(depth == 0 and tokens[index - 1].text in (")", "const", "else", "do", ";", "{", "}"))
        begins = (token.text == "{" and is_block[-1]) or (token.text == "}" and is_block.pop())
        if depth == 0 and (begins or token.text == ";"):
            start = index + 1
        if token.text == ")" and depth == 0 and tokens[start].text in ("if", "for", "while"):
            start = index + 1  # what a condition or a loop is about


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a source, in order of place."""
    tokens = tokens_of(source)
    found = {*_of_tokens(source, tokens), *_of_conditions(tokens), *_of_statements(tokens)}
    return sorted((mutant for mutant in found if mutant.of(source) != source), key=lambda mutant: (mutant.start, mutant.end, mutant.text))

"""What the mutants of a source are."""

from __future__ import annotations

import pytest

from mutants import mutants_of


def changes(source: str) -> list[str]:
    """What becomes of the source's one line, mutant by mutant."""
    return [mutant.describe(source).split(" ==> ")[1] for mutant in mutants_of(source)]


MUTANTS = {
    "if (a < b) return c;": ["if (false) return c;", "if (true) return c;", "if (a <= b) return c;", "if (a >= b) return c;"],
    "void f() { x = y + 2; }": ["void f() { ; }", "void f() { x = y - 2; }", "void f() { x = y + 1; }", "void f() { x = y + 3; }"],
    "void f() { g(a, !b); }": ["void f() { ; }", "void f() { g(a, b); }"],
    "bool f() { return a && true; }": ["bool f() { return a || true; }", "bool f() { return a && false; }"],
    "void f() { ++x; }": ["void f() { ; }", "void f() { --x; }"],
    "void f() { x |= y << z; }": [
        "void f() { ; }",
        "void f() { x &= y << z; }",
        "void f() { x = y << z; }",
        "void f() { x |= y >> z; }",
    ],
}


@pytest.mark.parametrize("source", list(MUTANTS))
def test_each_token_statement_and_condition_is_changed(source: str) -> None:
    assert sorted(changes(source)) == sorted(MUTANTS[source])


@pytest.mark.parametrize(
    "source",
    [
        "// a < b + 1",
        '#include "a<b.hpp"',
        'const char* text = "a < b + 1";',
        "[[likely]]",
        "auto f() -> int;",
        "const auto x = y;",
        "std::size_t x{y};",
    ],
)
def test_what_only_looks_like_code_or_has_no_effect_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_mutant_is_told_by_its_line() -> None:
    source = "int a;\nint f() {\n  return b - c;\n}\n"
    (mutant,) = mutants_of(source)
    assert mutant.line_number(source) == 3
    assert mutant.describe(source) == "return b - c; ==> return b + c;"
    assert mutant.of(source) == source.replace("-", "+")

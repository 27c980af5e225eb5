"""MyST becomes Markdown that JupyterLab shows as the book does."""

import pytest

from stmlab.interactive.plain import Book, plain, python_object
from stmlab.interactive.references import References

BIB = """
@article{one, author = {M{\\"u}ller, Ann}, title = {On {STM}}, journal = {J. Phys.}, year = {1990}, doi = {10.1/a_b}}
@article{two, author = {Ek, Bo and Lund, Cai}, title = {Later}, journal = {J. Phys.}, year = {2001}}
@article{many, author = {A, B and C, D and E, F}, title = {Most}, journal = {J. Phys.}, year = {2010}}
@misc{code, author = {G, H}, title = {Undated}}
"""
SOURCE = '''import functools


@functools.cache
def outer():
    """Say 1."""
    return 1


class Thing:
    def inside(self):
        return 2


after = 3
'''


@pytest.fixture
def book(tmp_path):
    folder = tmp_path / "book"
    folder.mkdir()
    (tmp_path / "code.py").write_text(SOURCE)
    (tmp_path / "table.toml").write_text("name = 1\n\n[vary]\nx = 2\n")
    (folder / "references.bib").write_text(BIB)
    return Book(
        folder, "05_here", {"05_here": "Here", "06_there": "There"}, {"eq-a": "37"}, {"fig-a": "Fig. 4"},
        {"sec-here": ("05_here", "A section"), "sec-there": ("06_there", "Elsewhere")},
        References(folder / "references.bib"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Text with $x$ and `code`.", "Text with $x$ and `code`."),
        ("(sec-here)=\n## A section", "## A section"),
        ("$$\na = b\n$$ (eq-a)\nfollows", "$$\na = b\n\\tag{37}\n$$\nfollows"),
        ("$$ a $$ then $$ b $$ (eq-a)", "$$ a $$ then $$ b \\tag{37}\n$$"),
        ("By {eq}`eq-a`, {numref}`fig-a`.", "By (37), Fig. 4."),
        ("A {term}`setpoint`, {term}`loops <loop>`.", "A *setpoint*, *loops*."),
        ("See [](sec-here) and [that](sec-here).", "See *A section* and *that*."),
        ("See [](sec-there), [x](06_there.md).", "See [Elsewhere](06_there.ipynb), [x](06_there.ipynb)."),
        ("See {doc}`six <06_there>`, [x](appendix).", "See [six](06_there.ipynb), x."),
        ("See [](06_there.md), {doc}`06_there`.", "See [There](06_there.ipynb), [There](06_there.ipynb)."),
        ("See [](06_there.md#a-wall), [x](a.md#b).", "See [a wall](06_there.ipynb), x."),
        ("```{index} single: slides\n```\nAn {index}`entry <single: entry>` and {py:func}`stmlab.simulate`.",
         "An entry and `stmlab.simulate`."),
        ("See [x](https://a.org/b).", "See [x](https://a.org/b)."),
        ("Known {cite}`one, two`; {cite:t}`many`.", "Known (Müller, 1990; Ek and Lund, 2001); A et al., 2010."),
        ("By {cite}`code`.", "By (G)."),
        ("```\n{eq}`left alone` $$a$$ (eq-a)\n```", "```\n{eq}`left alone` $$a$$ (eq-a)\n```"),
    ],
)
def test_prose(book, text, seen):
    assert plain(text, book) == seen + "\n"


def test_boxes_and_folded_boxes_keep_their_content_apart_from_the_html(book):
    boxed = plain(":::{admonition} Goals of {eq}`eq-a`\n:class: important\n* $x$\n:::\nand on", book)
    assert boxed == (
        '<div class="alert alert-block alert-success">\n\n**Goals of (37)**\n\n* $x$\n\n</div>\n\n'
        "and on\n")
    folded = plain("````{hint}\n:class: dropdown\nThink.\n```{note}\nHard.\n```\n````", book)
    assert folded.startswith("<details><summary><b>Hint</b></summary>\n\nThink.\n\n<div")
    assert folded.endswith("**Note**\n\nHard.\n\n</div>\n\n</details>\n")


def test_exercises_stand_apart_from_the_paragraph_above(book):
    text = "## Exercises\n`````{exercise} 5.1 A slope\n:label: ex-a\n:nonumber:\n\nHow steep?\n`````"
    assert plain(text, book) == "## Exercises\n\n---\n\n**Exercise 5.1 A slope**\n\nHow steep?\n"
    assert plain("```{solution} ex-a\n:class: dropdown\nSteep.\n```", book).startswith("<details><summary><b>Solution")


def test_a_glossary_is_a_list(book):
    text = "```{glossary}\none\n  First,\n  of all.\n\ntwo words\n  Second {eq}`eq-a`.\n```"
    assert plain(text, book) == "- **one**: First, of all.\n- **two words**: Second (37).\n"


def test_code_is_copied(book):
    shown = plain("```{literalinclude} ../code.py\n:pyobject: outer\n:language: python\n```", book)
    assert shown.startswith("```python\n# ")
    assert shown.endswith('@functools.cache\ndef outer():\n    """Say 1."""\n    return 1\n```\n')
    part = '```{literalinclude} ../table.toml\n:start-at: "name = "\n:end-before: "[vary]"\n:language: toml\n```'
    assert plain(part, book).splitlines()[2:] == ["name = 1", "```"]
    assert python_object(SOURCE, "Thing.inside") == "    def inside(self):\n        return 2"


def test_the_bibliography_lists_what_is_cited_once(book):
    plain("{cite}`two` {cite}`one` {cite}`two`", book)
    first, second = plain("```{bibliography}\n:filter: docname in docnames\n```", book).splitlines()
    assert "Later" in first
    assert "[doi:10\\.1/a\\_b](https://doi.org/10.1/a_b)" in second


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```{card}\nx\n```", "no plain form of the directive {card}"),
        ("A {kbd}`x`.", "no plain form of the role {kbd}"),
        (":::{note}\nx", "never closed"),
        ("{eq}`eq-b`", "label 'eq-b'"),
        ("{cite}`nobody`", "no reference nobody"),
        ("```{literalinclude} ../code.py\n:pyobject: gone\n```", "has no gone"),
    ],
)
def test_what_has_no_plain_form_is_refused(book, text, said):
    with pytest.raises(ValueError, match=said.replace("{", r"\{")):
        plain(text, book)

"""Chapters as notebooks: complete, without outputs, and installing the library where it is missing."""

import subprocess
import sys

import nbformat
import pytest

from stmlab.interactive.notebooks import notebook, write_all
from stmlab.interactive.plain import Book

CHAPTER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A chapter

```{code-cell} ipython3
a = 1
```

```{code-cell} ipython3
:tags: [remove-cell]
assert a == 1
```

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  image: {alt: Nothing.}
  figure: {caption: "As {eq}`eq-a` says.", name: fig-a}
---
a
```

```{solution-start} ex-a
```

```{code-cell} ipython3
b = 2
```

```{solution-end}
```

```{code-cell} ipython3
c = 3
```
"""


@pytest.fixture
def made(tmp_path):
    book = Book(tmp_path, "05_a", equations={"eq-a": "7"}, figures={"fig-a": "Fig. 9"})
    return notebook(CHAPTER, book, "stmlab[book,learn] @ https://example.org/stmlab.whl")


def hidden(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def test_cells_come_in_order_with_captions(made):
    nbformat.validate(made)
    assert [c.source.splitlines()[0] for c in made.cells[1:]] == [
        "# A chapter", "a = 1", "assert a == 1", "a", "**Fig. 9.** As (7) says.",
        "**Solution** (in the cells that follow)", "b = 2", "---", "c = 3",
    ]  # fmt: skip


def test_what_the_book_hides_is_folded_but_there(made):
    code = [c for c in made.cells[1:] if c.cell_type == "code"]
    assert [hidden(c) for c in code] == [False, True, True, True, False]
    assert all(not c.outputs and c.execution_count is None for c in code)


def test_the_same_chapter_makes_the_same_notebook(made, tmp_path):
    book = Book(tmp_path, "05_a", equations={"eq-a": "7"}, figures={"fig-a": "Fig. 9"})
    assert notebook(CHAPTER, book, "stmlab[book,learn] @ https://example.org/stmlab.whl") == made


def run_first(made, folder, library=""):
    """Run the first cell as Python, with pip as a print; return what it printed or its error."""
    (folder / "stmlab.py").write_text(library or "raise ImportError")
    code = made.cells[0].source.replace('%pip install --quiet "{source}"', "print(source)")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


def test_the_first_cell_installs_where_stmlab_is_missing(made, tmp_path):
    assert run_first(made, tmp_path, "simulate = 1") == ""
    assert run_first(made, tmp_path) == "stmlab[book,learn] @ https://example.org/stmlab.whl"
    assert run_first(made, tmp_path, "other = 1").startswith("stmlab[book,learn] @ https"), "a stranger of this name"
    (tmp_path / "stmlab-9.9-py3-none-any.whl").touch()
    assert run_first(made, tmp_path) == f"stmlab[book,learn] @ {tmp_path.as_uri()}/stmlab-9.9-py3-none-any.whl"


def test_without_any_source_the_first_cell_says_what_to_do(tmp_path):
    assert "beside this notebook" in run_first(notebook(CHAPTER.replace("{eq}`eq-a`", ""), Book(tmp_path)), tmp_path)


def test_only_chapters_are_written_and_errors_name_theirs(tmp_path):
    (tmp_path / "references.bib").write_text("")
    for name in ("05_a.md", "index.md", "appendix.md"):
        (tmp_path / name).write_text(CHAPTER)
    numbers = {"equations": {"eq-a": "7"}}
    (path,) = write_all(tmp_path, tmp_path / "out", numbers=numbers)
    assert path.name == "05_a.ipynb"
    nbformat.validate(nbformat.read(path, 4))
    with pytest.raises(ValueError, match=r"05_a\.md: .*eq-a"):
        write_all(tmp_path, tmp_path / "out")

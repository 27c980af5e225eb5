"""The words of the chapters, gathered; the built book shows them."""

from types import SimpleNamespace

from docutils import nodes
from sphinx.addnodes import toctree

from stmlab.interactive import backmatter
from stmlab.interactive.backmatter import Word, all_words, words

CHAPTER = """# A chapter

```{code-cell}
glossary = 1
```

````{glossary}
pair sum
  Current of all pairs,
  added up.

Bragg peak
  A maximum: at $G$.
````

Text in between.

```{glossary}
apex
  The end of the tip.
```
"""


def test_words_are_found_in_every_glossary_of_a_chapter():
    assert words(CHAPTER, "01_a.md") == [
        Word("pair sum", "Current of all pairs, added up.", "01_a.md"),
        Word("Bragg peak", "A maximum: at $G$.", "01_a.md"),
        Word("apex", "The end of the tip.", "01_a.md"),
    ]
    assert words("# No glossary\n\n```{note}\nx\n  y\n```\n") == []


def test_words_of_all_chapters_are_ordered_as_in_a_dictionary(tmp_path):
    (tmp_path / "02_b.md").write_text("```{glossary}\nZero\n  None.\n\nband\n  Energies.\n```\n", "utf-8")
    (tmp_path / "01_a.md").write_text(CHAPTER, "utf-8")
    (tmp_path / "appendix.md").write_text("```{glossary}\nnot here\n  No chapter.\n```\n", "utf-8")
    found = [(word.term, word.chapter[:2]) for word in all_words(tmp_path)]
    assert found == [("apex", "01"), ("band", "02"), ("Bragg peak", "01"), ("pair sum", "01"), ("Zero", "02")]


def test_the_index_is_listed_in_the_last_part_of_the_contents_only():
    root = nodes.document(None, None)
    root += [toctree(entries=[(None, "book/01_a")]), toctree(entries=[(None, "book/appendix")])]
    app = SimpleNamespace(env=SimpleNamespace(docname="book/01_a"), config=SimpleNamespace(root_doc="book/index"))
    backmatter.list_the_index(app, root)
    assert root[-1]["entries"] == [(None, "book/appendix")]
    app.env.docname = "book/index"
    backmatter.list_the_index(app, root)
    assert root[0]["entries"] == [(None, "book/01_a")]
    assert root[-1]["entries"] == [(None, "book/appendix"), ("Index", "genindex")]

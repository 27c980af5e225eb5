"""Sphinx extension for the back of the book: the words of all chapters on one page, and the index in the contents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import toctree
from sphinx.util.docutils import SphinxDirective

GLOSSARY = re.compile(r"^(`{3,}|:{3,})\{glossary\}\s*\n(.*?)^\1", re.M | re.S)
ENTRY = re.compile(r"^(\S.*)\n((?:[ \t]+\S.*\n?)+)", re.M)


class Word(NamedTuple):
    """A word of a chapter's glossary, what it means, and the chapter."""

    term: str
    meaning: str
    chapter: str


def setup(app):
    """Connect the extension to Sphinx."""
    app.add_directive("words", Words)
    app.connect("doctree-read", list_the_index, priority=400)  # before Sphinx collects the contents
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def words(text, chapter=""):
    """Return the words that the glossaries in the source `text` of a chapter explain, in their order."""
    found = (entry for _, block in GLOSSARY.findall(text) for entry in ENTRY.findall(block))
    return [Word(term, " ".join(meaning.split()), chapter) for term, meaning in found]


def all_words(folder):
    """Return the words of all chapters in a folder, ordered as in a dictionary."""
    found = [word for path in chapters(folder) for word in words(path.read_text("utf-8"), path.name)]
    return sorted(found, key=lambda word: word.term.casefold())


def chapters(folder):
    """Return the sources of the chapters, NN_name.md, in their order."""
    return sorted(Path(folder).glob("[0-9][0-9]_*.md"))


class Words(SphinxDirective):
    """List the words of all chapters beside the page, each linked to the chapter that explains it."""

    def run(self):
        """Read the chapters, and have Sphinx read this page again when one of them changes."""
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for path in chapters(folder):
            self.env.note_dependency(str(path))
        lines = [_line(word) for word in all_words(folder)]
        place = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, place)
        return place.children


def _line(word):
    number = int(word.chapter[:2])
    return f"- {{term}}`{word.term}` ([chapter {number}]({word.chapter})): {word.meaning}"


def list_the_index(app, doctree):
    """Put the index, a page that Sphinx writes and no file, at the end of the contents."""
    trees = list(doctree.findall(toctree))
    if app.env.docname == app.config.root_doc and trees:
        trees[-1]["entries"].append(("Index", "genindex"))

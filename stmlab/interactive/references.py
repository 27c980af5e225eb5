"""The bibliography in words: who is cited, and the list at the end of a chapter."""

from __future__ import annotations

from functools import cache

from pybtex.backends.markdown import Backend
from pybtex.database import parse_file
from pybtex.plugin import find_plugin


class References:
    """Entries of a BibTeX file, and those cited so far.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path):
        self.entries = entries(path, path.stat().st_mtime_ns)
        self.cited = []

    def cite(self, keys):
        """Return "Binnig and Rohrer, 1982; Chen, 1990" and remember the keys.

        Raises
        ------
        ValueError
            If the file has no such entry.
        """
        if missing := [key for key in keys if key not in self.entries]:
            raise ValueError(f"no reference {', '.join(missing)} in the bibliography")
        self.cited += [key for key in keys if key not in self.cited]
        return "; ".join(f"{who(e)}, {year(e)}".rstrip(", ") for e in map(self.entries.get, keys))

    def listed(self):
        """Return what is cited as a Markdown list, in the order of the authors' names."""
        style, backend = machinery()
        cited = sorted(map(self.entries.get, self.cited), key=lambda e: (who(e), year(e)))
        texts = (" ".join(entry.text.render(backend).split()) for entry in style.format_entries(cited))
        return "\n".join(f"- {text}" for text in texts) + "\n"


@cache
def entries(path, _changed):
    """Read a BibTeX file: key -> entry."""
    return parse_file(str(path), "bibtex").entries


@cache
def machinery():
    """Style and output of pybtex; to find them takes longer than to use them."""
    return find_plugin("pybtex.style.formatting", "unsrt")(), Backend("utf-8")


def year(entry):
    """Year of an entry; empty where it has none."""
    return entry.fields.get("year", "")


def who(entry):
    """Last names of an entry's authors: one, two, or the first and "et al."; its title where it has none."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join(map(str, person.rich_last_names)) for person in people]
    if not names:
        return entry.fields.get("title", entry.key)
    return names[0] + (" et al." if len(names) > 2 else f" and {names[1]}" if len(names) == 2 else "")

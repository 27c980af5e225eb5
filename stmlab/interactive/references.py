"""The bibliography in words: who is cited, and the list at the end of a chapter."""

from __future__ import annotations

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
        self.entries = parse_file(str(path), "bibtex").entries
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
        return "; ".join(f"{self._who(self.entries[key])}, {self.entries[key].fields.get('year', 'n.d.')}" for key in keys)

    def _who(self, entry):
        people = entry.persons.get("author") or entry.persons.get("editor") or []
        names = [" ".join(part.render_as("text") for part in p.rich_last_names) for p in people]
        if not names:
            return entry.fields.get("title", entry.key)
        return names[0] + (" et al." if len(names) > 2 else f" and {names[1]}" if len(names) == 2 else "")

    def listed(self):
        """Return what is cited as a Markdown list, in the order of the authors' names."""
        style, backend = find_plugin("pybtex.style.formatting", "unsrt")(), Backend("utf-8")
        chosen = sorted((self.entries[key] for key in self.cited), key=lambda e: (self._who(e), e.fields.get("year", "")))
        return "\n".join(f"- {entry.text.render(backend)}" for entry in style.format_entries(chosen)) + "\n"

"""Each chapter as a notebook that runs anywhere: it brings its own text and installs the library."""

from __future__ import annotations

import re
from pathlib import Path

from stmlab.interactive.plain import Book, plain

FOLDER = "_downloads/notebooks"  # inside the built book
CHAPTER = re.compile(r"^\d\d_\w+$")
FOLDED = {"hide-input", "remove-cell", "remove-input"}

INSTALL = '''\
# Installs stmlab where it is missing: from its wheel, if that lies beside this notebook, or from the address below.
from pathlib import Path

INSTALL_FROM = "{address}"
try:
    import stmlab

    stmlab.simulate  # another package of this name has none
except (ImportError, AttributeError):
    wheels = sorted(Path().glob("stmlab-*.whl"))
    source = f"stmlab[book,learn] @ {{wheels[-1].resolve().as_uri()}}" if wheels else INSTALL_FROM
    assert source, "Put the file stmlab-*.whl, which lies beside the notebooks of the book, beside this notebook."
    %pip install --quiet "{{source}}"
'''


def notebook(text, book, address=""):
    """Return a chapter as a notebook without outputs.

    Cells that the book hides are folded, not dropped: some prepare the next ones, the others check the numbers in
    the text.

    Parameters
    ----------
    text : str
        The chapter in MyST.
    book : Book
        What it refers to.
    address : str
        Requirement for pip by which the first cell installs stmlab; empty: from a wheel beside the notebook.
    """
    import jupytext
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [new_code_cell(INSTALL.format(address=address), metadata={"jupyter": {"source_hidden": True}})]
    folding = False  # between solution-start and solution-end
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        if cell.cell_type == "code":
            cells += _code(cell, book, folding)
        else:
            folding = _inside_solution(cell.source, folding)
            cells.append(_markdown(plain(cell.source, book)))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    for k, cell in enumerate(made.cells):
        cell["id"] = f"cell-{k}"  # nbformat draws one by chance, and no build would equal another
    return made


def _markdown(source):
    from nbformat.v4 import new_markdown_cell

    return new_markdown_cell(source.strip())


def _inside_solution(source, inside):
    """Whether the cell that follows `source` belongs to a solution."""
    starts, ends = source.rfind("{solution-start}"), source.rfind("{solution-end}")
    return inside if starts == ends else starts > ends


def _code(cell, book, folded):
    """A code cell, and its figure's caption as the next cell."""
    from nbformat.v4 import new_code_cell

    tags = cell.metadata.get("tags", [])
    metadata = {"tags": tags} if tags else {}
    if folded or FOLDED & set(tags):
        metadata["jupyter"] = {"source_hidden": True}
    figure = (cell.metadata.get("mystnb") or {}).get("figure") or {}
    cells = [new_code_cell(cell.source, metadata=metadata)]
    if "caption" in figure:
        number = book.figures.get(figure.get("name"), "Figure")  # only those with a name have a number
        cells.append(_markdown(f"**{number}.** {plain(figure['caption'], book)}"))
    return cells


def chapters(source):
    """Paths of the chapters in a folder, in their order."""
    return sorted(path for path in Path(source).glob("*.md") if CHAPTER.match(path.stem))


def title(path):
    """First heading of a chapter."""
    return next(line[2:].strip() for line in path.read_text("utf-8").splitlines() if line.startswith("# "))


def write_all(source, folder, address="", numbers=None):
    """Write every chapter of the folder `source` as a notebook into `folder`; return their paths.

    Parameters
    ----------
    source : Path
        Where the chapters and ``references.bib`` are.
    folder : Path
        Where the notebooks go.
    address : str
        See `notebook`.
    numbers : mapping, optional
        ``equations``, ``figures`` and ``labels`` of `Book`.
    """
    import nbformat

    from stmlab.interactive.references import References

    names, written = {path.stem: title(path) for path in chapters(source)}, []
    folder.mkdir(parents=True, exist_ok=True)
    for path in chapters(source):
        references = References(path.parent / "references.bib")
        book = Book(path.parent, path.stem, names, references=references, **numbers or {})
        try:
            made = notebook(path.read_text("utf-8"), book, address)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        written.append(folder / f"{path.stem}.ipynb")
        nbformat.write(made, written[-1])
    return written

"""What the book gives away: each chapter as a notebook, and the library's wheel beside them (Sphinx events)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util import logging

from stmlab.interactive.notebooks import FOLDER, chapters, title, write_all
from stmlab.interactive.site import lighten, overweight


def connect(app):
    """Connect notebooks, their links and the lightening to Sphinx.

    The option ``stmlab_install_from`` is what the first cell of each notebook gives to pip, for example
    ``stmlab[book,learn] @ https://example.org/stmlab-1.0-py3-none-any.whl``; empty: only a wheel beside the notebook.
    """
    app.add_config_value("stmlab_install_from", "", "")
    app.add_directive("downloads", Downloads)
    app.connect("html-page-context", add_button, priority=900)
    app.connect("build-finished", finish, priority=900)  # when MathJax has been copied


def sources(app):
    """Folder of the chapters."""
    return Path(app.srcdir) / "book"


class Downloads(Directive):
    """``{downloads}``: a list of links to the notebooks and the wheel."""

    def run(self):
        """Return the list."""
        env = self.state.document.settings.env
        env.note_reread()  # chapters come and go without this page changing
        links = [(f"{path.stem}.ipynb", title(path)) for path in chapters(sources(env.app))]
        links.append((wheel(env.app).name, "The library as a wheel for pip"))
        up = "../" * env.docname.count("/")
        return [nodes.bullet_list("", *(_item(f"{up}{FOLDER}/{name}", name, said) for name, said in links))]


def _item(address, name, said):
    link = nodes.reference("", name, refuri=address, internal=False)
    return nodes.list_item("", nodes.paragraph("", f"{said}: ", link))


def add_button(app, pagename, template, context, doctree):
    """Offer a chapter's notebook first in the theme's list of downloads."""
    stem = pagename.rpartition("/")[2]
    if stem not in {path.stem for path in chapters(sources(app))}:
        return
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            address = f"{context['pathto'](FOLDER, 1)}/{stem}.ipynb"
            group["buttons"].insert(0, {
                "type": "link", "url": address, "text": ".ipynb", "icon": "fas fa-code",
                "tooltip": "Download this chapter as a notebook", "label": "download-notebook-button",
            })  # fmt: skip


def finish(app, exception):
    """Write the notebooks and the wheel into the finished book, make it light, and warn where it is not."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir) / FOLDER
    write_all(sources(app), folder, app.config.stmlab_install_from, numbers(app.env))
    shutil.copy(wheel(app), folder)
    lighten(Path(app.outdir))
    for line in overweight(Path(app.outdir)):
        logging.getLogger(__name__).warning(line)


def numbers(env):
    """What equations, figures and sections are called in the book; see `plain.Book`."""
    standard, math = env.get_domain("std"), env.get_domain("math")
    figures, labels = {}, {}
    for label, (page, node) in standard.anonlabels.items():
        labels[label] = (page.rpartition("/")[2], standard.labels.get(label, ("", "", ""))[2])
        if number := _counted(env, page, "figure", node):
            figures[label] = env.config.numfig_format["figure"] % number
    equations = {
        label: _counted(env, page, "displaymath", f"equation-{label}") or str(count)
        for label, (page, count) in math.equations.items()
    }
    return {"equations": equations, "figures": figures, "labels": labels}


def _counted(env, page, kind, node):
    return ".".join(map(str, env.toc_fignumbers.get(page, {}).get(kind, {}).get(node, ())))


def wheel(app):
    """Path of the library's wheel, built when the library changed.

    Raises
    ------
    RuntimeError
        If hatchling cannot build it.
    """
    from stmlab.interactive.sphinxext import fingerprint

    root, store = Path(app.srcdir), Path(app.outdir).parent / ".stmlab-wheel"
    folder = store / fingerprint(root)[:16]
    if not any(folder.glob("*.whl")):
        shutil.rmtree(store, ignore_errors=True)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"no wheel of stmlab (pip install hatchling?): {done.stderr.strip()[-500:]}")
    return next(folder.glob("*.whl"))

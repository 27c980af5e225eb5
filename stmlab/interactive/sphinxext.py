"""Sphinx extension of the book: sliders, fresh outputs, and which version a page was built from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from docutils import nodes

from stmlab import __version__
from stmlab.interactive import downloads
from stmlab.interactive.static import player
from stmlab.io import real_data

HERE = Path(__file__).parent
REPEATED = {"exercise-content", "solution-content"}
_DERIVED = {".nbi", ".nbc", ".pyc"}  # compiled from what is already fingerprinted


def setup(app):
    """Connect the extension to Sphinx."""
    root = Path(app.srcdir)
    prepare_kernels(root, os.environ)
    app.connect("config-inited", drop_stale_outputs)
    app.connect("config-inited", add_footer)
    app.connect("builder-inited", ship_player)
    app.connect("doctree-resolved", number_repeated_ids)
    app.connect("html-page-context", drop_thebe, priority=900)
    downloads.connect(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}


def prepare_kernels(root, environ):
    """Tell the kernels, which inherit `environ`, that they run for a book, and where stmlab is."""
    environ["STMLAB_BOOK"] = "1"
    # Progress bars are widgets in a notebook, which a page cannot show. tqdm.notebook overrules the
    # first variable; the second makes tqdm.auto take the console's bars, which do not.
    environ["TQDM_DISABLE"] = "1"
    environ["SPYDER_TQDM"] = "off"
    paths = [p for p in environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    if (root / "stmlab").is_dir() and str(root) not in paths:
        environ["PYTHONPATH"] = os.pathsep.join([str(root), *paths])


def drop_stale_outputs(app, config):
    """Forget executed chapters when the library or its data changed.

    jupyter-cache looks at a chapter's cells alone, and Sphinx at its text.
    """
    cache = Path(app.outdir).parent / ".jupyter_cache"
    stamp = Path(app.outdir).parent / ".stmlab-fingerprint"
    now = fingerprint(Path(app.srcdir), real_data())
    if not stamp.exists() or stamp.read_text() != now:
        shutil.rmtree(cache, ignore_errors=True)
        shutil.rmtree(app.doctreedir, ignore_errors=True)
        Path(app.doctreedir).mkdir(parents=True, exist_ok=True)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(now)


def fingerprint(root, real=None):
    """Return a hash of all that outputs depend on besides the chapters themselves.

    Parameters
    ----------
    root : Path
        Repository: the contents of ``stmlab/`` and ``data/`` count.
    real : Path, optional
        Folder of real measurements: names, sizes and dates count, as files may be large.
    """
    digest = hashlib.sha256(f"real: {real}".encode())
    for path in [*_files(root / "stmlab"), *_files(root / "data")]:
        digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    for path in _files(real) if real else []:
        stat = path.stat()
        digest.update(f"\0{path.relative_to(real)}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _files(folder):
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return [p for p in found if p.suffix not in _DERIVED and "__pycache__" not in p.parts]


def add_footer(app, config):
    """Put version and commit at the foot of every page.

    Done through the theme's options because a change of these makes Sphinx write all pages again.
    """
    options = dict(config.html_theme_options or {})
    line = f"<p>{version_line(Path(app.srcdir))}</p>"
    options["extra_footer"] = line + options.get("extra_footer", "")
    config.html_theme_options = options


def version_line(root):
    """Return "stmlab 1.0, commit abc1234", without the commit outside a git repository."""
    command = ["git", "describe", "--always", "--dirty=, with changes", "--exclude=*"]
    try:
        git = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10)
        commit = git.stdout.strip() if git.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        commit = ""
    return f"stmlab {__version__}" + (f", commit {commit}" if commit else "")


def ship_player(app):
    """Add the player, as a classic script, and its style to every page."""
    if app.builder.format != "html":
        return
    folder = Path(app.outdir).parent / ".stmlab-static"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stmlab-explore.js").write_text(classic_script(player()), "utf-8")
    shutil.copy(HERE / "explore.css", folder / "stmlab-explore.css")
    app.config.html_static_path.append(str(folder))
    app.add_css_file("stmlab-explore.css")
    app.add_js_file("stmlab-explore.js", loading_method="defer")


def classic_script(module):
    """Wrap the ES module, which browsers refuse to load from file://, as a script that runs at once."""
    body, found, _ = module.partition("export default")
    if not found or "export " in body:
        raise ValueError("the player must have one export, `export default`, on its last line")
    return f"(() => {{\n{body}mountAll();\n}})();\n"


def number_repeated_ids(app, doctree, docname):
    """Make the ids that sphinx-exercise gives to every exercise and solution unique on their page."""
    seen = Counter()
    for node in doctree.findall(nodes.section):
        for k, name in enumerate(node["ids"]):
            if name in REPEATED:
                seen[name] += 1
                node["ids"][k] = f"{name}-{seen[name]}"


def drop_thebe(app, pagename, template, context, doctree):
    """Remove thebe, which the theme adds unasked: it is fetched from a CDN and logs errors offline."""
    context["script_files"] = [f for f in context.get("script_files", []) if not is_thebe(f)]
    context["css_files"] = [f for f in context.get("css_files", []) if not is_thebe(f)]


def is_thebe(asset):
    """Whether a script or style sheet of a page belongs to thebe."""
    inline = getattr(asset, "attributes", {}).get("body") or ""
    name = str(getattr(asset, "filename", None) or asset)
    return "thebe" in name.lower() or "thebe" in inline.lower()

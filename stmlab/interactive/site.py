"""What the built book weighs: files that no page asks for go, pictures are stored with few colours."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np

# Below _static. Kept of MathJax: the script that pages name, what it loads for a rare command, the other renderer and
# the spoken formulae of its menu (in English, as the book is).
UNUSED = (
    "**/*.map", "locales/*/**/*", "sphinx-thebe.*", "vendor/fontawesome/webfonts/*.ttf",
    "mathjax/*.js", "mathjax/input/tex*.js", "mathjax/input/asciimath.js", "mathjax/ui/*.js", "mathjax/sre/mathmaps/*",
)  # fmt: skip
NEEDED = {f"mathjax/sre/mathmaps/{name}.json" for name in ("base", "en", "nemeth")}
DIFFERENCE = 3.0  # of 255: a picture of few colours may differ from the full one by this much, root mean square
HEAVY = 100_000  # bytes
PAGE, SITE = 2_000_000, 40_000_000  # bytes: what a page with its pictures, and the whole book, may weigh


def lighten(html):
    """Remove what no page of a built book uses and shrink its pictures; return the bytes saved.

    Parameters
    ----------
    html : Path
        Folder of the built book. A second call changes nothing.
    """
    before = weight(html)
    named = scripts(html)
    for path in unused(html / "_static"):
        if path.name not in named:
            path.unlink()
    for path in sorted((html / "_images").glob("*.png")):
        path.write_bytes(squeezed(path.read_bytes()))
    return before - weight(html)


def weight(folder):
    """Bytes in all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def overweight(html):
    """Say which pages of a built book weigh too much, and what on them weighs most; a list of lines."""
    said = []
    for page in sorted(html.rglob("*.html")):
        parts = parts_of(page)
        if (total := sum(parts.values())) > PAGE:
            most = ", ".join(f"{name} {parts[name] / 1e6:.2f} MB" for name in sorted(parts, key=parts.get)[:-4:-1])
            said.append(f"{page.relative_to(html)}: {total / 1e6:.2f} MB; at most {PAGE / 1e6:g} MB. Heaviest: {most}")
    if (total := weight(html)) > SITE:
        said.append(f"the whole book: {total / 1e6:.1f} MB; at most {SITE / 1e6:g} MB")
    return said


def parts_of(page):
    """Bytes of a page's interactive figures, of its pictures and of the rest, by name."""
    text = page.read_text("utf-8")
    figures = re.findall(r'<div class="stmx" role="group" aria-label="([^"]*)">(.*?)</script>\n</div>', text, re.DOTALL)
    parts = {f"{name!r} ({k})": len(body.encode()) for k, (name, body) in enumerate(figures, 1)}
    parts["text"] = page.stat().st_size - sum(parts.values())
    pictures = {page.parent / src for src in re.findall(r'<img[^>]* src="([^":]+)"', text)}
    return parts | {path.name: path.stat().st_size for path in pictures if path.is_file()}


def unused(static):
    """Files below `static` that pages never load unless they name them."""
    found = {path for pattern in UNUSED for path in static.glob(pattern) if path.is_file()}
    return sorted(path for path in found if path.relative_to(static).as_posix() not in NEEDED)


def scripts(html):
    """Names of the scripts that pages load."""
    found = set()
    for page in html.rglob("*.html"):
        found |= {Path(src).name for src in re.findall(r'<script[^>]* src="([^"?]+)', page.read_text("utf-8"))}
    return found


def squeezed(data):
    """Return a PNG with few colours where these look the same and take less room, else the PNG as it was.

    256 colours do for most pictures; the heaviest, which are measured noise, are also tried with 64. Photographs of
    many colours stay as they are; so does what is squeezed already.
    """
    from PIL import Image

    picture = Image.open(BytesIO(data))
    if picture.mode not in ("RGB", "RGBA") or (picture.mode == "RGBA" and picture.getextrema()[3][0] < 255):
        return data
    full, dpi = picture.convert("RGB"), picture.info.get("dpi")
    small = _few(full, 256, 0, dpi) or _few(full, 256, 3, dpi) or data
    if HEAVY < len(small) < len(data):
        small = _few(full, 64, 3, dpi) or small
    return min(small, data, key=len)


def _few(full, count, rounds, dpi):
    """Return a picture as a PNG of `count` colours, improved in so many rounds; None if that would be seen."""
    from PIL import Image

    few = full.quantize(count, kmeans=rounds, dither=Image.Dither.NONE)
    error = np.asarray(full, float) - np.asarray(few.convert("RGB"), float)
    if np.sqrt((error**2).mean()) > DIFFERENCE:
        return None
    out = BytesIO()
    few.save(out, "PNG", optimize=True, dpi=dpi)
    return out.getvalue()

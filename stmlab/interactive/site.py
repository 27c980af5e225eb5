"""What the built book weighs: files that no page asks for go, pictures are stored with 256 colours."""

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
DIFFERENCE = 3.0  # of 255: a picture of 256 colours may differ from the full one by this much, root mean square


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
    """Return a PNG with 256 colours where these look the same and take less room, else the PNG as it was.

    Photographs of many colours stay as they are; so does what is squeezed already.
    """
    from PIL import Image

    picture = Image.open(BytesIO(data))
    if picture.mode not in ("RGB", "RGBA"):
        return data
    full = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")
    if picture.mode == "RGBA" and picture.getextrema()[3][0] < 255:
        return data
    few = full.quantize(256, dither=Image.Dither.NONE)
    error = np.asarray(full, float) - np.asarray(few.convert("RGB"), float)
    out = BytesIO()
    few.save(out, "PNG", optimize=True, dpi=picture.info.get("dpi"))
    small = out.getvalue()
    return small if len(small) < len(data) and np.sqrt((error**2).mean()) <= DIFFERENCE else data

"""The built book sheds what no page loads, and keeps what pages look like."""

import io

import numpy as np
import pytest
from PIL import Image

from stmlab.interactive import Lines, Slider, explore, site
from stmlab.interactive.site import lighten, overweight, parts_of, squeezed, weight


def png(pixels, **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **options)
    return out.getvalue()


def drawing():
    """A picture of 200 colours, opaque."""
    ramp = np.linspace(0, 255, 200).astype("u1")[np.random.default_rng(1).integers(0, 200, (150, 200))]
    return np.dstack([ramp, 255 - ramp, np.full_like(ramp, 90), np.full_like(ramp, 255)])


@pytest.fixture
def html(tmp_path):
    names = {
        "mathjax/tex-chtml.js": "used", "mathjax/tex-svg.js": "not", "mathjax/input/tex/extensions/bm.js": "on demand",
        "mathjax/input/tex-full.js": "not", "mathjax/sre/mathmaps/en.json": "on demand",
        "mathjax/sre/mathmaps/fr.json": "not", "mathjax/output/svg.js": "on demand",
        "locales/fr/LC_MESSAGES/a.mo": "not",
        "scripts/theme.js": "used", "scripts/theme.js.map": "not", "book.css": "used",
    }  # fmt: skip
    for name in names:
        path = tmp_path / "_static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "page.html").write_text('<script defer src="_static/mathjax/tex-chtml.js?v=1"></script>')
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images/a.png").write_bytes(png(drawing(), compress_level=1))
    return tmp_path, {name for name, kind in names.items() if kind != "not"}


def test_what_pages_load_stays_and_the_rest_goes(html):
    folder, kept = html
    before = weight(folder)
    saved = lighten(folder)
    static = folder / "_static"
    assert {p.relative_to(static).as_posix() for p in static.rglob("*") if p.is_file()} == kept
    assert 0 < saved == before - weight(folder)
    assert lighten(folder) == 0, "the second time nothing is left to do"


def test_a_picture_gets_lighter_and_looks_the_same():
    data = png(drawing(), dpi=(100, 100))
    small = squeezed(data)
    assert len(small) < len(data)
    seen = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"), float)
    np.testing.assert_allclose(seen, drawing()[..., :3], atol=8)
    assert Image.open(io.BytesIO(small)).info["dpi"] == pytest.approx((100, 100), abs=0.1)
    assert squeezed(small) == small


@pytest.mark.parametrize("kind", ["photograph", "transparent", "grey"])
def test_pictures_that_would_suffer_stay_as_they_are(kind):
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype="u1")
    clear = np.dstack([drawing()[..., :3], np.tile(np.arange(200, dtype="u1"), (150, 1))])
    data = png({"photograph": noise, "transparent": clear, "grey": drawing()[..., 0]}[kind])
    assert squeezed(data) == data


def test_a_heavy_page_is_named_with_its_heaviest_parts(html, monkeypatch):
    folder, _ = html
    figure = explore(lambda n: Lines([0, 1], [[0, n]], title="A", alt="A line."), n=Slider([1, 2], 1, "n")).html()
    page = folder / "page.html"
    page.write_text(f'<p>Text</p>{figure}{figure}<img alt="x" src="_images/a.png">')
    parts = parts_of(page)
    assert list(parts) == ["'Interactive figure: A' (1)", "'Interactive figure: A' (2)", "text", "a.png"]
    assert sum(parts.values()) == page.stat().st_size + (folder / "_images/a.png").stat().st_size
    assert parts["'Interactive figure: A' (1)"] > 0.9 * len(figure)
    assert overweight(folder) == []
    monkeypatch.setattr(site, "PAGE", sum(parts.values()) - 1)
    (said,) = overweight(folder)
    assert said.startswith("page.html: ")
    assert "a.png" in said
    monkeypatch.setattr(site, "SITE", 10)
    assert overweight(folder)[1].startswith("the whole book: ")

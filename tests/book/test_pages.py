"""Every page of the built book, as a reader without a network meets it."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import HTML, NO_BUILD, address, built_pages
from playwright.sync_api import expect

WITH_SLIDERS = [
    "book/01_pipeline.html", "book/02_atoms.html", "book/03_tunnelling.html", "book/04_tight_binding.html",
    "book/05_scan_modes.html", "book/06_feedback.html", "book/07_creep_drift.html", "book/08_hysteresis.html",
    "book/09_instrument.html", "book/10_datasets.html", "book/12_real.html",
]  # fmt: skip


def test_the_book_is_built():
    pages = built_pages()
    assert pages, NO_BUILD
    assert set(WITH_SLIDERS) <= set(pages)


def test_page_opens_offline_without_complaint(visit, page_name):
    seen = visit(page_name)
    assert seen.outside == [], "requests that leave the disk"
    assert seen.complaints == []


def test_page_links_stay_in_the_book(visit, page_name):
    links = "[...document.querySelectorAll('a[href]')].map((a) => a.href).filter((h) => h.startsWith('file:'))"
    for link in visit(page_name).page.evaluate(links):
        path = link.split("#")[0].split("?")[0].removeprefix(HTML.as_uri()).lstrip("/")
        assert (HTML / path).exists(), link


def test_page_is_light(page_name):
    path = HTML / page_name
    assert path.exists(), NO_BUILD
    assert path.stat().st_size < 2_000_000


def test_ids_are_unique(visit, page_name):
    ids = visit(page_name).page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert sorted(ids) == sorted(set(ids))


def test_every_picture_is_described(visit, page_name):
    page = visit(page_name).page
    pictures = page.evaluate("[...document.querySelectorAll('main img')].map((e) => [e.src.slice(-60), e.alt])")
    drawn = page.evaluate(
        "[...document.querySelectorAll('.stmx-canvas')].map((e) => [e.getAttribute('role'), e.ariaLabel])"
    )
    assert [src for src, alt in pictures if not alt.strip()] == []
    assert all(role == "img" and label.strip() for role, label in drawn)


@pytest.mark.parametrize("width", [500, 1280])
def test_page_never_scrolls_sideways(visit, page_name, width):
    page = visit(page_name, width=width).page
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{wide} px of content in a window of {width} px"
    figures = page.evaluate("[...document.querySelectorAll('.stmx')].map((e) => [e.scrollWidth, e.clientWidth])")
    assert all(content <= room for content, room in figures)


@pytest.mark.parametrize("chapter", WITH_SLIDERS)
def test_chapter_has_a_slider(visit, chapter):
    assert visit(chapter).page.locator(".stmx input[type=range]").count() >= 1


STATE = """(root, k) => {
    const boards = [...root.querySelectorAll(".stmx-canvas")];
    return {
        picture: boards.map((c) => c.toDataURL()).join(),
        output: root.querySelectorAll("output")[k].textContent,
        value: root.querySelectorAll("input[type=range]")[k].getAttribute("aria-valuetext"),
        label: boards.map((c) => c.ariaLabel).join(),
    };
}"""


def state(figure, k):
    """What a reader sees or hears of slider k: picture, output, spoken value, descriptions."""
    return figure.evaluate(STATE, k)


def test_sliders_obey_the_keyboard(visit, page_name):
    page = visit(page_name).page
    for figure in page.locator(".stmx").all():
        for k, slider in enumerate(figure.locator("input[type=range]").all()):
            before = state(figure, k)
            slider.focus()
            at_end = slider.input_value() == slider.get_attribute("max")
            page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
            after = state(figure, k)
            same = [key for key in before if before[key] == after[key]]
            assert not same, f"slider {k + 1}, {slider.get_attribute('aria-valuetext')}: unchanged {same}"
            page.keyboard.press("ArrowRight" if at_end else "ArrowLeft")
            assert state(figure, k) == before, "the way back leads elsewhere"


def luminance(rgb):
    """Relative luminance of an (r, g, b) colour, 0-255 (WCAG 2.2)."""
    linear = [v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    """Contrast ratio of two colours (WCAG 2.2)."""
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


COLOURS = """(root) => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    let sheet = root;
    while (sheet && (rgb(getComputedStyle(sheet).backgroundColor)[3] ?? 1) === 0) sheet = sheet.parentElement;
    const canvas = root.querySelector(".stmx-canvas"), context = canvas.getContext("2d"), counts = {};
    // what is really there: the colour of most opaque pixels in the strip of the y axis
    const strip = context.getImageData(0, 0, Math.floor(canvas.width * 0.12), canvas.height).data;
    for (let i = 0; i < strip.length; i += 4)
        if (strip[i + 3] === 255) { const key = strip.slice(i, i + 3).join(); counts[key] = (counts[key] || 0) + 1; }
    const drawn = Object.entries(counts).sort((a, b) => b[1] - a[1])[0][0];
    const parts = [...root.querySelectorAll(".stmx-note, .stmx-title, output, label span, .stmx-legend li")];
    const texts = parts.map((e) => rgb(getComputedStyle(e).color).slice(0, 3));
    const paper = rgb(getComputedStyle(sheet || document.body).backgroundColor).slice(0, 3);
    return { texts: [...texts, drawn.split(",").map(Number)], paper };
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_in_figures_is_legible(visit, page_name, dark):
    for figure in visit(page_name, dark=dark).page.locator(".stmx").all():
        seen = figure.evaluate(COLOURS)
        assert (luminance(seen["paper"]) < 0.2) == dark
        assert min(contrast(text, seen["paper"]) for text in seen["texts"]) >= 4.5, seen


def test_theme_switch_redraws_the_figures(visit, page_name):
    page = visit(page_name).page
    for figure in page.locator(".stmx").all():
        before = state(figure, 0)["picture"]
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.wait_for_timeout(600)
        assert state(figure, 0)["picture"] != before
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        page.wait_for_timeout(600)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_figures_are_accessible(visit, page_name, dark):
    page = visit(page_name, dark=dark).page
    if page.locator(".stmx").count() == 0:
        return
    found = Axe().run(page, context=".stmx").response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert serious == [], [(v["id"], v["nodes"][0]["html"][:200]) for v in serious]


def test_without_javascript_the_default_frame_is_shown(browser, page_name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(page_name))
    for figure in page.locator(".stmx").all():
        assert figure.locator(".stmx-still").is_visible()
        assert not figure.locator(".stmx-controls").is_visible()
    context.close()


def test_print_shows_the_default_frame(visit, page_name):
    page = visit(page_name).page
    page.emulate_media(media="print")
    for figure in page.locator(".stmx").all():
        assert figure.locator(".stmx-still").is_visible()
        assert not figure.locator(".stmx-panels").is_visible()
    page.emulate_media(media="screen")


def test_old_browser_is_told(browser, page_name):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(address(page_name))
    for figure in page.locator(".stmx").all():
        expect(figure.locator("p.stmx-problem").first).to_contain_text("too old")
        assert figure.locator(".stmx-still").is_visible()
    context.close()


@pytest.mark.parametrize(
    ("look", "width", "dark"), [("light", 1280, False), ("dark", 1280, True), ("narrow", 500, False)]
)
def test_screenshots(visit, screenshots, page_name, look, width, dark):
    """Written only when asked for; opening the page in each look is the test."""
    page = visit(page_name, width=width, dark=dark).page
    if screenshots is None:
        return
    screenshots.mkdir(parents=True, exist_ok=True)
    name = page_name.removesuffix(".html").replace("/", "-")
    page.add_style_tag(content="#pst-skip-link { display: none }")  # off screen, but not in a tall picture
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.wait_for_timeout(200)
    page.screenshot(path=screenshots / f"{name}-{look}.png", full_page=True)

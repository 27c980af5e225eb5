"""Every page of the built book, as a reader without a network meets it."""

import re
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import HTML, NO_BUILD, address, built_pages
from playwright.sync_api import expect

CHAPTERS = [name for name in built_pages() if re.fullmatch(r"book/\d\d_\w+\.html", name)]
WITH_SLIDERS = ["book/index.html", *(name for name in CHAPTERS if not name.startswith("book/11_"))]
PAGE, SITE = 2e6, 40e6  # bytes


def test_the_book_is_built():
    pages = built_pages()
    assert pages, NO_BUILD
    assert len(CHAPTERS) >= 12
    assert set(WITH_SLIDERS) <= set(pages)


def test_the_front_door_leads_to_the_landing_page(browser):
    page = browser.new_page()
    page.goto(address("index.html"))
    page.wait_for_url(address("book/index.html"))
    page.close()


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
    text = path.read_text("utf-8")
    own = {(path.parent / unquote(src)).resolve() for src in re.findall(r'<img[^>]* src="([^":]+)"', text)}
    weight = path.stat().st_size + sum(file.stat().st_size for file in own)
    assert weight < PAGE, f"{weight / 1e6:.2f} MB with {len(own)} pictures"


def test_the_site_is_light():
    weight = sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file())
    assert 0 < weight < SITE, f"{weight / 1e6:.1f} MB"


def test_page_says_what_it_was_built_from(visit, page_name):
    footer = visit(page_name).page.locator(".extra_footer p")
    expect(footer).to_be_visible()
    expect(footer).to_have_text(re.compile(r"^stmlab \d+\.\d+"))


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


@pytest.mark.parametrize("width", [400, 1280])
def test_page_never_scrolls_sideways(visit, page_name, width):
    page = visit(page_name, width=width).page
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{wide} px of content in a window of {width} px"
    figures = page.evaluate("[...document.querySelectorAll('.stmx')].map((e) => [e.scrollWidth, e.clientWidth])")
    assert all(content <= room for content, room in figures)


@pytest.mark.parametrize("chapter", WITH_SLIDERS)
def test_chapter_has_a_slider(chapter):
    assert '<input type="range" ' in (HTML / chapter).read_text("utf-8")


def test_math_is_drawn(visit, page_name):
    page = visit(page_name).page
    written = page.locator(".math").count()
    if written == 0:
        return
    page.wait_for_function("window.MathJax?.startup?.promise")
    page.evaluate("() => MathJax.startup.promise.then(() => null)")
    assert page.locator(".math > mjx-container").count() == written
    assert page.locator("mjx-merror").count() == 0


def test_the_menu_of_a_formula_finds_its_files(browser):
    page, lost = browser.new_page(), []
    page.on("requestfailed", lambda request: lost.append(request.url))
    page.goto(address("book/03_tunnelling.html"))
    page.wait_for_function("window.MathJax?.startup?.document?.menu")
    page.evaluate("() => MathJax.startup.promise.then(() => null)")
    page.evaluate("() => { MathJax.startup.document.menu.setRenderer('SVG'); }")
    page.wait_for_selector("mjx-container[jax=SVG]", state="attached")
    page.evaluate("() => { MathJax.startup.document.menu.setExplorer(true); }")
    page.wait_for_function("!!window.sre?.System || !!window.SRE || !!MathJax._?.a11y?.sre")
    page.wait_for_timeout(500)
    # from a disk, browsers refuse the rules of speech (a request of a script); from a server they come
    assert [url for url in lost if not (HTML / url.removeprefix(f"{HTML.as_uri()}/")).exists()] == []
    page.close()


def test_figures_wait_until_they_are_near(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address("book/05_scan_modes.html"))
    count = page.locator(".stmx").count()
    assert count >= 2
    page.wait_for_timeout(500)
    assert page.locator(".stmx-ready").count() < count
    for figure in page.locator(".stmx").all():
        figure.locator("input").first.focus()
    expect(page.locator(".stmx-ready")).to_have_count(count)
    page.close()


@pytest.fixture
def door(browser):
    """Open the landing page where motion is welcome, or not."""
    contexts = []

    def open_page(motion, **options):
        contexts.append(browser.new_context(reduced_motion=motion, viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.goto(address("book/index.html"))
        page.wait_for_selector(".stmx-ready[data-frame]")
        return page

    yield open_page
    for each in contexts:
        each.close()


def test_the_scan_plays_once_and_can_be_stopped(door):
    page = door("no-preference")
    figure = page.locator(".stmx").first
    slider, button = figure.locator("input"), figure.get_by_role("button")
    last = slider.get_attribute("max")
    assert figure.bounding_box()["y"] < 450, "at the top of the page"
    expect(button).to_have_text("Pause")
    page.wait_for_function("document.querySelector('.stmx').dataset.frame >= 3")
    button.press("Enter")
    expect(button).to_have_text("Play")
    stopped = slider.input_value()
    page.wait_for_timeout(500)
    assert slider.input_value() == stopped != last
    button.press("Enter")
    slider.focus()
    expect(button).to_have_text("Play")
    slider.press("End")
    button.press("Enter")  # from the end it begins again, and ends there
    expect(button).to_have_text("Play", timeout=15_000)
    assert slider.input_value() == last
    assert figure.get_attribute("data-frame") == last


def test_the_scan_waits_under_the_pointer(door):
    page = door("no-preference")
    page.locator(".stmx").first.hover()
    page.wait_for_timeout(200)
    frame = page.locator(".stmx").first.get_attribute("data-frame")
    page.wait_for_timeout(600)
    assert page.locator(".stmx").first.get_attribute("data-frame") == frame
    page.mouse.move(5, 5)
    page.wait_for_function("(k) => +document.querySelector('.stmx').dataset.frame > k", arg=int(frame))


def test_nothing_plays_where_motion_is_unwelcome(door):
    page = door("reduce")
    figure = page.locator(".stmx").first
    page.wait_for_timeout(600)
    assert figure.get_attribute("data-frame") == figure.locator("input").get_attribute("max")
    expect(figure.get_by_role("button")).to_have_text("Play")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_offers_its_notebook(chapter):
    page = HTML / chapter
    (href,) = set(re.findall(r'href="([^"]*\.ipynb)"', page.read_text("utf-8")))
    assert href.endswith(chapter.replace("book/", "_downloads/notebooks/").replace(".html", ".ipynb"))
    assert (page.parent / href).is_file()


def test_the_landing_page_lists_all_downloads(visit):
    links = visit("book/index.html").page.locator("#downloads a[href*='_downloads']")
    names = [link.get_attribute("href").rpartition("/")[2] for link in links.all()]
    assert names[:-1] == [chapter.removeprefix("book/").replace(".html", ".ipynb") for chapter in CHAPTERS]
    assert re.fullmatch(r"stmlab-[\w.]+-py3-none-any\.whl", names[-1])


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
    ("look", "width", "dark"), [("light", 1280, False), ("dark", 1280, True), ("narrow", 400, False)]
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

"""Browser tests of the built book: `make browser`, or `python -m pytest tests/book`.

They need `make book` first, and Chromium (Debian: `apt-get install chromium`). Where one of the two
is missing they fail and say so: a skipped browser test would look like a page that works.
"""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
HTML = Path(os.environ.get("STMLAB_HTML", ROOT / "_build" / "html"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_BUILD = f"no built book in {HTML}: run `make book` first"
NO_CHROMIUM = "no Chromium: `apt-get install chromium`, or set STMLAB_CHROMIUM to its path"


def pytest_addoption(parser):
    parser.addoption("--screenshots", metavar="DIR", help="write pictures of every page to DIR")


def built_pages():
    """Names of all pages, relative to the HTML folder; the front door, which leads on at once, is none."""
    pages = sorted(p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html") if "_static" not in p.parts)
    return [name for name in pages if name != "index.html"]


def pytest_generate_tests(metafunc):
    if "page_name" in metafunc.fixturenames:
        # scope: all tests of one page follow each other and share the open page
        metafunc.parametrize("page_name", built_pages() or ["(no build)"], scope="module")


@pytest.fixture(scope="session")
def browser():
    names = [os.environ.get("STMLAB_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for n in names if n and (path := shutil.which(n))), None)
    if found is None:
        pytest.fail(NO_CHROMIUM, pytrace=False)
    with sync_playwright() as p:
        running = p.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


def address(name):
    """Return the file:// address of a page."""
    if not (HTML / name).is_file():
        pytest.fail(NO_BUILD, pytrace=False)
    return (HTML / name).as_uri()


class Visit:
    """A page opened from disk with the network cut, and what it complained about."""

    def __init__(self, browser, name, width=1280, dark=False):
        url = address(name)
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")  # nothing plays
        self.outside, self.complaints = [], []
        self.context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), self._refuse)
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"not loaded: {request.url}"))
        self.page.goto(url)
        self.wake_figures()

    def _refuse(self, route):
        self.outside.append(route.request.url)
        route.abort()

    def _heard(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def wake_figures(self):
        """Bring each figure into view, which decodes it, and wait until it is drawn."""
        for figure in self.page.locator(".stmx").all():
            figure.scroll_into_view_if_needed()
        self.page.wait_for_function(
            "[...document.querySelectorAll('.stmx')].every((e) => e.matches('.stmx-ready') && e.dataset.frame)"
        )
        self.page.wait_for_timeout(100)  # the sizes settle in the next animation frame


@pytest.fixture(scope="session")
def visit(browser):
    """Open a page: visit(name, width=..., dark=...) -> Visit, shared by the tests of that page."""
    opened = {}

    def open_page(name, **options):
        key = (name, *sorted(options.items()))
        if key not in opened:
            while opened and next(iter(opened))[0] != name:
                opened.pop(next(iter(opened))).context.close()
            opened[key] = Visit(browser, name, **options)
        return opened[key]

    yield open_page
    for each in opened.values():
        each.context.close()


@pytest.fixture
def screenshots(request):
    """Where pictures go, or None."""
    folder = request.config.getoption("--screenshots")
    return Path(folder) if folder else None

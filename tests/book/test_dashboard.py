"""`stmlab app` as its user meets it: a page in a browser, on this machine, without a network.

Needs voila (`pip install 'stmlab[app,book]'`) and Chromium; where one is missing the tests fail.
"""

import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from stmlab.parameters import Parameters, Study, Uniform

START = 90  # s that the server and its first page may take on a busy machine
LOADED = Study(
    Parameters().set({"raster.pixels": 16, "raster.lines": 12, "tip.apex": "001-0-O", "piezo.drift_x": 0.25}),
    {"noise.current": Uniform(0.01, 0.02)}, "from a file",
)  # fmt: skip


expect.set_options(timeout=20_000)  # a busy machine renders slowly; what is tested is that it comes, not when


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_line(process):
    """What the server prints first, or a failure that shows its errors."""
    ready, _, _ = select.select([process.stdout], [], [], START)
    line = process.stdout.readline() if ready else ""
    if "http://" not in line:
        process.kill()
        pytest.fail(f"`stmlab app` did not start: {line}{process.communicate()[1]}", pytrace=False)
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the app is called."""
    return tmp_path_factory.mktemp("app")


class Server(NamedTuple):
    """`stmlab app` as it runs."""

    address: str  # with its token
    pid: int


@pytest.fixture(scope="module")
def address(served):
    """Where the dashboard is."""
    return served.address


@pytest.fixture(scope="module")
def served(folder):
    """`stmlab app`, started once."""
    port = free_port()
    command = [sys.executable, "-c", "from stmlab.cli import main; main()", "app", "--no-browser", "--port", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen(command, cwd=folder, **pipes)
    found = re.search(r"http://\S+", first_line(process))[0]
    assert urlsplit(found).netloc == f"127.0.0.1:{port}"
    yield Server(found, process.pid)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=90)
    assert process.returncode == 0
    # tornado says so when a page is closed while the server still has something to tell it
    gone = re.findall(r"^tornado\.\w+\.(?:Stream|WebSocket)ClosedError\b", complaints, re.MULTILINE)
    assert complaints.count("Traceback (most recent call last)") == len(gone), complaints


class Window:
    """The dashboard in a browser that reaches this machine only, and what it complained about."""

    def __init__(self, browser, address):
        self.context = browser.new_context(viewport={"width": 1500, "height": 1000})
        self.context.set_default_timeout(20_000)
        self.outside, self.complaints = [], []
        here = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")
        self.context.route(lambda url: not url.startswith(here), self._refuse)
        self.page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", lambda r: r.status >= 400 and self.complaints.append(f"{r.status} {r.url}"))
        self.page.goto(address)
        self.wait()

    def _refuse(self, route):
        self.outside.append(route.request.url)
        route.abort()

    def _heard(self, message):
        if message.type == "error":
            self.complaints.append(message.text)

    def wait(self):
        """Wait until the form is there."""
        expect(self.page.get_by_label("junction", exact=True).or_(self.section("junction"))).to_be_visible(
            timeout=1000 * START)

    def section(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def field(self, path):
        """The field of a parameter, brought into view."""
        section, name = path.split(".")
        self.section(section).click()
        label = re.compile(rf"^{name.replace('_', ' ')}( \[.*\])?$")
        return self.page.locator(".stmlab-row").get_by_label(label).first

    def row(self, path):
        return self.field(path).locator("xpath=ancestor::*[contains(@class, 'stmlab-row')]")

    def set(self, path, value):
        field = self.field(path)
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
            field.press("Tab")

    def upload(self, file):
        """Choose a file in the dialog that the button opens."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Open a file").click()
        chooser.value.set_files(file)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def note(self, text):
        expect(self.page.locator(".stmlab-note")).to_contain_text(text)

    def alert(self, text):
        expect(self.page.get_by_role("alert")).to_contain_text(text)

    def no_alert(self):
        expect(self.page.get_by_role("alert")).to_have_count(0)


@pytest.fixture
def window(browser, address):
    opened = Window(browser, address)
    yield opened
    assert opened.outside == [], "requests that leave the machine"
    assert opened.complaints == []
    opened.context.close()


def test_load_change_render_save_and_load_again(window, folder, screenshots):
    LOADED.to_toml(folder / "mine.toml")
    window.upload(folder / "mine.toml")
    window.note("Loaded mine.toml")
    expect(window.field("raster.pixels")).to_have_value("16")
    expect(window.field("tip.apex")).to_have_value("001-0-O")
    expect(window.row("noise.current").get_by_label("to", exact=True)).to_have_value("0.02")

    window.set("junction.bias", "-1.25")
    window.set("raster.direction", "down")
    window.row("feedback.loop_gain").get_by_text("vary").click()
    law = window.page.locator(".stmlab-law")
    for end, value in (("to", "0.9"), ("from", "0.2")):
        law.get_by_label(end, exact=True).fill(value)
        law.get_by_label(end, exact=True).press("Tab")
    window.no_alert()

    window.press("Render")
    window.note("1 sample: simulated in")
    charts = window.page.locator(".stmlab-panels").get_by_role("img")
    expect(charts).to_have_count(10)
    assert all(len(chart.get_attribute("aria-label")) > 20 for chart in charts.all())
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        window.page.screenshot(path=screenshots / "dashboard.png", full_page=True)

    window.page.get_by_label("save", exact=True).fill("changed.toml")
    window.press("Save")
    window.note("changed.toml")
    saved = (folder / "changed.toml").read_text("utf-8")
    wanted = Study(
        LOADED.base.set({"junction.bias": -1.25, "raster.direction": "down"}),
        {**LOADED.vary, "feedback.loop_gain": Uniform(0.2, 0.9)}, "from a file",
    )  # fmt: skip
    assert Study.loads(saved) == wanted, "and where the app was called, not inside the package"
    link = window.page.get_by_role("link", name="Download changed.toml")
    assert unquote(link.get_attribute("href").partition(",")[2]) == saved

    window.page.reload()
    window.wait()
    expect(window.field("junction.bias")).to_have_value("0.5")
    window.page.get_by_label("load", exact=True).fill("changed.toml")
    window.page.get_by_label("load", exact=True).press("Tab")
    window.press("Load")
    window.note("Loaded changed.toml")
    expect(window.field("junction.bias")).to_have_value("-1.25")
    expect(window.field("raster.direction")).to_have_value("down")
    expect(window.row("feedback.loop_gain").get_by_label("from", exact=True)).to_have_value("0.2")
    window.page.get_by_label("save", exact=True).fill("again.toml")
    window.press("Save")
    window.note("again.toml")
    assert (folder / "again.toml").read_text("utf-8") == saved


def test_a_bad_file_is_rejected_with_a_message(window, folder):
    window.set("junction.bias", "-0.75")
    for name, text, said in [
        ("bad.toml", "[junction]\nbias = 7\n", "bad.toml: junction.bias = 7 V is outside [-3, 3] V"),
        ("worse.toml", "[junction\n", "worse.toml: not valid TOML"),
    ]:
        (folder / name).write_text(text)
        window.upload(folder / name)
        window.alert(said)
        expect(window.field("junction.bias")).to_have_value("-0.75")
    assert "Traceback" not in window.page.locator("body").inner_text()
    window.upload({
        "name": "good.toml", "mimeType": "text/plain", "buffer": b"[junction]\nbias = 1.5\n"})  # fmt: skip
    window.note("Loaded good.toml")
    window.no_alert()
    expect(window.field("junction.bias")).to_have_value("1.5")


def test_parameters_keep_to_their_bounds(window):
    window.set("junction.bias", "3.5")
    window.alert("junction.bias = 3.5 V is outside [-3, 3] V; choose a value inside")
    assert "stmlab-wrong" in window.row("junction.bias").get_attribute("class")
    window.press("Render")
    window.alert("junction.bias = 3.5 V")
    expect(window.page.locator(".stmlab-chart")).to_have_count(0)
    window.set("junction.bias", "3")
    window.no_alert()
    expect(window.field("junction.bias")).to_have_value("3")
    window.set("raster.pixels", "2.5")
    window.alert("raster.pixels = 2.5 is not a whole number")
    window.set("raster.pixels", "2")
    window.no_alert()
    window.row("tip.tilt").get_by_text("vary").click()
    assert window.page.locator(".stmlab-law").get_by_label("either sign").count() == 0
    window.set("tip.apex", "111-1-XXX")
    window.alert("at least one O")


def test_a_gallery_is_browsed_by_keyboard(window):
    for name, value in (("samples", "3"), ("threads", "2"), ("seed", "5")):
        window.page.get_by_label(name, exact=True).fill(value)
        window.page.get_by_label(name, exact=True).press("Tab")
    window.press("Render")
    window.note("3 samples: simulated in")
    recorded = window.page.locator(".stmlab-chart").nth(5)
    seen = {recorded.inner_html()}
    slider = window.page.get_by_role("slider")
    for _ in range(2):
        before = recorded.inner_html()
        slider.focus()
        slider.press("ArrowRight")
        window.page.wait_for_function(
            "before => document.querySelectorAll('.stmlab-chart')[5].innerHTML !== before", arg=before)
        seen.add(recorded.inner_html())
    assert len(seen) == 3
    window.page.get_by_label("show the retrace").check()
    expect(recorded).to_contain_text("retrace")


def test_the_default_frame_is_quick(window):
    window.press("Render")
    window.note("1 sample")  # the first one compiles and imports
    expect(window.page.locator(".stmlab-chart")).to_have_count(10)
    took = []
    for seed in "12345":
        window.page.get_by_label("seed", exact=True).fill(seed)
        window.page.get_by_label("seed", exact=True).press("Tab")
        before = window.page.locator(".stmlab-chart").nth(5).inner_html()
        start = time.perf_counter()
        window.press("Render")
        window.page.wait_for_function(
            "before => document.querySelectorAll('.stmlab-chart')[5].innerHTML !== before", arg=before)
        took.append(time.perf_counter() - start)
    print(f"from the click to the picture: {', '.join(f'{t:.2f}' for t in took)} s")
    assert min(took) < 1.0


@pytest.mark.parametrize("width", [420, 1280])
def test_the_page_is_accessible_and_never_scrolls_sideways(window, width):
    window.page.set_viewport_size({"width": width, "height": 900})
    window.press("Render")
    expect(window.page.locator(".stmlab-chart")).to_have_count(10)
    window.page.get_by_label("explain every parameter").check()
    expect(window.row("raster.pixels")).to_contain_text("pixels along the fast axis")
    found = Axe().run(window.page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width


def test_only_this_machine_and_only_with_the_token(address):
    url = urlsplit(address)
    with urllib.request.urlopen(f"http://{url.netloc}/") as answer:
        assert "login" in answer.url, "no dashboard without the token"
    if sys.platform == "linux":  # where all of 127.x.x.x is this machine
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.2", url.port))


def kernels(server):
    """Process numbers of a server's kernels."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [map(int, line.split()) for line in listing.splitlines()[1:]]
    return {pid for pid, parent in pairs if parent == server}


@pytest.mark.skipif(sys.platform == "win32", reason="needs ps")
def test_a_page_that_is_left_takes_its_kernel_along(browser, served):
    before = kernels(served.pid)
    opened = Window(browser, served.address)
    (first,) = kernels(served.pid) - before
    opened.page.reload()
    opened.wait()
    deadline = time.monotonic() + 20
    while first in kernels(served.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert first not in kernels(served.pid)
    opened.context.close()

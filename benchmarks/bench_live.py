"""How long a reader waits in JupyterLab: from a key on a slider to the drawn picture, for every figure of the book.

Each chapter's cells are run as a notebook; every slider of every figure is then moved by the keyboard, step by step,
and the time from the key to the picture of the new setting is taken in the page. Last, the dashboard: from the press
on Render to its charts. Needs Chromium (STMLAB_CHROMIUM, or on the path). Arguments choose chapters: `05 06`.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import jupytext
from nbformat.v4 import new_code_cell
from playwright.sync_api import sync_playwright

BOOK = Path(__file__).resolve().parent.parent / "book"
MOVES = 12  # of each slider
PAUSE = 100  # ms between two keys
LIMIT, RENDER = 50, 1000  # ms
DASHBOARD = "from stmlab.interactive import dashboard\ndashboard()"
ALL_CELLS = '{"windowingMode": "none"}'  # or JupyterLab draws only those in view

MOVE = """([figure, slider, key]) => new Promise((resolve) => {
    const canvas = document.querySelectorAll(".stmx-live")[figure].querySelector(".stmx-canvas");
    const box = canvas.closest(".widget-vbox"), handle = box.querySelectorAll(".noUi-handle")[slider];
    const seen = new MutationObserver(() => end(performance.now() - start));
    seen.observe(canvas, { attributes: true, attributeFilter: ["aria-label"] });
    const late = setTimeout(() => end(null), 4000);
    const end = (took) => { seen.disconnect(); clearTimeout(late); resolve(took); };
    handle.focus();
    const before = handle.style.cssText + handle.parentElement.style.cssText + handle.ariaValueText;
    const start = performance.now();
    handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    // at the end of the slider the handle stays where it is
    if (handle.style.cssText + handle.parentElement.style.cssText + handle.ariaValueText === before) {
        clearTimeout(late); seen.disconnect(); resolve(null);
    }
})"""
RENDERED = """() => new Promise((resolve) => {
    for (const old of document.querySelectorAll(".stmlab-chart")) old.dataset.old = "";
    const start = performance.now(), seen = new MutationObserver(() => {
        if (!document.querySelector(".stmlab-chart:not([data-old])")) return;
        seen.disconnect();
        requestAnimationFrame(() => resolve(performance.now() - start));
    });
    seen.observe(document.body, { childList: true, subtree: true });
    [...document.querySelectorAll("button")].find((b) => b.textContent.trim() === "Render").click();
})"""


def notebooks(folder, wanted):
    """Write the code of every chapter that has a figure, and the dashboard, as notebooks; return their names."""
    names = []
    for path in sorted(BOOK.glob("*.md")):
        made = jupytext.read(path)
        made.cells = [c for c in made.cells if c.cell_type == "code"]
        if any("explore(" in c.source for c in made.cells) and path.stem.startswith(wanted):
            jupytext.write(made, folder / f"{path.stem}.ipynb")
            names.append(path.stem)
    made.cells = [new_code_cell(DASHBOARD)]
    jupytext.write(made, folder / "dashboard.ipynb")
    return names


@contextlib.contextmanager
def lab(folder):
    """JupyterLab without a browser; yields its address."""
    settings = folder / ".settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(ALL_CELLS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = dict(os.environ, JUPYTERLAB_SETTINGS_DIR=str(folder / ".settings"), MPLBACKEND="agg")
    environ["PYTHONPATH"] = os.pathsep.join([str(BOOK.parent), environ.get("PYTHONPATH", "")])
    environ.pop("STMLAB_BOOK", None)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=",
               "--LabApp.expose_app_in_browser=True", f"--notebook-dir={folder}", "--allow-root"]  # fmt: skip
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            yield ready(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait(60)


def ready(address):
    """Wait until a server answers."""
    for _ in range(240):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api"):
            return address
        time.sleep(0.5)
    raise RuntimeError("JupyterLab did not start")


def run_all(page, address, name):
    """Open a notebook, run its cells and wait until the kernel rests."""
    page.goto(f"{address}/lab/tree/{name}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.isReady", timeout=120_000)
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.ready")
    failed = page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle' &&"
        " ![...document.querySelectorAll('.jp-InputArea-prompt')].some((e) => e.textContent.includes('*'))",
        timeout=600_000)
    if page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]:has-text("Traceback")').count():
        raise RuntimeError(f"{name}: a cell failed ({failed})")
    page.wait_for_timeout(1500)


def moves(page, figure, slider):
    """Times [ms] of moves of one slider, there and back where it is short."""
    times, key = [], "ArrowRight"
    for _ in range(4 * MOVES):
        page.wait_for_timeout(PAUSE)
        took = page.evaluate(MOVE, [figure, slider, key])
        if took is None:  # at the end of the slider
            key = "ArrowLeft" if key == "ArrowRight" else "ArrowRight"
            if not times:
                continue
        else:
            times.append(took)
        if len(times) == MOVES:
            break
    return times


def figures(page, name):
    """Measure every figure of an open notebook; yield their medians."""
    for figure in range(page.locator(".stmx-live").count()):
        inside = "(k) => document.querySelectorAll('.stmx-live')[k].closest('.widget-vbox')"
        count = page.evaluate(f"(k) => ({inside})(k).querySelectorAll('.noUi-handle').length", figure)
        times = [t for slider in range(count) for t in moves(page, figure, slider)]
        median = statistics.median(times)
        print(f"{name:<20} figure {figure + 1}: {count} sliders {median:8.1f} ms median {max(times):8.1f} ms largest"
              f"{'   above the limit' if median > LIMIT else ''}", flush=True)  # fmt: skip
        yield median


def dashboard(page, address):
    """Measure the dashboard; return its median [ms]."""
    run_all(page, address, "dashboard")
    page.wait_for_selector("button:has-text('Render')")
    times = []
    for seed in range(1, 7):  # another sample each time, or there is nothing to draw
        page.get_by_label("seed", exact=True).fill(str(seed))
        page.get_by_label("seed", exact=True).press("Tab")
        times.append(page.evaluate(RENDERED))
        page.wait_for_timeout(500)
    print(f"{'dashboard':<20} first {times[0]:.0f} ms, then {statistics.median(times[1:]):.0f} ms median", flush=True)
    return statistics.median(times[1:])


def main():
    candidates = os.environ.get("STMLAB_CHROMIUM", ""), "chromium", "google-chrome"
    chromium = next(filter(None, map(shutil.which, candidates)))
    folder = Path(tempfile.mkdtemp())
    names, medians = notebooks(folder, tuple(sys.argv[1:]) or ""), []
    with lab(folder) as address, sync_playwright() as p:
        page = p.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]).new_page()
        page.set_viewport_size({"width": 1400, "height": 1000})
        for name in names:
            run_all(page, address, name)
            medians += figures(page, name)
            page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        rendered = dashboard(page, address)
    print(f"load of the machine: {os.getloadavg()[1]:.1f} processes on {os.cpu_count()} cores")
    print(f"{len(medians)} figures: {sum(m <= LIMIT for m in medians)} within {LIMIT} ms; "
          f"dashboard {'within' if rendered <= RENDER else 'above'} {RENDER / 1000:g} s")  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

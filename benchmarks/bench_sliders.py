"""How long each interactive figure of the book takes from a moved slider to a drawn picture.

Every chapter is run once; then each figure is put at settings drawn at random, as a live notebook would: the function
is called, its panels are packed for the canvas. A repeated setting may come from a cache, as it would for a reader.
"""

import contextlib
import io
import os
import statistics
import time
from pathlib import Path

import jupytext
import numpy as np
from IPython.core.interactiveshell import InteractiveShell

from stmlab.interactive.explore import Explore
from stmlab.interactive.live import LiveFigure

BOOK = Path(__file__).resolve().parent.parent / "book"
MOVES = 25


def figures_of(chapter):
    """Run a chapter and collect its figures."""
    seen, keep = [], Explore.__init__

    def remember(self, *args, **kwargs):
        keep(self, *args, **kwargs)
        seen.append(self)

    Explore.__init__ = remember
    try:
        shell = InteractiveShell()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for cell in jupytext.read(chapter).cells:
                if cell.cell_type == "code":
                    shell.run_cell(cell.source, silent=True).raise_error()
    finally:
        Explore.__init__ = keep
    return seen


def milliseconds(figure, rng):
    """Times of moves of one slider at a time, each to another of its settings."""
    live, times = LiveFigure(figure), []
    for _ in range(MOVES):
        key = rng.choice(list(live.sliders))
        widget, grid = live.sliders[key], figure.sliders[key].grid
        others = [value for value in grid if value != widget.value]
        start = time.perf_counter()
        widget.value = others[rng.integers(len(others))]
        times.append(1e3 * (time.perf_counter() - start))
        if live.message.value:
            raise RuntimeError(live.message.value)
    return times


def main():
    os.environ.pop("STMLAB_BOOK", None)
    os.environ["MPLBACKEND"] = "agg"
    os.chdir(BOOK)
    rng, medians = np.random.default_rng(0), []
    for chapter in sorted(BOOK.glob("*.md")):
        for figure in figures_of(chapter):
            times = milliseconds(figure, rng)
            medians.append(statistics.median(times))
            print(f"{chapter.stem:<20}{figure.name:<28}{medians[-1]:8.1f} ms median {max(times):9.1f} ms largest")
    print(f"{len(medians)} figures: {sum(m <= 50 for m in medians)} within 50 ms")


if __name__ == "__main__":
    main()

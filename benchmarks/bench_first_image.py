"""Seconds for `import stmlab` and for the first image of a session, compiled code cached and not.

Each figure is the median of a few fresh processes; the ratio is taken within this run.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

IMAGE = "import stmlab as stm; stm.simulate(stm.Parameters(), seed=1)"


def seconds(code, cache, runs=3):
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as fresh:
            env = os.environ | ({"NUMBA_CACHE_DIR": fresh} if cache == "cold" else {})
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=env)
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    bare = seconds("pass", "warm")
    imported = seconds("import stmlab", "warm") - bare
    cold, warm = seconds(IMAGE, "cold"), seconds(IMAGE, "warm")
    print(f"import stmlab                {imported:6.3f} s (above a bare interpreter's {bare:.3f} s)")
    print(f"first image, nothing cached  {cold:6.2f} s")
    print(f"first image, kernels cached  {warm:6.2f} s ({cold / warm:.1f} x quicker)")


if __name__ == "__main__":
    main()

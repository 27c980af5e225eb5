"""Density of states of one sheet with twelve defects by every method, on the same work, with its error.

Times are the best of a few repeats in this process; ratios and errors (of the largest density) are against
diagonalising. Jackson's kernel is no Gaussian, so the errors of its rows are the difference between the two shapes.
With free edges the sheet is another one (pybinding's matrix is then real), and only the time counts.
"""

import os
import tempfile
import time

import numpy as np

from stmlab.assembly import surroundings, wse2_sheet
from stmlab.parameters import Parameters
from stmlab.structures import add_defects, images, tip, wse2
from stmlab.tightbinding import bias_window, fermi_level, hamiltonian, ldos, model_named, weights
from stmlab.tightbinding.broadening import gaussian
from stmlab.tightbinding.kpm import ldos_kpm
from stmlab.tightbinding.table import Table
from stmlab.tightbinding.tmatrix import _perfect, _table
from stmlab.trajectory import frame, trajectory

CELLS, WIDTH, POTENTIAL = 26, 0.1, 0.3
ENERGIES = np.linspace(-1, 1, 200)


def sheet_of(model, defects=12):
    """26 x 26 periodic cells, a third of the defects vacancies above, a third below, a third dopants."""
    lattice = model_named(model).lattice
    cells = np.random.default_rng(1).choice(CELLS**2, defects, replace=False)
    kinds = {"se-vacancy-top": 1, "se-vacancy-bottom": 2, "dopant-top": 1}
    sites = {kind: 3 * cells[n::3] + layer for n, (kind, layer) in enumerate(kinds.items())}
    return add_defects(wse2((CELLS, CELLS), lattice["a"], lattice["thickness"]), sites, POTENTIAL)


def best(run, repeats=3, before=None):
    times = []
    for _ in range(repeats):
        if before:
            before()
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result


def forget():
    """Drop the tables of Green's functions that are in memory; those on disk stay."""
    for cached in (_perfect, _table, Table._block):
        cached.cache_clear()


def forget_all():
    """Drop those on disk as well."""
    forget()
    os.environ["STMLAB_CACHE"] = tempfile.mkdtemp(dir=os.environ["STMLAB_BENCH"])


def tmatrix(sheet, model):
    """Three times for each precision: nothing there, table on disk, table in memory."""
    for precision in ("double", "single"):

        def run(precision=precision):
            return ldos(sheet, ENERGIES, model, "tmatrix", WIDTH, precision=precision)

        for table, before in (("cold", forget_all), ("from disk", forget), ("in memory", None)):
            yield f"T-matrix, {precision}, table {table}", *best(run, before=before)


def by_pybinding(sheet, double, periodic=True):
    """Jackson's kernel on the same sheet, periodic (then pybinding's matrix is complex) or with free edges (real)."""
    import pybinding as pb
    from scipy.spatial import cKDTree

    a, t = sheet.info["lattice_constant"], sheet.info["thickness"]
    lattice = pb.Lattice(a1=[a, 0], a2=[-a / 2, a * np.sqrt(3) / 2])
    selenium = {"top": [a / 2, a / np.sqrt(12), 0], "bottom": [a / 2, a / np.sqrt(12), -t]}
    lattice.add_sublattices(("W", [0, 0, -t / 2]), *selenium.items())
    lattice.add_hoppings(*((cell, "W", layer, 1.19) for layer in selenium for cell in ([0, 0], [-1, 0], [-1, -1])))
    shift = CELLS // 2 * np.array([a / 2, a * np.sqrt(3) / 2, 0])  # pybinding counts cells from the middle
    at = cKDTree(np.array(sheet.info["defect_position"]) - shift)
    missing = np.array(["vacancy" in kind for kind in sheet.info["defect_kind"]])

    def hits(x, y, z, those):
        distance, which = at.query(np.column_stack([x, y, z]))
        return (distance < 0.1) & those[which]

    @pb.site_state_modifier
    def vacancies(state, x, y, z):
        state[hits(x, y, z, missing)] = False
        return state

    @pb.onsite_energy_modifier
    def dopants(energy, x, y, z):
        energy[hits(x, y, z, ~missing)] += POTENTIAL
        return energy

    extras = [pb.translational_symmetry(a1=CELLS * a, a2=CELLS * a)] if periodic else []
    extras += [pb.force_double_precision()] if double else []
    model = pb.Model(lattice, pb.primitive(CELLS, CELLS), vacancies, dopants, *extras)
    row = cKDTree(sheet.positions - shift).query(np.column_stack(model.system.positions))[1]
    kpm, everything = pb.kpm(model, silent=True), pb.rectangle(1e4, 1e4)
    seconds, rho = best(lambda: kpm.calc_spatial_ldos(ENERGIES, WIDTH, everything).data.T, repeats=1)
    return seconds, rho[np.argsort(row)]


def methods(sheet):
    """Name, seconds and density of states (N, E) of every method, diagonalising first."""
    yield "diagonalising", *best(lambda: ldos(sheet, ENERGIES, broadening=WIDTH), repeats=2)
    yield from tmatrix(sheet, "single-orbital")
    yield "KPM, numba", *best(lambda: ldos(sheet, ENERGIES, method="kpm", broadening=WIDTH), repeats=2)
    h = hamiltonian(sheet)
    yield "KPM, SciPy", *best(lambda: ldos_kpm(h, ENERGIES, WIDTH, gaussian, compiled=False), repeats=1)
    yield "KPM, numba, Jackson", *best(lambda: ldos_kpm(h, ENERGIES, WIDTH), repeats=2)
    yield "KPM, SciPy, Jackson", *best(lambda: ldos_kpm(h, ENERGIES, WIDTH, compiled=False), repeats=1)
    try:
        yield "KPM, pybinding, Jackson, double", *by_pybinding(sheet, double=True)
        yield "KPM, pybinding, Jackson, single", *by_pybinding(sheet, double=False)
        for double, precision in ((True, "double"), (False, "single")):
            yield f"the same, {precision}, free edges", *by_pybinding(sheet, double, periodic=False)
    except ImportError:
        print("pybinding is not installed")


def under_frame(parameters):
    """The sheet of one default image, and its atoms that can carry current there."""
    path = trajectory(frame(parameters), parameters)
    sheet = wse2_sheet(parameters, path, 0, 0)
    low, high = surroundings(path, parameters.junction.height, 3.0)
    return sheet, np.unique(images(sheet.positions, sheet.cell, sheet.pbc, low, high)[0])


def weights_of(model, precision, bias):
    """Weights of all pairs of atoms of sheet and tip for one image, integrated over the window of one bias."""
    sheet, only = under_frame(Parameters().set({"sample.model": model}))
    (energy, factor), zero = bias_window(bias), fermi_level(model)
    needle = ldos(tip("111", dull=1), energy - bias, "tungsten-single-orbital", "kpm", 0.3, only=range(3))

    def run():
        rho = ldos(sheet, energy + zero, model, "tmatrix", WIDTH, only=only, precision=precision)
        return weights(rho, needle, factor)

    return *best(run, repeats=20), len(sheet.info["defect_kind"])


def row(name, seconds, ratio="", error=""):
    print(f"{name:<42}{1e3 * seconds:>10.1f} ms{ratio:>10}{error:>12}")


def main():
    ldos(add_defects(wse2((3, 3)), {"dopant-top": [1]}), [0.0], method="kpm")  # compile
    sheet = sheet_of("single-orbital")
    print(f"{len(sheet)} atoms, {len(ENERGIES)} energies, {WIDTH} eV; speed and largest error against diagonalising")
    dense = shown = None
    for name, seconds, rho in methods(sheet):
        dense, shown = (rho, seconds) if dense is None else (dense, shown)
        row(name, seconds, f"{shown / seconds:.1f} x", f"{np.abs(rho - dense).max() / dense.max():.1e}")
    sheet = sheet_of("fang-2015")
    print(f"\nfang-2015, {len(hamiltonian(sheet, 'fang-2015').indptr) - 1} orbitals")
    for name, seconds, _ in tmatrix(sheet, "fang-2015"):
        row(name, seconds)
    print("\nweights of one default image, integrated over the window, table in memory")
    for model, bias in (("single-orbital", 0.5), ("fang-2015", 1.2)):
        for precision in ("double", "single"):
            seconds, pairs, count = weights_of(model, precision, bias)
            row(f"{model}, {precision}, {pairs.shape[0]} x {pairs.shape[1]}, {count} defects", seconds)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STMLAB_BENCH"] = folder
        main()

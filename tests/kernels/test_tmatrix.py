import numpy as np
import pytest

from stmlab.structures import add_defects, wse2
from stmlab.tightbinding.table import pristine_green
from stmlab.tightbinding.tmatrix import bloch_matrices, green_diagonal, problem


@pytest.mark.parametrize(("dtype", "error"), [(np.complex128, 1e-13), (np.complex64, 2e-5)])
@pytest.mark.parametrize("model", ["single-orbital", "fang-2015"])
def test_agrees_with_numpy(model, dtype, error):
    """A number of sites that is no multiple of the lanes; missing atoms and shifted ones."""
    sheet = add_defects(wse2((7, 5)), {"se-vacancy-top": [1, 22], "dopant-bottom": [8], "w-vacancy": [30]})
    h = bloch_matrices(wse2(), model, (7, 5))
    green = np.stack([pristine_green(h, z).astype(dtype) for z in (0.1 + 0.2j, -0.4 + 0.2j)])
    p = problem(sheet, model)
    fast, plain = (green_diagonal(green, p.kept, p.defect, p.shift, compiled) for compiled in (True, False))
    assert fast.dtype == plain.dtype == dtype
    np.testing.assert_allclose(fast, plain, rtol=0, atol=error * np.abs(plain).max())


def test_nothing_is_added_without_defects():
    h = bloch_matrices(wse2(), "single-orbital", (3, 3))
    p = problem(wse2((3, 3)), "single-orbital")
    green = pristine_green(h, 0.3j)[None]
    np.testing.assert_array_equal(green_diagonal(green, p.kept, p.defect, p.shift)[0, :3], green[0, 0, 0].diagonal())

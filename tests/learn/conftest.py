"""Tiny images for tests of learning."""

import pytest

import stmlab
from stmlab.parameters import Parameters, SameAs, Study, Uniform

SIZE = 16
STUDY = Study(
    Parameters().set({"raster.pixels": SIZE, "raster.lines": SIZE, "defects.se_vacancy_top": 0.02}),
    {"raster.width": Uniform(10, 20), "raster.height": SameAs("raster.width")},
    name="tiny",
)


@pytest.fixture(autouse=True)
def one_thread():
    """Keep to one core, and put the number of threads back."""
    import torch  # each module skips where there is none

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A dataset of 60 images of 16 x 16 pixels."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny.zarr"
    return stmlab.generate(STUDY, 60, 5, folder, workers=1, progress=False, chunk=20)

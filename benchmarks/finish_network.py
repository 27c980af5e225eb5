"""Fix the scores and the threshold of a network on held-out simulated frames; the last step of its recipe.

    python benchmarks/finish_network.py TRAINED.safetensors HELD.zarr OUT.safetensors

See ``data/networks/README.md`` for the steps before. No measured image is used.
"""

import argparse
from pathlib import Path

from stmlab.dataset import open_dataset
from stmlab.learn import calibrate, load_model, save_model

REAL = """\
Learned from simulated frames of 4 to 50 nm alone, painted shapes under the whole instrument, resampled to 1.25 Å and
treated like published 8-bit pictures. It marks dark and bright spots 1 to 3 nm wide, and no lattice: its first
channel is empty. In bright clusters it may mark one several times, and weak depressions that experts leave out count
as defects to it. Its score is the share of right detections in simulated frames, not in measured ones."""


def main():
    """Calibrate, describe and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained")
    parser.add_argument("held")
    parser.add_argument("out")
    said = parser.parse_args()
    model = load_model(said.trained)
    model.card["detection"] = calibrate(model, open_dataset(said.held), progress=True)
    if Path(said.out).stem == "real":
        model.card["limits"] = REAL
    save_model(model, said.out)
    print({name: value for name, value in model.card["detection"].items() if name not in ("summit", "right")})


if __name__ == "__main__":
    main()

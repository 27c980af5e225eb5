"""Fix the scores and the threshold of the network ``real`` on held-out simulated frames; the last step of its recipe.

    python benchmarks/finish_real.py TRAINED.safetensors HELD.zarr OUT.safetensors

See ``score_real.py`` for the steps before. No measured image is used.
"""

import argparse

from stmlab.dataset import open_dataset
from stmlab.learn import calibrate, load_model, save_model

LIMITS = """\
Learned from simulated frames of 3 to 40 nm alone, resampled to 1 Å and treated like published 8-bit pictures. It
marks dark and bright spots 1 to 3 nm wide. Of faint bright halos it finds few, in bright clusters it may mark one
several times, and weak depressions that experts leave out count as defects to it. Its score is the share of right
detections in simulated frames, not in measured ones. The lattice channel was trained on pixels of 1 Å alone."""


def main():
    """Calibrate, describe and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained")
    parser.add_argument("held")
    parser.add_argument("out")
    said = parser.parse_args()
    model = load_model(said.trained)
    model.card["detection"] = calibrate(model, open_dataset(said.held), progress=True)
    model.card["limits"] = LIMITS
    save_model(model, said.out)
    print({name: value for name, value in model.card["detection"].items() if name not in ("summit", "right")})


if __name__ == "__main__":
    main()

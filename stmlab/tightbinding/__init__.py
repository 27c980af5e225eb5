"""From atoms to the density of states that tunnelling sees."""

from .hamiltonian import hamiltonian
from .ldos import broaden, ldos, spectrum
from .models import MODELS, Model, model_named
from .weights import bias_window, weights

__all__ = [
    "MODELS", "Model", "bias_window", "broaden", "hamiltonian", "ldos", "model_named", "spectrum", "weights",
]  # fmt: skip

"""From atoms to the density of states that tunnelling sees."""

from .bands import bands, bloch_hamiltonian, dos
from .hamiltonian import hamiltonian
from .ldos import broaden, ldos, spectrum
from .models import Model, load_model, model_named, model_names
from .weights import bias_window, weights

__all__ = [
    "Model", "bands", "bias_window", "bloch_hamiltonian", "broaden", "dos", "hamiltonian", "ldos", "load_model",
    "model_named", "model_names", "spectrum", "weights",
]  # fmt: skip

"""From atoms to the density of states that tunnelling sees."""

from .bands import bands, bloch_hamiltonian, dos
from .fermi import band_edges, fermi_level
from .hamiltonian import hamiltonian
from .ldos import best_method, broaden, ldos, spectrum
from .models import Model, load_model, model_named, model_names
from .weights import bias_window, weights

__all__ = [
    "Model", "band_edges", "bands", "best_method", "bias_window", "bloch_hamiltonian", "broaden", "dos", "fermi_level",
    "hamiltonian", "ldos", "load_model", "model_named", "model_names", "spectrum", "weights",
]  # fmt: skip

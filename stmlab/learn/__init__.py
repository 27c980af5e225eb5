"""Training a network on simulated images, and measuring how good it is. The only part of stmlab that needs PyTorch."""

try:
    import torch  # noqa: F401
    from safetensors import safe_open  # noqa: F401
except ImportError as error:
    raise ImportError(f"stmlab.learn needs {error.name}, which is missing: pip install 'stmlab[learn]'") from None

from .calibrate import calibrate, detections
from .checkpoint import read_log
from .data import Mixed, Stored, Streaming, ahead, shared
from .detect import candidates, detect
from .evaluate import Evaluation, evaluate
from .images import normalise, patch, published, resample
from .metrics import Sums, bootstrap, mse, pixel_sums, r2, smooth_l1, variance
from .models import ModelError, load_model, save_model
from .peaks import peaks
from .rate import RangeTest, cosine, lr_range_test, one_cycle
from .scoring import Score, match, match_boxes, score
from .segment import segment
from .step import LOSSES, train_step
from .train import train
from .unet import UNet

__all__ = [
    "LOSSES", "Evaluation", "Mixed", "ModelError", "RangeTest", "Score", "Stored", "Streaming", "Sums", "UNet", "ahead",
    "bootstrap", "calibrate", "candidates", "cosine", "detect", "detections", "evaluate", "load_model", "lr_range_test",
    "match", "match_boxes", "mse", "normalise", "one_cycle", "patch", "peaks", "pixel_sums", "published", "r2",
    "read_log", "resample", "save_model", "score", "segment", "shared", "smooth_l1", "train", "train_step", "variance",
]  # fmt: skip

"""Labelled images by the thousand: made in chunks, written so that a run can stop at any moment, read lazily."""

from .plan import DatasetError
from .reader import Dataset, open_dataset
from .run import generate
from .samples import ATTEMPTS, LATER, index_of, make_chunk

__all__ = ["ATTEMPTS", "LATER", "Dataset", "DatasetError", "generate", "index_of", "make_chunk", "open_dataset"]

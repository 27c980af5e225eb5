"""The atoms: WSe2 sheets with point defects, and tungsten apexes, as `ase.Atoms` [Å].

Everything that ASE can view or write stays that way: bookkeeping lives in ``atoms.arrays`` and in plain entries
of ``atoms.info``.
"""

from .point_defects import DEFECTS, add_defects, defects, draw_defects, draw_depths
from .sheet import BOTTOM, METAL, TOP, images, wse2
from .tips import TUNGSTEN_A, tip, tip_named, turned

__all__ = [
    "BOTTOM", "DEFECTS", "METAL", "TOP", "TUNGSTEN_A", "add_defects", "defects", "draw_defects", "draw_depths",
    "images", "tip", "tip_named", "turned", "wse2",
]  # fmt: skip

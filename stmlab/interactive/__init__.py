"""Sliders that are live in a notebook and precomputed in the rendered book.

`explore` takes a function that returns data panels and one `Slider` per argument. Importing this
package loads NumPy and nothing heavier: widgets and matplotlib come when a figure is displayed.
"""

# The functions share their names with the modules that hold them, so they are bound here and now: a lazy
# lookup would hand out the function once and the module ever after.
from stmlab.interactive.dashboard import dashboard
from stmlab.interactive.explore import explore
from stmlab.interactive.panels import Image, Lines
from stmlab.interactive.sliders import Slider

__all__ = ["Image", "Lines", "Slider", "dashboard", "explore"]

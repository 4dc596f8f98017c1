"""The explorers of the chapters, for Jupyter: each is a picture above its controls.

The picture is a pure function of the controls' values, and is replaced in place as they move. Where no kernel runs, the
output shows the picture as it was when the cell was executed; the book has the explorer as a sheet of pictures made
beforehand, see `Explorer.still`.
"""

from minivae.course.explorers.base import FRAMES, STILL, Explorer, values
from minivae.course.explorers.capacity import CapacityExplorer, shares_table
from minivae.course.explorers.densities import ChannelExplorer, ElboExplorer, OverlapExplorer
from minivae.course.explorers.pixels import GAP, ZOOM, draw, png, png_pixels, rows_picture
from minivae.course.explorers.traversals import CompareExplorer, TrainingExplorer, TraversalExplorer

__all__ = [
    "FRAMES", "GAP", "STILL", "ZOOM", "CapacityExplorer", "ChannelExplorer", "CompareExplorer", "ElboExplorer",
    "Explorer", "OverlapExplorer", "TrainingExplorer", "TraversalExplorer", "draw", "png", "png_pixels", "rows_picture",
    "shares_table", "values",
]  # fmt: skip

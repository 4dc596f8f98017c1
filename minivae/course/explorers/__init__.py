"""The explorers of the chapters: a drawing above its controls, computed in the page.

The same JavaScript serves JupyterLab (by anywidget) and the book, where no kernel runs. Readers without JavaScript see
the drawing as it was when the cell was executed.
"""

from minivae.course.explorers.base import STILL, Explorer, choice, slider
from minivae.course.explorers.capacity import CapacityExplorer
from minivae.course.explorers.charts import (
    ChannelExplorer,
    ElboExplorer,
    OverlapExplorer,
    TiltedEllipseExplorer,
    TwelveCodesExplorer,
    WaterLevelExplorer,
)
from minivae.course.explorers.models import CompareExplorer, TrainingExplorer, TraversalExplorer

__all__ = [
    "STILL", "CapacityExplorer", "ChannelExplorer", "CompareExplorer", "ElboExplorer", "Explorer", "OverlapExplorer",
    "TiltedEllipseExplorer", "TrainingExplorer", "TraversalExplorer", "TwelveCodesExplorer", "WaterLevelExplorer",
    "choice", "slider",
]  # fmt: skip

"""minivae: the small library behind the course on why β-VAE disentangles.

Each module here holds one idea, and its docstring names the chapter that teaches it. They follow the flow of the data:
factors → images → posterior → sample → reconstruction → nats. `engine` has what a long training needs besides, `course`
what only the chapters use. What is in `__all__` can be imported from here.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "vae": ("VAE", "Encoder", "Decoder"),
    "generator": ("FactorGenerator",),
    "objectives": ("ELBO", "BetaELBO", "CapacityELBO", "LinearSchedule", "PolylineSchedule"),
    "lagrangian": ("LagrangianELBO",),
    "total_correlation": ("TotalCorrelationELBO",),
    "datasets": ("Arrays", "Blobs", "Chairs", "ColouredSprites", "Sprites"),
    "experiment": ("Experiment",),
    "metrics": ("mig", "dci", "sap", "factorvae_score", "betavae_score", "infomec", "udr", "measure"),
    "engine.trainer": ("train", "TrainingError", "TrainingInterrupted"),
    "engine.runs": ("Run",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [*_HOME, "experiments", "metrics"]


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: PyTorch takes seconds, and `--help` should not."""
    if name in _HOME:
        return getattr(importlib.import_module(f"minivae.{_HOME[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"minivae.{name}")
    raise AttributeError(f"module 'minivae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""How well a code fits the factors behind the data. Taught in chapters 4, 6 and 7."""

from minivae.metrics.alignment import alignment, explained, factor_classes
from minivae.metrics.blobs import (
    GHOST,
    JUMP,
    Fragmentation,
    axis_angles,
    centre_of_light,
    correlations,
    count_blobs,
    fragmentation,
    position_tuning,
)
from minivae.metrics.evaluate import ACTIVE, encode_dataset, mean_kl, measure, traversal
from minivae.metrics.scores import Array, betavae_score, dci, factorvae_score, information, mig, sap

__all__ = [
    "ACTIVE",
    "GHOST",
    "JUMP",
    "Array",
    "Fragmentation",
    "alignment",
    "axis_angles",
    "betavae_score",
    "centre_of_light",
    "correlations",
    "count_blobs",
    "dci",
    "encode_dataset",
    "explained",
    "factor_classes",
    "factorvae_score",
    "fragmentation",
    "information",
    "mean_kl",
    "measure",
    "mig",
    "position_tuning",
    "sap",
    "traversal",
]

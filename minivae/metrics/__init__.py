"""How well a code fits the factors behind the data. Taught in chapters 4, 6, 9 and 11."""

# ruff: noqa: F401
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
from minivae.metrics.evaluate import ACTIVE, encode_dataset, mean_kl, measure, score, traversal
from minivae.metrics.scores import Array, betavae_score, dci, factorvae_score, infomec, information, mig, sap
from minivae.metrics.udr import udr

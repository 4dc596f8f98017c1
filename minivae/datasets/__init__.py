"""Data sets: each gives `factors`, `sample(n, generator) -> (images, factors)` and `render(factors) -> images`.

Rendered data sets make their images on the training device, in batches, from a seed: no file, no loader. `Arrays`
holds pictures of your own.
"""

from minivae.datasets.arrays import Arrays
from minivae.datasets.blobs import Blobs
from minivae.datasets.chairs import Chairs
from minivae.datasets.coloured import ColouredSprites
from minivae.datasets.sprites import Sprites

__all__ = ["Arrays", "Blobs", "Chairs", "ColouredSprites", "Sprites"]

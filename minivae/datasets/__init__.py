"""Data sets: each has the names `factors`, `sample(n, generator) -> (images, factors)` and `render(factors) -> images`.

Images are (n, channels, size, size) in [0, 1]. `sample` draws n ≥ 1 (else ValueError) on the generator's device, or
with PyTorch's global generator; `render` draws on the device of the factors. So data are made from a seed where a
training runs, without files. `Arrays` holds pictures of your own, which are not rendered.
"""

# ruff: noqa: F401
from minivae.datasets.arrays import Arrays
from minivae.datasets.blobs import Blobs
from minivae.datasets.chairs import Chairs
from minivae.datasets.coloured import ColouredSprites
from minivae.datasets.sprites import Sprites

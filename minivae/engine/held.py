"""Pictures kept where they are used: on a GPU, which draws batches without a wait, or drawn once and remembered."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from minivae.datasets import Arrays, Chairs
from minivae.engine.pictures import Pictures


class Held:
    """Pictures (n, channels, size, size), uint8 or float, and what is known of each, drawn as their data set does."""

    def __init__(self, pictures: Tensor, known: Tensor) -> None:
        self.pictures, self.known = pictures, known

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.pick(torch.randint(len(self.pictures), (n,), generator=generator, device=generator.device))

    def pick(self, index: Tensor) -> tuple[Tensor, Tensor]:
        pictures, known = self.pictures.index_select(0, index), self.known.index_select(0, index)
        return (pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures), known


class Remembered(Held):
    """Chairs of a finite set, each drawn when it is first asked for: to draw all of them takes a CPU minutes."""

    def __init__(self, chairs: Chairs) -> None:
        greys = torch.zeros(chairs.number, 1, chairs.size, chairs.size, dtype=torch.uint8)
        super().__init__(greys, chairs.chairs)
        self.there, self.render = torch.zeros(chairs.number, dtype=torch.bool), chairs.render

    def pick(self, index: Tensor) -> tuple[Tensor, Tensor]:
        missing = index[~self.there[index]].unique()
        if len(missing):
            self.pictures[missing] = (255 * self.render(self.known[missing])).round().byte()
            self.there[missing] = True
        return super().pick(index)


def held(dataset: Any, place: torch.device) -> Any:
    """The data set in the form from which a training there draws fastest; itself, if that is it."""
    drawn = isinstance(dataset, Chairs)
    finite = type(dataset) in (Arrays, Pictures) or (drawn and dataset.number is not None)
    if not finite or place.type not in (("cpu", "cuda") if drawn else ("cuda",)):
        return dataset
    if place.type == "cuda":
        number = dataset.number if drawn else len(dataset)
        each = dataset.held[0].element_size() if isinstance(dataset, Arrays) else 1
        if number * dataset.channels * dataset.size**2 * each > torch.cuda.mem_get_info(place)[0] / 2:
            return dataset  # half of the memory is the training's
    return _keep(dataset, place)


@lru_cache(maxsize=1)  # a training that goes on, or the next seed's, finds them there
def _keep(dataset: Arrays | Chairs | Pictures, place: torch.device) -> Held:
    if place.type == "cpu":
        return Remembered(dataset)
    if not isinstance(dataset, Chairs):
        return Held(*(values.to(place) for values in dataset.held))
    known = dataset.chairs.to(place)
    return Held(torch.cat([(255 * dataset.render(some)).round().byte() for some in known.split(4096)]), known)

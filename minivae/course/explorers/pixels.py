"""Pictures of the explorers as pixels: uint8 arrays, grey (height, width) or colour (height, width, 3)."""

import base64
import functools
import io
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from minivae.course.figures import GREY
from minivae.metrics.evaluate import ACTIVE, traversal
from minivae.vae import VAE

ZOOM = 4  # screen pixels per image pixel
GAP = 8  # screen pixels between panels
LIMIT = 3.0  # traversals run over [−LIMIT, LIMIT], as in Figure 2


def png(pixels: np.ndarray) -> bytes:
    """Pixels as a PNG, small: with a bit each where all are black or white."""
    picture, buffer = Image.fromarray(pixels), io.BytesIO()
    if not np.any(pixels % 255) and pixels.ndim == 2:
        picture = picture.convert("1")
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def strip(images: Tensor) -> str:
    """Images (n, 1 or 3, H, W) in [0, 1], one below the other, as the address of a PNG."""
    pixels = np.concatenate([enlarge(image, 1) for image in images])
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode('ascii')}"


def enlarge(image: Tensor, zoom: int = ZOOM) -> np.ndarray:
    """Pixels of an image (1 or 3, H, W) in [0, 1], each repeated zoom × zoom times."""
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).numpy()
    pixels = pixels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def side_by_side(*images: Tensor, zoom: int = ZOOM) -> np.ndarray:
    """Pixels of images (1 or 3, H, W) in [0, 1], enlarged, with a white gap between them."""
    panels = [enlarge(image, zoom) for image in images]
    gap = np.full_like(panels[0][:, :GAP], 255)
    return np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)


def titled(title: str, pixels: np.ndarray) -> np.ndarray:
    """Pixels below a line of text."""
    width = max(pixels.shape[1], 8 + round(_font().getlength(title)))
    canvas = Image.new("L" if pixels.ndim == 2 else "RGB", (width, 28 + len(pixels)), "white")
    ImageDraw.Draw(canvas).text((4, 4), title, "black", _font())
    canvas.paste(Image.fromarray(pixels), (0, 28))
    return np.asarray(canvas)


@torch.no_grad()
def draw(model: VAE, z: Tensor, seed_image: Tensor, latent: int) -> np.ndarray:
    """Pixels of the seed image beside what the decoder draws from z, enlarged; below, a traversal over [−3, 3].

    Args:
        model: a VAE.
        z: one code (latents,).
        seed_image: (channels, H, W) in [0, 1].
        latent: whose traversal.
    """
    values = torch.linspace(-LIMIT, LIMIT, 5)
    drawn, *row = torch.sigmoid(model.decode(torch.cat([z[None], traversal(z, latent, values)])))
    above, below = side_by_side(seed_image, drawn), side_by_side(*row, zoom=1)
    margin = [(GAP, 0), (0, above.shape[1] - below.shape[1]), (0, 0)][: below.ndim]
    return np.concatenate([above, np.pad(below, margin, constant_values=255)])


@torch.no_grad()
def rows_picture(model: VAE, seed_image: Tensor, latents: Sequence[int], kl: Tensor) -> np.ndarray:
    """Pixels of a seed image and its reconstruction; below, a traversal over [−3, 3] of each latent.

    Args:
        model: a VAE.
        seed_image: (channels, 64, 64) in [0, 1]; the traversals start from its code.
        latents: whose traversals, one below the other, each with its KL at the left.
        kl: mean KL of every latent in nats, (latents,).
    """
    side = max(64, seed_image.shape[-1])
    columns, gap, left = 5, 4, 96  # the last two in pixels
    code, _ = model.encode(seed_image[None])
    codes = [traversal(code[0], latent, torch.linspace(-LIMIT, LIMIT, columns)) for latent in latents]
    redrawn, *drawn = torch.sigmoid(model.decode(torch.cat([code, *codes])))
    rows = [("seed and", "redrawn", "black", [seed_image, redrawn])]
    for i, latent in enumerate(latents):
        colour = "black" if kl[latent] > ACTIVE else GREY
        rows.append((f"z{latent}", f"{kl[latent]:.2f} nats", colour, drawn[i * columns : (i + 1) * columns]))
    size = left + columns * (side + gap), len(rows) * (side + gap)
    canvas = Image.new("L" if len(seed_image) == 1 else "RGB", size, "white")
    pen, font = ImageDraw.Draw(canvas), _font()
    for row, (first, second, colour, images) in enumerate(rows):
        top = row * (side + gap)
        pen.text((8, top + 12), first, "black", font)
        pen.text((8, top + 32), second, colour, font)
        for column, image in enumerate(images):
            canvas.paste(Image.fromarray(enlarge(image, side // image.shape[-1])), (left + column * (side + gap), top))
    return np.asarray(canvas)


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont("DejaVu Sans"), 16)

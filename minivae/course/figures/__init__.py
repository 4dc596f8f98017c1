"""Every figure of the chapters as a function that returns a Matplotlib figure."""

from minivae.course.figures.axes import settled_codes, tilted_fits, turning_prices
from minivae.course.figures.blobs import collapse, compass
from minivae.course.figures.capacity import figure_3, frontier, shares, splits
from minivae.course.figures.channel import messages, tilted, turn_ons, water_level
from minivae.course.figures.common import BLUE, DASHES, GREY, ORANGE, PALETTE, image_row, picture_rows
from minivae.course.figures.elbo import elbo_gap, vae_diagram
from minivae.course.figures.growing import ideal_lines, steps_along
from minivae.course.figures.latents import alignments, kl_history, latent_rows, tradeoff, traversals
from minivae.course.figures.posteriors import codes, orders, overlap
from minivae.overlap import right_guesses

__all__ = [
    "BLUE", "DASHES", "GREY", "ORANGE", "PALETTE", "alignments", "codes", "collapse", "compass", "elbo_gap", "figure_3",
    "frontier", "ideal_lines", "image_row", "kl_history", "latent_rows", "messages", "orders", "overlap",
    "picture_rows", "right_guesses", "settled_codes", "shares", "splits", "steps_along", "tilted", "tilted_fits",
    "tradeoff", "traversals", "turn_ons", "turning_prices", "vae_diagram", "water_level",
]  # fmt: skip

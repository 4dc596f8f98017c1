"""Every figure of the chapters as a function that returns a Matplotlib figure."""

from minivae.course.figures.axes import settled_codes, tilted_fits, turning_prices
from minivae.course.figures.blobs import collapse, compass
from minivae.course.figures.capacity import codings, drift, figure_3, frontier, ridge, shares, splits
from minivae.course.figures.channel import messages, tangents, turn_ons, water_level
from minivae.course.figures.common import BLUE, DASHES, GREY, ORANGE, PALETTE, image_row, picture_rows
from minivae.course.figures.elbo import elbo_gap, strip_codes, vae_diagram
from minivae.course.figures.growing import ideal_lines, steps_along
from minivae.course.figures.latents import alignments, kl_history, latent_rows, tradeoff, traversals
from minivae.course.figures.moments import held, least_losses, sprite_moments
from minivae.course.figures.posteriors import codes, exchange, orders, overlap, wall
from minivae.course.figures.readings import readings
from minivae.overlap import right_guesses

__all__ = [
    "BLUE", "DASHES", "GREY", "ORANGE", "PALETTE", "alignments", "codes", "codings", "collapse", "compass", "drift",
    "elbo_gap", "exchange", "figure_3", "frontier", "held", "ideal_lines", "image_row", "kl_history", "latent_rows",
    "least_losses", "messages", "orders", "overlap", "picture_rows", "readings", "ridge", "right_guesses",
    "settled_codes", "shares", "splits", "sprite_moments", "steps_along", "strip_codes", "tangents", "tilted_fits",
    "tradeoff", "traversals", "turn_ons", "turning_prices", "vae_diagram", "wall", "water_level",
]  # fmt: skip

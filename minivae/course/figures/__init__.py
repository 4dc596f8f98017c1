"""Every figure of the chapters as a function that returns a Matplotlib figure."""

# ruff: noqa: F401
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

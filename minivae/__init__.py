"""minivae: the small library behind the course on why β-VAE disentangles.

The modules follow the flow of the data, each taught by the chapter that its docstring names:
factors → images → posterior → sample → reconstruction → nats → Run → figure and widget.
"""

__version__ = "0.1.0"

"""Figure of chapter 6: what each reading of the paper's recipe came to."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from minivae.course.figures.common import PALETTE, grid


def readings(
    trainings: Sequence[tuple[float, float, int]], others: dict[str, Sequence[tuple[float, float]]], goal: float
) -> Figure:
    """Disentangling against what is left to draw, a mark a training.

    Of each its excess as a share of a constant picture's, MIG, and number of factors in a latent of their own. Others:
    label → share and MIG of trainings to compare with, hollow marks. The goal is the MIG of a code with each
    factor in a latent of its own, which stands at an excess of 0.
    """
    figure, ((axis,),) = grid(1, 1, (6.4, 4.0))
    for i, (label, marks) in enumerate(others.items()):
        axis.plot(*zip(*marks, strict=True), "D^v"[i % 3], color="black", markerfacecolor="none", label=label)
    for count in sorted({count for _, _, count in trainings}):
        marks = [(share, mig) for share, mig, own in trainings if own == count]
        label = f"{count or 'no'} factor{'s' * (count != 1)} in latents of their own"
        axis.plot(*zip(*marks, strict=True), "osPXphHd*"[count % 9], color=PALETTE[count % len(PALETTE)], label=label,
                  alpha=0.8, clip_on=False)  # fmt: skip
    axis.plot(0, goal, "*", color="black", markersize=14, clip_on=False, label="each factor in its own, drawn exactly")
    axis.set(xlabel="excess, as a share of that of a constant picture", ylabel="MIG", xlim=(0, 1.1), ylim=(0, 1))
    axis.legend(fontsize=8, loc="upper right")
    return figure

# %% [markdown]
# # Chapter 12 · Train on your own pictures, and judge what you got
#
# You have pictures, perhaps of cells, leaves or galaxies, and want to know what a β-VAE finds in them. Three questions come up every time. How do the pictures get in? Which β or which C should one begin with? (A published value belongs to other pictures.) And what may one conclude when a training is done?
#
# This chapter goes the whole way once, with pictures that we draw. To see it with your own, change one line in section 2.
#
# **By the end you will have shown that**
#
# 1. an array or a folder becomes a data set in one line or one command, and pictures of the wrong kind are refused;
# 2. three numbers can be computed before any training: the floor, which is the best possible loss, the loss of the mean picture, and the collapse threshold, which tells whether a β is far too high;
# 3. a C to begin with comes from a model with a low β;
# 4. with known factors one can measure what each latent holds. Without them one can say how well a model draws and whether a second training finds the same, but not that a latent is a factor;
# 5. a trained model is plain PyTorch, and its file can be read without this library.
#
# **You need** the floor ([chapter 1](01_elbo.ipynb)), the collapse threshold ([chapter 4](04_blob_position.ipynb)), C and β as the price of a nat ([chapter 5](05_capacity_generator.ipynb)), R² and MIG ([chapter 6](06_controlled_capacity.ipynb)).
# **Time:** 53 minutes to read, 30 for exercises, 1 of CPU.

# %% [markdown]
# ## A puzzle before we start
#
# - A friend's PyTorch code *averages* the reconstruction loss over all pixels of a picture of 32 × 32, sums the KL over the latents, and has β = 1. Our code sums over pixels. Which β of ours is the same objective? Will that model encode anything?
# - Our pictures are cartoon faces. Each has five features of five values, so $5 \log 5 = 8.0$ nats say everything about a face. How many nats will a VAE with β = 1 use?

# %%
my_guess_of_beta = None  # the β of ours that is the friend's 1
my_guess_of_nats = None  # the KL of a VAE with β = 1 on the faces

# %% [markdown]
# ## Notation
#
# | symbol | meaning | unit |
# |---|---|---|
# | $N$ | values of a picture: channels × height × width | – |
# | floor | entropy of the pixels of a picture, summed: the loss of a perfect drawing | nats |
# | excess | reconstruction loss minus its floor | nats |
# | $\beta_c$ | collapse threshold: what the first nat is worth; with a higher β, a model that encodes nothing is stable | nats per nat |
# | $C$ | capacity: the KL that a training is to hold | nats |
#
# Losses are **sums over pixels and latents and means over the batch, in nats**. The symbols of the whole course are in
# [NOTATION.md](NOTATION.md).

# %%
import tempfile
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from minivae import metrics
from minivae.collapse import collapse_threshold
from minivae.course import figures
from minivae.course.cells import compare, table, watch
from minivae.course.checks import check
from minivae.course.explorers import TraversalExplorer
from minivae.datasets import Arrays
from minivae.engine.imports import Pictures, import_pictures
from minivae.engine.runs import Run
from minivae.engine.trainer import train
from minivae.experiment import Experiment
from minivae.lagrangian import LagrangianELBO
from minivae.objectives import BetaELBO, LinearSchedule, bernoulli_floor

# %% [markdown]
# ## 1. From an array
#
# In place of your pictures we draw faces. A face has five features: where it looks, how it smiles, how wide its eyes are, how dark its skin is, and how much hair it has. Each feature has five values.

# %%
FEATURES = ("turn", "smile", "eyes", "skin", "hair")


def face(turn, smile, eyes, skin, hair, size=32):
    """A grey cartoon face, size × size bytes; the features in [0, 1]."""
    picture = Image.new("L", (192, 192), 255)
    pen = ImageDraw.Draw(picture)
    middle, half_eye, bow = 68 + 56 * turn, 5 + 17 * eyes, 44 * (smile - 0.5)
    pen.ellipse((24, 40 - 36 * hair, 168, 150), 30)  # hair
    pen.ellipse((36, 40, 156, 188), int(225 - 90 * skin))
    for x in (middle - 28, middle + 28):
        pen.ellipse((x - 17, 92 - half_eye, x + 17, 92 + half_eye), 0)
    along = np.linspace(-1, 1, 29)
    mouth = [(middle + 36 * t, 148 + bow * (0.5 - t * t)) for t in along]
    pen.line(mouth, 0, 13)
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


every_face = np.indices((5, 5, 5, 5, 5)).reshape(5, -1).T  # (3125, 5)
levels = np.random.default_rng(0).permutation(every_face)
images = np.stack([face(*(row / 4)) for row in levels])
figures.image_row(torch.from_numpy(images[:8, None]) / 255)
plt.show()

# %% [markdown]
# *Figure 12.1. Eight of the faces, 32 × 32 pixels, grey. They differ in five features.*
#
# `Arrays` makes a data set of an array of NumPy or PyTorch. It takes
#
# | what | which |
# |---|---|
# | shape | (n, H, W) grey; (n, 1 or 3, H, W); (n, H, W, 1 or 3) |
# | values | bool, bytes from 0 to 255 (`uint8`), or floats from 0 to 1; 1 is white |
# | side | the model wants 32, 64 or 128: `scale_to=32` scales square pictures, `pad_to=32` puts black around (28 × 28, say) |
# | factors, names | what is known of each picture, (n, factors); may be left out |
#
# Print it, and it says how it has read the array. Read that line once, because a wrong order of axes shows here. (The digest is a checksum of the pictures. By it a saved run recognises them.)

# %% tags=["nbval-ignore-output"]
faces = Arrays(images[300:], levels[300:], FEATURES)
unseen_faces = Arrays(images[:300], levels[:300], FEATURES)  # not trained on
print(faces)

# %% [markdown]
# Arrays of a wrong kind are refused. The message says what is wrong:

# %%
wrong = {
    "numbers up to 255, as floats": images.astype(np.float32),
    "mean 0, variance 1": (images - images.mean()) / images.std(),
    "not square": images[:, :, 2:],
    "whole numbers of 32 bits": images.astype(np.int32),
}
for what, array in wrong.items():
    try:
        Arrays(array)
    except ValueError as error:
        print(f"{what}:\n    {error}")

# %% [markdown]
# Pictures normalised to mean 0 and variance 1, as classifiers want them, are a usual mistake. A Bernoulli decoder models a pixel as a probability, so a pixel must lie in [0, 1].
#
# ## 2. From a folder
#
# Real folders contain copies, broken files, and files that are no pictures. So the folder that we make has one of each. To take your own pictures, put the path of their folder in place of `None`: a folder with its subfolders, or a zip or tar file. (The `r` before the quotation marks keeps the backslashes of Windows as they are.) What the text says of faces then does not hold, and is not checked.

# %%
own = None  # or r"~/pictures", or r"C:\Users\me\pictures.zip"
# for the files of this chapter; gone when the machine restarts
out = Path(tempfile.mkdtemp())

# %%
if own is None:
    source = out / "faces"
    source.mkdir(exist_ok=True)
    for number in range(400):
        picture = Image.fromarray(face(*(levels[number] / 4), size=160))
        picture.save(source / f"{number:04d}.png")
    (source / "copy of 0000.png").write_bytes((source / "0000.png").read_bytes())
    (source / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 the rest was lost")
    (source / "notes.txt").write_text("no picture")
else:
    source = Path(own).expanduser()
report = import_pictures(
    "folder", source, out / "pictures.h5", progress=False, overwrite=True
)
print(f"{report.pictures} pictures")
print("the same twice:", [copy for copy, _ in report.duplicates])
print("not readable:", [name for name, _ in report.unreadable])
print("no pictures by their names:", report.others)

# %% [markdown]
# On the command line the same is
#
#     python -m minivae data import folder PATH --out pictures.h5
#
# Pictures are turned as their camera noted (EXIF), cut to the largest central square and reduced to 64 × 64, in colour; `channels=1` (`--channels 1`) makes them grey. Files that agree byte for byte are taken once. Near-duplicates, such as a burst of photographs, are not noticed. What cannot be read is named. What does not look like a picture is passed over and counted, HEIC and RAW files among it: convert those first. `chairs` or `celeba` in place of `folder` reads a published archive ([data/README.md](../data/README.md)).
#
# `Pictures` reads the file from the disk as pictures are asked for, so it may be larger than your memory. Train on it directly at 64 × 64. For a first look, take some thousand of them into memory at 32 × 32, where a step takes less time:

# %%
pictures = Pictures.open(out / "pictures.h5")
order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
some, _ = pictures.pick(order[:5000])
held_back = max(1, len(some) // 10)
if own is None:
    mine, unseen = faces, unseen_faces
else:
    mine = Arrays(some[held_back:], scale_to=32)
    unseen = Arrays(some[:held_back], scale_to=32)
print(f"{len(mine):,} pictures to train on, {len(unseen):,} held back")

# %% [markdown]
# A tenth of the pictures is held back. Without them you could not tell a model that has learnt your pictures by heart.
#
# The rest of the chapter trains on `mine`. Of your own pictures these are the ones from the file. Of the faces they are the array of section 1, in which no face comes twice. The folder's 400 serve the import, and the next section's first table.

# %% tags=["checks"]
# what is said above, checked
if own is None:
    assert report.pictures == 400 and len(report.duplicates) == 1
    assert len(report.unreadable) == 1 and report.others == 1
    assert pictures.channels == 3 and pictures.size == 64
    for array, said in zip(
        wrong.values(), ("[0, 1]", "[0, 1]", "square", "uint8"), strict=True
    ):
        try:
            Arrays(array)
        except ValueError as error:
            assert said in str(error)
        else:
            raise AssertionError("an array of the wrong kind was taken")

# %% [markdown]
# ## 3. Compute three numbers before any training
#
# - The **floor** is the loss of a perfect drawing. Grey pixels cost nats even then ([chapter 11](11_chairs.ipynb), section 2).
# - A model that encodes nothing can at best **always draw the mean picture**. All that a code can save lies between this loss and the floor.
# - The **collapse threshold** $\beta_c$ is what the first nat is worth ([chapter 4](04_blob_position.ipynb)).
#
# We take them for the pictures of the folder, once at 64 × 64 and once scaled to 32 × 32. The folder is read in colour, so every pixel has three values, even of a grey face:


# %%
def before_training(pictures):
    """The three numbers, of a thousand pictures."""
    x, _ = pictures.sample(1000, torch.Generator().manual_seed(0))
    mean = x.mean(0, keepdim=True)
    lowest, highest = bernoulli_floor(x).mean(), bernoulli_floor(mean)[0]
    return {
        "side": x.shape[-1], "N": x[0].numel(), "floor": lowest.item(),
        "mean picture": highest.item(), "between": (highest - lowest).item(),
        "β_c": collapse_threshold(x),
    }  # fmt: skip


rows = [before_training(Arrays(some)), before_training(Arrays(some, scale_to=32))]
table(rows, digits=0)

# %% [markdown]
# **What you should see.** The floor, the loss of the mean picture and $\beta_c$ grow with the number of values. Four times as many values have some four times the threshold. The KL of a code does not grow, because a face has the same features at any size. So **a β belongs to a size of pictures**. β = 4 on 64 × 64 pictures is about β = 1 on the same pictures at 32 × 32, and a published β says little before you compare it with the $\beta_c$ of your pictures.
#
# The friend's mean over pixels is an extreme case. To divide the reconstruction by $N$, and not the KL, is to multiply β by $N$:
#
# $$ \tfrac1N\, \text{reconstruction} + 1 \cdot \mathrm{KL} \;=\; \tfrac1N \bigl( \text{reconstruction} + N \cdot \mathrm{KL} \bigr) . $$
#
# Now the pictures to train on. The faces there are grey, so $N = 32 \times 32 = 1024$, and their numbers are about a third of those in colour:

# %%
numbers = before_training(mine)
for what in ("floor", "between", "β_c"):
    print(f"{what}: {numbers[what]:.0f}")
compare("the friend's β, in ours", my_guess_of_beta, numbers["N"], digits=0)

# %% [markdown]
# That is far above $\beta_c$. A short training (one seed) shows what follows:

# %% tags=["nbval-ignore-output"]
friend = Experiment("friend", mine, BetaELBO(float(numbers["N"])), steps=100)
collapsed = train(friend, progress=False)
print(f"KL after 100 steps: {collapsed.mean_kl(50).sum():.4f} nats")

# %% [markdown]
# The model encodes nothing, as $\beta_c$ predicted. At best it would always draw the mean picture.

# %% tags=["checks"]
# what is said above, checked
if own is None:
    assert 3.3 < rows[0]["β_c"] / rows[1]["β_c"] < 5
    assert rows[0]["N"] == 4 * rows[1]["N"]
    assert numbers["N"] == 1024 and 40 < numbers["β_c"] < 80
    assert 270 < numbers["floor"] < 300 and 80 < numbers["between"] < 105
    assert collapsed.mean_kl(50).sum() < 0.02

# %% [markdown]
# ## 4. Choose a β or a C to begin with
#
# **β.** Begin with 1, a plain VAE. It encodes whatever saves more than one nat of reconstruction for a nat of KL, so it shows how well this model can draw your pictures. Then multiply β by two to four at a time. At a higher β a nat of KL must save more, so fewer latents stay in use. Stop well below $\beta_c$. (A rule of thumb.)
#
# **C.** The paper raises C to "a value large enough to produce good quality reconstructions". Its first author told [a reader](https://github.com/1Konny/Beta-VAE/issues/8) how to find one: train with a β so low that reconstructions are good, and take the mean KL of that model.
#
# Both begin with the same training. We watch it:

# %% tags=["nbval-ignore-output"]
plain = Experiment("plain", mine, BetaELBO(1.0), steps=600, learning_rate=1e-3)
low_beta = watch(plain, steps=plain.steps, every=200)

# %% [markdown]
# *Figure 12.2. KL of each latent of the plain VAE (colours and dashes, logarithmic axis) during its training. Three latents hold some two nats each almost from the start, and two more join them after about step 350. Below the grey line a latent counts as inactive. (`mean_kl(100)` below is the mean over the last 100 steps.)*


# %% tags=["nbval-ignore-output"]
def excess(run, dataset):
    """Mean reconstruction loss above the floor, in nats."""
    _, _, loss, floor, _ = metrics.encode_dataset(run.model(), dataset, 1000)
    return loss - floor


wanted = float(low_beta.mean_kl(100).sum())
compare("KL with β = 1", my_guess_of_nats, wanted, "nats", digits=1)
print(f"excess: {excess(low_beta, mine):.0f} nats")
print(f"excess of unseen pictures: {excess(low_beta, unseen):.0f} nats")

# %% [markdown]
# So C may end near this KL (one seed). It is no sharp number, because a longer training may find more that is worth a nat.
#
# To name the five features exactly takes 8.0 nats. A VAE's KL can lie on either side of that, for two reasons. It leaves out what is worth less than a nat. And a Gaussian code needs more than $\log 5$ nats to tell five values apart ([chapter 2](02_awgn_channel.ipynb)).

# %% tags=["checks"]
# what is said above, checked
if own is None:
    assert 5 < wanted < 12
    assert 5 < excess(low_beta, mine) < 35
    assert abs(excess(low_beta, mine) - excess(low_beta, unseen)) < 6

# %% [markdown]
# ## 5. Train with that C
#
# We raise C from 0 to this value over the first 600 of 900 steps. β is a Lagrange multiplier: it rises while the KL is above C, and falls while it is below ([chapter 8](08_missed_split.ipynb)). `gain` says how fast: while the KL misses C by a nat, log β changes by this much at every step. β starts at half of $\beta_c$, so the first nat saves twice its price, and few others save theirs. A second seed is for section 8.

# %% tags=["nbval-ignore-output"]
ramp = LinearSchedule(0.0, round(wanted), 0, 600)
at_first = min(numbers["β_c"] / 2, 1000.0)  # β may not be larger
hold_C = LagrangianELBO(ramp, gain=0.015, beta=at_first)
careful = Experiment("careful", mine, hold_C, steps=900, learning_rate=1e-3)
run = watch(careful, steps=careful.steps, every=300)

# %% [markdown]
# *Figure 12.3. The same while C rises, up to step 600. The latents rise above 1 nat one after another, and five hold nearly all nats in the end.*

# %%
again = train(careful, seed=1, progress=False)

# %% tags=["nbval-ignore-output"]
rows = []
for title, one in (("β = 1", low_beta), ("C", run), ("C, seed 1", again)):
    kl = one.mean_kl(100)
    rows.append({
        "training": title, "KL": float(kl.sum()),
        "latents above 0.1": int((kl > 0.1).sum()),
        "excess": excess(one, mine), "of unseen": excess(one, unseen),
    })  # fmt: skip
table(rows, digits=1)

# %% [markdown]
# **What you should see.** The KL is at C, 9 nats. As with β = 1, five latents hold most of it. Unseen faces are drawn as well as the others, so nothing was learnt by heart. (Two seeds with C, one with β = 1.)
#
# These trainings are short. For your own pictures take some 20,000 steps for the low β (`steps=20_000`), then a ramp over the first half of 50,000, at 64 × 64 about three hours on two cores. With a thousand pictures and that many steps, a network can learn them by heart: the excess keeps falling, but that of unseen pictures rises. Then take more pictures, or fewer steps. What makes long trainings better is in [chapter 10](10_training_that_goes_on.ipynb).

# %% tags=["checks"]
# what is said above, checked
if own is None:
    for row in rows[1:]:
        assert abs(row["KL"] - round(wanted)) < 0.6
        assert abs(row["excess"] - row["of unseen"]) < 6 and row["excess"] < 40
    for one in (low_beta, run, again):
        kl = np.sort(one.mean_kl(100))
        assert kl[-5:].sum() > 0.8 * kl.sum()

# %% [markdown]
# ## 6. Look at traversals
#
# A traversal changes one latent from −3 to 3 and leaves the others as they are. Each latent has a row:

# %% tags=["nbval-ignore-output"]
seen, _ = mine.sample(256, torch.Generator().manual_seed(3))
figures.latent_rows(run.model(), seen, rows=5, columns=9, title="KL held at C")
plt.show()

# %% [markdown]
# *Figure 12.4. First two rows: originals and reconstructions. Then the five latents with most nats, each changed from −3 to 3 in the code of the first original.*

# %% tags=["nbval-ignore-output"]
TraversalExplorer(run)

# %% [markdown]
# **Try this.** Drag a slider from end to end and name what changes.
#
# 1. Which latent moves the hair? Does it move anything else?
# 2. Which latent turns the face? Does it do nothing else?
# 3. Can you make the face smile? Choose a seed image that smiles, and look at its reconstruction.
#
# <details><summary>Answers</summary>
#
# 1. The first latent, $z_6$, moves the hair from low to high, and little else.
# 2. No latent turns the face all the way. $z_3$ moves eyes and mouth to one side and $z_0$ to the other, from the middle each. $z_2$ turns this face too, but changes the skin with it, and over all faces it tells little of the turn.
# 3. No latent makes the face smile, and the reconstruction of a smiling face has a blurred or a straight mouth. After so few steps the model has not found it.
#
# This is the training stored here. Yours may differ, because processors round differently. The next section puts numbers to your names.
#
# </details>
#
# ## 7. Measure, if factors are known
#
# Perhaps you know something about some of your pictures: a label, an angle, the batch they came from. Then give it to `Arrays` as `factors`, (pictures, factors), in whole numbers, because the scores need classes. We know five features. R² is the share of a feature's variance that one latent explains ([chapter 6](06_controlled_capacity.ipynb)). We cut the latent into five bins, as many as a feature has values, and predict the feature by its mean in the bin. "All" is what the best linear function of all latents explains.


# %% tags=["nbval-ignore-output"]
def codes_of(run, x):
    """Posterior means of pictures, (n, latents), the most nats first."""
    by_nats = run.mean_kl(100).argsort()[::-1].copy()
    with torch.no_grad():
        return run.model().encode(x)[0][:, by_nats]


if own is None:
    x, features = mine.sample(3000, torch.Generator().manual_seed(4))
    features, codes = features.float(), codes_of(run, x)
    inputs = torch.cat([codes, torch.ones(len(codes), 1)], 1)
    fit = inputs @ torch.linalg.lstsq(inputs, features).solution
    held = {}
    for i, name in enumerate(FEATURES):
        r2 = metrics.explained(codes, features[:, [i]], bins=5)
        left = (features[:, i] - fit[:, i]).var() / features[:, i].var()
        numbered = {f"no. {k + 1}": r2[k].item() for k in range(5)}
        held[name] = {"feature": name, **numbered, "all": 1 - left.item()}
    table(list(held.values()))

# %% [markdown]
# **What you should see.** (Latent no. 1 is the one with most nats.) One latent holds the hair and little else. Turn, skin and eyes are known too, but each is spread over several latents. None holds the smile, and a linear function of all explains almost nothing of it. Why hair and not the smile? Hair changes many pixels, the mouth's bow changes few, so a nat about hair is worth much more. A VAE finds first *what changes much of the picture*. Whether that is what you care about is another matter.
#
# All scores, of 2,000 pictures:

# %% tags=["nbval-ignore-output"]
if own is None:
    scores = metrics.measure(run.model(), mine, points=2000)
    for name, score in scores.items():
        print(f"{name:20} {score:.3g}")

# %% [markdown]
# `mig` ([chapter 6](06_controlled_capacity.ipynb)) is of posterior means, 20 bins, all factors; `--mig-samples`, `--mig-without` and `--mig-nats` change that on the command line. (`active` counts latents above 0.01 nats, so it is more than the five above 0.1.)
#
# <details><summary>The other scores</summary>
#
# | score | what it asks |
# |---|---|
# | `mig_own_bins` | MIG with as many bins as a factor has classes |
# | `dci_…`, `factorvae`, `betavae`, `sap` | see [chapter 9](09_factors_or_moments.ipynb) |
# | `modularity` | does a latent tell of one factor only? |
# | `compactness` | is a factor in one latent only? |
# | `explicitness` | can the factors be read from the code by a linear classifier? |
# | `excess_error` | the excess's standard error, in nats |
#
# All but the last are at most 1. Modularity, compactness and explicitness are of Hsu et al. 2023, *Disentanglement via latent quantization*.
#
# </details>
#
# The command line takes the scores of 10,000 pictures, from two files:

# %%
run.save(out / "careful.h5", overwrite=True)
if own is None:
    known = {"images": images[300:], "factors": levels[300:], "names": FEATURES}
    np.savez(out / "mine.npz", **known)

# %% [markdown]
# In the folder that `print(out)` names:
#
#     python -m minivae measure careful.h5 --data mine.npz

# %% tags=["checks"]
# what is said above, checked
if own is None:
    best = {
        name: max(row[f"no. {k + 1}"] for k in range(5))
        for name, row in held.items()
    }
    assert best["hair"] > 0.85 and best["turn"] > 0.35 and best["smile"] < 0.3
    assert held["turn"]["all"] > 0.5 and held["skin"]["all"] > 0.6
    assert held["smile"]["all"] < 0.3
    change = {}
    for i, name in enumerate(FEATURES):  # one feature changes, the others do not
        low, high = (
            [value if i == k else 0.5 for k in range(5)] for value in (0.25, 0.75)
        )
        change[name] = np.abs(face(*low).astype(float) - face(*high)).sum()
    assert change["hair"] > 2 * change["smile"] < change["skin"]
    in_use = (run.mean_kl(100) > 0.1).sum()
    assert 0.1 < scores["mig"] < 0.25 and scores["active"] > in_use

# %% [markdown]
# ## 8. What you may conclude if no factor is known
#
# Usually nothing is known. Then there is no MIG. What is left?
#
# **You can say** how well the model draws (the excess, of unseen pictures), how many nats it uses and in which latents, and what the traversals show, as an impression.
#
# **You can also ask whether a second training finds the same.** For each latent of the first training we take the largest correlation, in absolute value, with a latent of the second:

# %% tags=["nbval-ignore-output"]
x, _ = mine.sample(3000, torch.Generator().manual_seed(4))
first, second = codes_of(run, x), codes_of(again, x)
both = torch.cat([first, second], 1).T.corrcoef()
between = both[: first.shape[1], first.shape[1] :].abs()
kl, kl_again = (np.sort(one.mean_kl(100))[::-1] for one in (run, again))
rows = []
for latent in range((kl > 0.1).sum()):  # an inactive one is noise
    row = {"latent": f"no. {latent + 1}", "KL": float(kl[latent])}
    row["largest correlation"] = between[latent].max().item()
    row["with no."] = between[latent].argmax().item() + 1
    row["KL there"] = float(kl_again[row["with no."] - 1])
    rows.append(row)
table(rows)

# %% [markdown]
# **What you should see** (stored trainings). The latent of the hair comes back with another seed, and no. 2 to 4 nearly do. No. 5, with more than a nat, seems to come back in a latent that is hardly in use there. So look at the KL before you count a latent as found ([chapter 6](06_controlled_capacity.ipynb)). A latent that comes back with every seed belongs to the pictures and the method. One that does not is an accident of the seed. (Two seeds are few, so take five. Duan et al. 2020 make a score of this.)
#
# **You cannot say** that a latent *is* a factor of the world, even if it comes back. The chairs' trainings agree on the spread of the ink, which is no factor ([chapter 11](11_chairs.ipynb)). You cannot say that a feature without a latent is not in the pictures, because the smile is. And you cannot say that the code is "disentangled". A model with a turned code has the same likelihood. What prefers one set of axes is the diagonal posterior ([chapter 7](07_why_these_axes.ipynb)), not knowledge about your pictures. Locatello et al. (2019) prove that without assumptions on data or model no method can find the factors. So if the answer matters, label a few hundred pictures.

# %% tags=["checks"]
# what is said above, checked
if own is None:
    assert max(row["largest correlation"] for row in rows) > 0.8
    for one in (run, again):
        assert metrics.explained(codes_of(one, x), features[:, [4]]).max() > 0.8

# %% [markdown]
# ## 9. Take the model with you
#
# A run file holds settings, history and weights, not your pictures. To explore it later, give the pictures again. `run.model()` is an `nn.Module`:

# %%
loaded = Run.load(out / "careful.h5", data=mine)
model = loaded.model()
with torch.no_grad():
    mean, log_std = model.encode(x[:4])
    drawn = torch.sigmoid(model.decode(mean))
print(isinstance(model, nn.Module), tuple(mean.shape), tuple(drawn.shape))

# %% [markdown]
# The file is HDF5, so it can be read without this course. Here is the encoder in plain PyTorch, the paper's with one convolution less because the pictures have 32 pixels a side:

# %%
with h5py.File(out / "careful.h5") as file:
    weights = {name: torch.tensor(w[()]) for name, w in file["weights"].items()}
channels = weights["encoder.net.0.weight"].shape[1]
encoder = nn.Sequential(
    nn.Conv2d(channels, 32, 4, 2, 1), nn.ReLU(),
    nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(),
    nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(),
    nn.Flatten(),
    nn.Linear(512, 256), nn.ReLU(),
    nn.Linear(256, 256), nn.ReLU(),
    nn.Linear(256, 20),
)  # fmt: skip
prefix = "encoder.net."
encoder.load_state_dict({
    name.removeprefix(prefix): w for name, w in weights.items() if prefix in name
})  # fmt: skip
with torch.no_grad():
    plain_mean, plain_log_std = encoder(x[:4]).chunk(2, dim=1)
same = torch.allclose(plain_mean, mean, atol=1e-4)
print("plain PyTorch gives the same code:", same)

# %% tags=["checks"]
# what is said above, checked
assert same and torch.allclose(plain_log_std, log_std, atol=1e-4)

# %% [markdown]
# Other programs take the model from
#
#     python -m minivae export careful.h5 --onnx mine.onnx --weights mine.pt
#
# `--onnx` needs `pip install onnx onnxscript`; `mine.pt` is for `torch.load`. Codes of another program get section 7's scores, a row a picture in either file:
#
#     python -m minivae measure codes.csv --factors factors.csv
#
# ## 10. What usually goes wrong, and how to see it
#
# | what | how to see it |
# |---|---|
# | The loss is a mean over pixels. | The first reconstruction loss should be of the size of $N \log 2$; a mean shows something like 0.7. |
# | β is from pictures of another size. | Compare it with `collapse_threshold(images)`: above it nothing is encoded, a little below it almost nothing. |
# | Latents are inactive. | `run.mean_kl()` below 0.01 nats. A few of ten are fine. If all ten are, β is above $\beta_c$, or the loss is a mean over pixels. |
# | Pictures are not in [0, 1]. | `images.min(), images.max()`. `Arrays` and `train` refuse them; in other code the loss becomes negative. |
# | The KL is a mean over latents. | The KLs of the latents must add up to the reported KL. |
# | The floor was forgotten. | `bernoulli_floor(images).mean()`: subtract it before you compare losses. |
# | The pictures were learnt by heart. | The excess of unseen pictures is above that of the others, and rises. |
#
# You can run these checks as a cell after any training:

# %% tags=["nbval-ignore-output"]
x, _ = mine.sample(1000, torch.Generator().manual_seed(5))
history, kl = low_beta.history, low_beta.mean_kl(100)
table([
    {"check": "first loss over N log 2 (about 1)",
     "value": float(history["reconstruction"][0] / (numbers["N"] * np.log(2)))},
    {"check": "β over β_c (below 1)", "value": 1 / numbers["β_c"]},
    {"check": "smallest pixel (0 or more)", "value": x.min().item()},
    {"check": "largest pixel (1 or less)", "value": x.max().item()},
    {"check": "inactive latents (not all)", "value": int((kl < 0.01).sum())},
    {"check": "excess, unseen minus seen (about 0)",
     "value": excess(low_beta, unseen) - excess(low_beta, mine)},
])  # fmt: skip

# %% tags=["checks"]
# what is said above, checked
first_loss = history["reconstruction"][0] / (numbers["N"] * np.log(2))
assert own is not None or 0.7 < first_loss < 1.7

# %% [markdown]
# ## 11. Exercises
#
# Put your answer in place of `None` and run the cell. Two digits of a number are enough, and three of what a function returns; tensors, NumPy arrays and lists will all do. Solutions, and wrong answers that the checks must refuse, are in
# [solutions/12_your_own_pictures](solutions/12_your_own_pictures.ipynb).
#
# **12.1** (easy, 5 min) Someone's code averages the reconstruction loss over all values of a colour picture of 64 × 64 pixels, sums the KL over latents, and has β = 0.002. Which β of ours is that? *Hint: section 3; a colour picture has three values a pixel.*

# %%
answer = None
check("12.1", answer)

# %% [markdown]
# **12.2** (medium, 10 min) Write `found_again(first, second)`: codes of the same n pictures by two trainings, (n, a) and (n, b). For each latent of the first return the largest correlation, in absolute value, with a latent of the second: (a,). *Hint: a latent may come back with its sign turned.*

# %%
answer = None  # def answer(first, second): ...
check("12.2", answer)

# %% [markdown]
# **12.3** (medium, 15 min) Four trainings on one set of pictures, with β = 1, 4, 16 and 64, end with a KL of 20, 15, 13 and 9 nats and an excess of 30, 42, 62 and 70 nats. What was a nat worth, on the mean, from each training to the next? Three numbers, in nats per nat. Then say which of them cannot be if every training has found the best model for its β, and why. *Hint: write down that the first model is at least as good as the second at β = 1, and the second at least as good as the first at β = 4.*

# %%
answer = None  # three numbers
check("12.3", answer)

# %% [markdown]
# **12.4** (open, a night of computing) Import a folder of your own pictures. Train on `Pictures.open("pictures.h5")` in place of `mine`: first with β = 1, to find C, then with that C for 50,000 steps and two seeds. Give `train` a file, `out="mine-seed0.h5"`, and it saves the run about once a minute. Before you look: which latent would you have named? Which of them came back? No check here: this is an experiment.

# %% [markdown]
# ## Summary
#
# - `Arrays(images)` for an array, `python -m minivae data import folder` for files. Hold some pictures back.
# - Before training compute the floor and $\beta_c$. Both grow with the size of pictures, so a β belongs to a size; a mean over pixels multiplies β by $N$.
# - Begin with β = 1. Its KL is the C to begin with.
# - With known factors measure R² and `python -m minivae measure RUN --data mine.npz`. Without them report excess, KL and what comes back with other seeds, and do not say that a latent is a factor.
# - A VAE finds first what changes much of the picture.
#
# **Readings.** Locatello et al. 2019, *Challenging common assumptions in the unsupervised learning of disentangled representations*. Duan et al. 2020, *Unsupervised model selection for variational disentangled representation learning*. Liu et al. 2015, *Deep learning face attributes in the wild* (CelebA; `python -m minivae data import celeba`).

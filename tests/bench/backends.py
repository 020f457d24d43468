"""This project (CTranslate2 int8 through the server) against transformers float32 called one text at a time.

    python -m tests.bench.backends [--shape nllb-600m | gemma-3-270m] [--batch-sizes 32 4] [--folder KEPT]

Builds a checkpoint of the shape's real size with random weights, imports it, and runs both sides in processes of their
own over the same texts, first one and then the other; this project's once for each of `--batch-sizes`, which is the
server's `max_batch_sequences`. With random weights no output ends, so that each has the length of its cap. Tokens per
second are the produced tokens over the wall time, and memory is the peak (VmHWM) of each process. Ends with the ratios.
Writes bench-results/backends-SHAPE.json. What it builds stays in `--folder` for the next run. Needs 8 GB of memory and
6 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch
import transformers

from kunnafoni.cli.local_server import local_server
from kunnafoni.client import Client
from kunnafoni_models.importing.checkpoint_import import ImportRequest, import_checkpoint
from kunnafoni_models.importing.checkpoint_profile import ImportHints
from tests.bench.start import peak_mb
from tests.models.tiny_tokenizers import gemma_tokenizer, nllb_tokenizer, sentences

RESULTS = Path("bench-results")
# The popular servers call `generate` with one text, in float32, with the checkpoint's own search; greedy here.
PLAIN = """
import json, sys, time
import torch, transformers
transformers.logging.set_verbosity_error()
folder, texts, tokens, code = json.loads(sys.stdin.readline())
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
kind = transformers.AutoModelForSeq2SeqLM if code else transformers.AutoModelForCausalLM
model = kind.from_pretrained(folder, dtype=torch.float32).eval()
forced = {"forced_bos_token_id": tokenizer.convert_tokens_to_ids(code)} if code else {}
def run(text):
    inputs = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        model.generate(**inputs, **forced, num_beams=1, min_new_tokens=tokens, max_new_tokens=tokens)
    return tokens
run(texts[0])
started = time.monotonic()
made = sum(run(text) for text in texts)
elapsed = time.monotonic() - started
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024 / 1e6
print(json.dumps({"tokens_per_s": made / elapsed, "peak_mb": peak}))
"""


def _random(model: Any) -> None:
    """Weights that give answers without loops: the token that comes next depends on all that came before."""
    cast("Any", torch).manual_seed(0)
    for weight in model.parameters():
        if weight.dim() > 1:
            weight.data.normal_(std=0.05)


def nllb_600m(folder: Path) -> None:
    """The shape of facebook/nllb-200-distilled-600M."""
    tokenizer = nllb_tokenizer(folder)
    config = transformers.M2M100Config(
        vocab_size=256_206,
        d_model=1024,
        encoder_layers=12,
        decoder_layers=12,
        encoder_attention_heads=16,
        decoder_attention_heads=16,
        encoder_ffn_dim=4096,
        decoder_ffn_dim=4096,
        max_position_embeddings=1024,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
    )
    model: Any = transformers.M2M100ForConditionalGeneration(config)
    _random(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def gemma_270m(folder: Path) -> None:
    """The shape of google/gemma-3-270m."""
    tokenizer = gemma_tokenizer()
    config = transformers.Gemma3TextConfig(
        vocab_size=262_144,
        hidden_size=640,
        intermediate_size=2048,
        num_hidden_layers=18,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=256,
        max_position_embeddings=32_768,
        sliding_window=512,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    model: Any = transformers.Gemma3ForCausalLM(config)
    _random(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


SHAPES = {
    "nllb-600m": (nllb_600m, "fra_Latn", ImportHints()),
    "gemma-3-270m": (gemma_270m, "", ImportHints((("en", "fr"),), translate="{source_name}: {text}\n{target_name}:")),
}


def measure_transformers(folder: Path, texts: list[str], tokens: int, code: str) -> dict[str, float]:
    """transformers, one text at a time, in a process of its own."""
    request = json.dumps([str(folder), texts, tokens, code]) + "\n"
    done = subprocess.run([sys.executable, "-c", PLAIN], input=request, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure_server(models_dir: Path, texts: list[str], batch_size: int) -> dict[str, float]:
    """The server, which gets all texts in one call."""
    with (
        patch.dict(os.environ, KUNNAFONI_MAX_BATCH_SEQUENCES=str(batch_size)),
        local_server("--model", "bench", "--models-dir", str(models_dir)) as server,
        Client(server.address, timeout_s=3600) as client,
    ):
        idle_mb = peak_mb(server.process.pid)
        client.translate(texts[:1], source="en", target="fr")
        started = time.monotonic()
        answers = client.translate(texts, source="en", target="fr")
        elapsed_s = time.monotonic() - started
        made = sum(answer.usage.output_tokens for answer in answers)
        return {
            "batch_size": batch_size,
            "tokens_per_s": made / elapsed_s,
            "peak_mb": peak_mb(server.process.pid),
            "idle_mb": idle_mb,
            "tokens": made,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="nllb-600m")
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--plain-texts", type=int, default=4)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 4])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    build, code, hints = SHAPES[options.shape]
    texts = [text.capitalize() for text in sentences(options.texts + 1, seed=1, longest=12)][1:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)) / options.shape
        checkpoint, models_dir = folder / "checkpoint", folder / "models"
        if not (models_dir / "bench.toml").is_file():
            build(checkpoint)
            import_checkpoint(ImportRequest(checkpoint, models_dir, "bench", licence="none", hints=hints))
        served = [measure_server(models_dir, texts, batch_size) for batch_size in options.batch_sizes]
        reference = measure_transformers(checkpoint, texts[: options.plain_texts], 48, code)
    result = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "shape": options.shape,
        "transformers": {name: round(value, 1) for name, value in reference.items()},
        "kunnafoni": [
            {
                **{name: round(value, 1) for name, value in figures.items()},
                "speed_ratio": round(figures["tokens_per_s"] / reference["tokens_per_s"], 2),
                "memory_ratio": round(figures["peak_mb"] / reference["peak_mb"], 2),
            }
            for figures in served
        ],
    }
    print(json.dumps(result, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"backends-{options.shape}.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

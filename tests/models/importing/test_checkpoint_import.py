"""`models import`: what it takes, what it refuses and how it says so, and that nothing half-imported stays."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import safetensors.torch
import torch

from kunnafoni_models import registry
from kunnafoni_models.backend import CatalogError, Decoding, ModelError, ModelFileError, ModelLoadError
from kunnafoni_models.catalog.entry_reader import read_entry
from kunnafoni_models.importing import hub
from kunnafoni_models.importing.checkpoint_import import ImportRequest, import_checkpoint
from kunnafoni_models.importing.checkpoint_profile import ImportHints
from tests.models.tiny_checkpoints import gemma3, tiny
from tests.models.tiny_tokenizers import sentences

ROOT = Path(__file__).parents[3]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny("nllb", tmp_path / "checkpoint")


@pytest.fixture
def import_request(checkpoint: Path, tmp_path: Path) -> ImportRequest:
    return ImportRequest(checkpoint, tmp_path / "models", "mine")


def refused(import_request: ImportRequest, error: type[ModelError], *words: str) -> None:
    """The import fails with a message that holds `words`, and leaves nothing behind."""
    before = set(import_request.models_dir.rglob("*")) if import_request.models_dir.exists() else set[Path]()
    with pytest.raises(error) as caught:
        import_checkpoint(import_request)
    for word in words:
        assert word in str(caught.value)
    assert (set(import_request.models_dir.rglob("*")) if import_request.models_dir.exists() else set[Path]()) == before


@pytest.mark.parametrize("backend", ["auto", "transformers"])
def test_an_imported_model_is_in_the_catalog_and_loads(import_request: ImportRequest, backend: str) -> None:
    made = import_checkpoint(replace(import_request, backend=backend, base="someone/nllb", revision="abc"))
    entry = registry.catalog([import_request.models_dir])["mine"]
    assert entry == replace(made, folder=entry.folder)
    assert entry.folder.resolve() == made.folder.resolve()
    assert entry.backend == ("ctranslate2" if backend == "auto" else backend)
    assert (entry.base, entry.revision) == ("someone/nllb", "abc")
    assert {(each.source, each.target) for each in entry.directions} == {
        (a, b) for a in ("en", "fr", "bm") for b in ("en", "fr", "bm") if a != b
    }
    assert dict(entry.languages) == {"en": "eng_Latn", "fr": "fra_Latn", "bm": "bam_Latn"}
    assert sorted(path.name for path in import_request.models_dir.iterdir()) == ["mine", "mine.toml"]
    loaded = registry.load(entry, device="cpu")
    prompt = loaded.translation_prompt(sentences(1)[0], source="fr", target="bm")
    assert loaded.generate([prompt], Decoding())
    loaded.close()


def test_a_taken_name_is_refused(import_request: ImportRequest) -> None:
    import_checkpoint(import_request)
    refused(import_request, CatalogError, "mine.toml exists", "--as")
    refused(replace(import_request, model_id="Mine!"), CatalogError, "Mine!")


def test_an_entry_that_would_break_the_catalog_is_not_installed(import_request: ImportRequest) -> None:
    refused(
        replace(import_request, hints=ImportHints((("EN", "FR"),), (), {"EN": "eng_Latn", "FR": "fra_Latn"})),
        CatalogError,
        "EN",
    )
    (import_request.checkpoint / "model.safetensors").rename(import_request.checkpoint / "model (1).safetensors")
    odd = replace(import_request, backend="transformers")
    with pytest.raises(ModelError):
        import_checkpoint(odd)
    assert not list(import_request.models_dir.glob("*")) if import_request.models_dir.exists() else True


def test_missing_files(import_request: ImportRequest, tmp_path: Path) -> None:
    refused(replace(import_request, checkpoint=tmp_path / "nowhere"), ModelFileError, "nowhere")
    (import_request.checkpoint / "model.safetensors").unlink()
    refused(import_request, ModelFileError, "model.safetensors is missing", "again")
    (import_request.checkpoint / "config.json").unlink()
    refused(import_request, ModelFileError, "config.json")


def test_a_missing_shard(import_request: ImportRequest) -> None:
    index = {"metadata": {}, "weight_map": {"model.shared.weight": "model-00001-of-00002.safetensors"}}
    (import_request.checkpoint / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(import_request, ModelFileError, "model-00001-of-00002.safetensors is missing")


@pytest.mark.parametrize("backend", ["ctranslate2", "transformers"])
def test_truncated_weights(import_request: ImportRequest, backend: str) -> None:
    weights = import_request.checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    refused(replace(import_request, backend=backend), ModelFileError, "checkpoint", "again")


@pytest.mark.parametrize("backend", ["ctranslate2", "transformers"])
def test_weights_that_are_not_all_there(import_request: ImportRequest, backend: str) -> None:
    config = json.loads((import_request.checkpoint / "config.json").read_text())
    (import_request.checkpoint / "config.json").write_text(json.dumps({**config, "encoder_layers": 3}))
    refused(replace(import_request, backend=backend), ModelFileError, "lack", "layers.2")


def test_a_pickle_needs_leave(import_request: ImportRequest) -> None:
    weights = cast("Any", safetensors.torch).load_file(import_request.checkpoint / "model.safetensors")
    (import_request.checkpoint / "model.safetensors").unlink()
    torch.save(weights, import_request.checkpoint / "pytorch_model.bin")
    refused(import_request, ModelFileError, "pytorch_model.bin is pickled", "--allow-unsafe")
    for backend in ("ctranslate2", "transformers"):
        made = import_checkpoint(replace(import_request, backend=backend, model_id=backend, allow_unsafe=True))
        assert not any(file.name == "pytorch_model.bin" for file in made.files)


def test_code_needs_leave(import_request: ImportRequest) -> None:
    config = json.loads((import_request.checkpoint / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSeq2SeqLM": "modeling_mine.Mine"}
    (import_request.checkpoint / "config.json").write_text(json.dumps(config))
    refused(import_request, ModelFileError, "code", "--allow-unsafe")
    # Code of one's own means a class that CTranslate2 does not know, whatever its name.
    assert import_checkpoint(replace(import_request, allow_unsafe=True)).backend == "transformers"


def test_an_unknown_architecture(import_request: ImportRequest) -> None:
    config = json.loads((import_request.checkpoint / "config.json").read_text())
    (import_request.checkpoint / "config.json").write_text(json.dumps({**config, "model_type": "babelfish"}))
    refused(import_request, ModelLoadError, "babelfish")


def test_a_tokenizer_without_the_language_code(import_request: ImportRequest) -> None:
    hints = ImportHints(directions=(("en", "bm"),), languages={"bm": "bam_Nkoo"})
    refused(replace(import_request, hints=hints), ModelLoadError, "bam_Nkoo", "[languages]")


def test_a_damaged_tokenizer(import_request: ImportRequest) -> None:
    (import_request.checkpoint / "tokenizer.json").write_text("{")
    refused(import_request, ModelFileError, "tokenizer")


def test_the_licence_is_read_or_asked_for(import_request: ImportRequest) -> None:
    card = import_request.checkpoint / "README.md"
    card.write_text("---\nlanguage: fr\nlicense: cc-by-nc-4.0\n---\n")
    licence = import_checkpoint(import_request).licence
    assert (licence.name, licence.non_commercial) == ("cc-by-nc-4.0", True)
    card.write_text("---\nlicense: other\nlicense_name: house-terms\n---\n")
    assert import_checkpoint(replace(import_request, model_id="second")).licence.name == "house-terms"
    card.unlink()
    refused(replace(import_request, model_id="third"), CatalogError, "no licence", "--license")
    named = import_checkpoint(replace(import_request, model_id="third", licence="MIT")).licence
    assert (named.name, named.non_commercial) == ("MIT", False)


def test_what_a_model_does_must_be_known(tmp_path: Path) -> None:
    import_request = ImportRequest(tiny("t5", tmp_path / "t5"), tmp_path / "models", "mine")
    refused(import_request, CatalogError, "--direction", "--summaries")
    import_request = ImportRequest(tiny("gemma3", tmp_path / "gemma"), tmp_path / "models", "mine")
    refused(replace(import_request, hints=ImportHints(directions=(("en", "fr"),))), CatalogError, "--translate-prompt")


def test_a_sliding_window_bounds_prompts_on_ctranslate2(tmp_path: Path) -> None:
    """Known difference: CTranslate2 reads a prompt in one go and there looks back beyond the window's edge."""
    gemma3(tmp_path / "checkpoint", window=200)
    hints = ImportHints((("en", "fr"),), ("en",), translate="{text}", summarize="{article}")
    import_request = ImportRequest(tmp_path / "checkpoint", tmp_path / "models", "narrow", licence="MIT", hints=hints)
    assert import_checkpoint(import_request).limits.summarize_input_tokens < 200
    wide = import_checkpoint(replace(import_request, model_id="wide", backend="transformers"))
    assert wide.limits.summarize_input_tokens > 200


def test_transformers_keeps_the_number_format_that_was_asked_for(import_request: ImportRequest) -> None:
    here = replace(import_request, backend="transformers")
    assert import_checkpoint(replace(here, quantization="bfloat16")).options["dtype"] == "bfloat16"
    assert "dtype" not in import_checkpoint(replace(here, model_id="plain")).options
    refused(replace(here, model_id="small", quantization="int8"), ModelLoadError, "int8", "bfloat16, float16, float32")


def test_a_damaged_model_does_not_load(import_request: ImportRequest) -> None:
    entry = import_checkpoint(import_request)
    path = entry.folder / "model.bin"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.bin is corrupt"):
        registry.load(entry, device="cpu")


@pytest.mark.parametrize(
    "what", ["registry.load(registry.catalog()['kunnafoni-270m'])", "load_model(Path({folder!r}))"]
)
def test_too_little_memory(tmp_path: Path, what: str) -> None:
    """In a process that may take a little more memory than it has, and not what the weights need."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bart"}')
    with (folder / "model.safetensors").open("wb") as weights:
        weights.truncate(10**9)
    code = f"""
import resource
from pathlib import Path
from kunnafoni_models import registry
from kunnafoni_models.backend import ModelLoadError
from kunnafoni_models.backends.transformers_checkpoint import load_model
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))
try:
    {what.format(folder=str(folder))}
except ModelLoadError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert "too little memory" in done.stdout, done.stderr[-2000:]
    assert "MiB are free" in done.stdout


@pytest.mark.parametrize("backend", ["ctranslate2", "transformers"])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(import_request: ImportRequest, backend: str) -> None:
    entry = import_checkpoint(replace(import_request, backend=backend))
    with pytest.raises(ModelLoadError, match=r"mine: .*set the device to cpu"):
        registry.load(entry, device="cuda")


def test_the_hub_is_named_when_it_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFileError, match="someone/nothing cannot be fetched"):
        hub.fetch("someone/nothing")


def test_entries_survive_writing(import_request: ImportRequest) -> None:
    entry = import_checkpoint(import_request)
    again = read_entry(import_request.models_dir / "mine.toml")
    assert replace(again, folder=entry.folder) == entry


@pytest.mark.parametrize("model_id", ["nllb-200-distilled-600m", "opus-mt-en-fr", "mt5-multilingual-xlsum"])
def test_a_model_of_the_catalog_that_is_not_here_says_how_to_get_it(model_id: str) -> None:
    entry = registry.catalog()[model_id]
    with pytest.raises(ModelFileError, match=f"models import {entry.base} --as {model_id}"):
        registry.load(entry, device="cpu")

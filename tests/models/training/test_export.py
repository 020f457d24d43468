"""From a run to models: for transformers, for the server, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
import transformers
from safetensors import SafetensorError

from kunnafoni.v1 import translation_pb2
from kunnafoni_models.catalog.model_files import file_problems
from kunnafoni_models.training import export, hugging_face
from kunnafoni_models.training.encoding import RowEncoder
from kunnafoni_models.training.errors import CheckpointError, ExportError, StartError
from kunnafoni_models.training.export import export_embedded, export_hugging_face
from kunnafoni_models.training.run_folder import read_run
from kunnafoni_models.training.weights import read_weights
from tests.conftest import serve
from tests.models.tiny_checkpoints import gemma3
from tests.models.training.runs import DEV, run, tensors
from tests.models.training.texts import pairs

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.training.corpus import Row

# Its types are not complete.
_MODELS: Any = transformers.AutoModelForCausalLM


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    run(checkpoint, folder, steps=80)
    return folder


def transformers_figure(folder: Path, rows: list[Row]) -> float:
    """What `Outcome.dev_after` says, as transformers computes it."""
    model = _MODELS.from_pretrained(folder).eval()
    encoded = RowEncoder(read_weights(folder)).encode(rows, max_tokens=256)
    total = 0.0
    for number, prompt_length in enumerate(encoded.prompt_lengths):
        tokens = torch.tensor(encoded.tokens[encoded.starts[number] : encoded.starts[number + 1]].astype("int64"))
        with torch.no_grad():
            logits = model(tokens[None, :-1]).logits[0]
        # The end token does not count.
        answer = slice(int(prompt_length), len(tokens) - 1)
        shares = logits[answer.start - 1 : answer.stop - 1].log_softmax(-1)
        total -= shares.gather(1, tokens[answer, None]).sum().item()
    return total / sum(len(row.target) for row in rows)


@pytest.mark.parametrize(("window", "key_heads"), [(512, 1), (8, 1), (512, 2)])
def test_transformers_computes_what_was_trained(tmp_path: Path, window: int, key_heads: int) -> None:
    gemma3(tmp_path / "start", window=window, key_heads=key_heads)
    outcome = run(tmp_path / "start", tmp_path / "run", steps=10, int8_share=0.0)
    export_hugging_face(tmp_path / "run", tmp_path / "model")
    for task, figure in outcome.dev_after.items():
        assert transformers_figure(tmp_path / "model", DEV[task]) == pytest.approx(figure, rel=1e-4)
    again = read_weights(tmp_path / "model")
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in tensors(tmp_path / "run").items())
    assert again.architecture == read_weights(tmp_path / "start").architecture


def test_the_embedded_form_holds_the_weights_to_half_a_step(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PART_BYTES", 20_000)
    entry = export_embedded(trained, tmp_path / "model", name="ours", revision="1")
    assert file_problems(entry) == []
    assert len([file for file in entry.files if file.part_of]) > 2
    assert all(file.bytes <= 20_000 for file in entry.files if file.part_of)
    card = json.loads((entry.folder / "model.json").read_text("utf-8"))
    assert (card["name"], card["revision"], card["parts"][0]) == ("ours", "1", "weights-1.00")
    assert card["trained_tokens"] > 1000
    again = read_weights(entry)
    assert again.architecture == read_run(trained).architecture
    for name, tensor in tensors(trained).items():
        if tensor.dim() == 1:
            assert torch.equal(again.tensors[name], tensor)
        else:
            half_step = tensor.abs().amax(1, keepdim=True) / 254
            assert ((again.tensors[name] - tensor).abs() <= half_step * 1.001 + 1e-9).all()


async def test_a_run_is_served_and_trained_on(tmp_path: Path, trained: Path, checkpoint: Path) -> None:
    entry = export_embedded(trained, tmp_path / "model", name="ours", revision="1")
    english, french = pairs(1)[0]
    async with serve(entry) as served:
        request = translation_pb2.TranslateRequest(
            contents=[english], source_language_code="en", target_language_code="fr"
        )
        answer = (await served.translation.Translate(request)).translations[0]
    assert answer.route[0].model_id == "ours"
    assert answer.text.startswith(french[:10])
    # What is served starts where the run ended: its weights are on the grid that they were trained on.
    further = run(entry, tmp_path / "run", steps=2)
    assert max(further.dev_before.values()) < 1.0
    ended = run(checkpoint, trained, steps=80, resume=True)
    assert further.dev_before == pytest.approx(ended.dev_after, rel=0.01)


def test_a_full_disk_leaves_nothing(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        # As the library says it; it is no OSError.
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(hugging_face, "save_tensors", full)
    with pytest.raises(ExportError, match=r"model cannot be written: .*No space left"):
        export_embedded(trained, tmp_path / "model", name="ours", revision="1")
    assert list(tmp_path.iterdir()) == []


def test_exports_that_cannot_be(tmp_path: Path, trained: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ExportError, match="taken exists: take another folder"):
        export_hugging_face(trained, tmp_path / "taken")
    with pytest.raises(ExportError, match="is no name for a revision"):
        export_embedded(trained, tmp_path / "model", name="ours", revision="../1")
    with pytest.raises(CheckpointError, match="there is no run in"):
        export_hugging_face(tmp_path, tmp_path / "model")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export_hugging_face(trained, tmp_path / "file" / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
    entry = export_embedded(trained, tmp_path / "model", name="ours", revision="1")
    with pytest.raises(StartError, match="is no decoder in CTranslate2's format: give the folder of its checkpoint"):
        run(replace(entry, options={**entry.options, "family": "nllb"}), tmp_path / "run")

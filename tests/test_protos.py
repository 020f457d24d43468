"""The generated code is what the protos say, and the protos keep buf's rules and those of the house."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api.field_behavior_pb2 import FieldBehavior, field_behavior
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).parents[1]
PROTOS = ROOT / "protos"
LONGEST_LINE = 120
FIRST_WORDS = {"REQUIRED": "Required.", "OPTIONAL": "Optional.", "OUTPUT_ONLY": "Output only."}
# Numbers of fields in descriptor.proto, of which the paths of source locations are made.
FILE_MESSAGES, MESSAGE_FIELDS, MESSAGE_MESSAGES = 4, 2, 3


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PROTOS / "generate.py", tmp_path], check=True, capture_output=True, timeout=120)
    made = {path.name: path.read_text() for path in (tmp_path / "kunnafoni" / "v1").iterdir()}
    committed = {path.name: path.read_text() for path in (ROOT / "service" / "kunnafoni" / "v1").glob("*_pb2*")}
    assert made
    assert made == committed


def test_buf_finds_nothing() -> None:
    result = subprocess.run(
        [sys.executable, PROTOS / "check.py"], check=False, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_change_that_breaks_callers_is_found(tmp_path: Path) -> None:
    image = tmp_path / "image.binpb"
    compiled = "import generate; generate.run_protoc('--include_imports', '--include_source_info', "
    code = f"{compiled}'--descriptor_set_out={image}')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROTOS, timeout=120)
    changed = FileDescriptorSet.FromString(image.read_bytes())
    [file] = [file for file in changed.file if file.name == "kunnafoni/v1/translation.proto"]
    [message] = [message for message in file.message_type if message.name == "TranslateResponse"]
    del message.field[0]
    file.ClearField("source_code_info")
    image.write_bytes(changed.SerializeToString())
    code = f"import sys, pathlib, check; sys.exit(not check.check(pathlib.Path('{image}')))"
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=PROTOS, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 1
    assert 'field "1" with name "translations" on message "TranslateResponse" was deleted' in result.stdout


def test_lines_are_not_too_long() -> None:
    for path in PROTOS.glob("kunnafoni/v1/*.proto"):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            assert len(line) <= LONGEST_LINE, f"{path.name}:{number}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """Our protos as protoc reads them, with their comments."""
    image = tmp_path_factory.mktemp("protos") / "image.binpb"
    code = f"import generate; generate.run_protoc('--include_source_info', '--descriptor_set_out={image}')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROTOS, timeout=120)
    return list(FileDescriptorSet.FromString(image.read_bytes()).file)


def fields_of(file: FileDescriptorProto) -> Iterator[tuple[str, FieldDescriptorProto, str]]:
    """The name of the message, the field and its comment, of every field of a file."""
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}

    def walk(message: DescriptorProto, path: tuple[int, ...]) -> Iterator[tuple[str, FieldDescriptorProto, str]]:
        for index, field in enumerate(message.field):
            yield message.name, field, comments.get((*path, MESSAGE_FIELDS, index), "").strip()
        for index, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from walk(nested, (*path, MESSAGE_MESSAGES, index))

    for index, message in enumerate(file.message_type):
        yield from walk(message, (FILE_MESSAGES, index))


def test_every_field_says_who_fills_it_in(files: list[FileDescriptorProto]) -> None:
    seen = 0
    for file in files:
        for message, field, comment in fields_of(file):
            extensions: Any = field.options.Extensions
            behaviors = [FieldBehavior.Name(value) for value in extensions[field_behavior]]
            assert len(behaviors) == 1, f"{message}.{field.name} needs one google.api.field_behavior"
            first_words = FIRST_WORDS[behaviors[0]]
            assert comment.startswith(f"{first_words} "), f"the comment of {message}.{field.name}: {first_words}"
            seen += 1
    assert seen > 100

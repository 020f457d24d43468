"""A content that cannot be translated has an error of its own, and the others of its call are translated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.code_pb2 import Code

from kunnafoni.client import AsyncClient, error_in
from kunnafoni.errors import InvalidInputError, UndetectedLanguageError, UnsupportedPairError
from kunnafoni.v1 import translation_pb2
from kunnafoni_models.catalog.entry import Direction
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from tests.conftest import Served

ENGLISH = "The children go to school in the morning."
GERMAN = "Das ist eine Nachricht aus der Hauptstadt."
TOO_LONG = "a" * 200_001
CONTENTS = [ENGLISH, "", GERMAN, TOO_LONG, " ", ENGLISH]


def request(*contents: str, source: str = "", target: str = "fr") -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=contents, source_language_code=source, target_language_code=target)


async def test_each_bad_content_has_an_error_and_the_others_a_translation(echo: Served) -> None:
    answer = await echo.translation.Translate(request(*CONTENTS), timeout=60)
    assert len(answer.translations) == len(CONTENTS)
    first, empty, german, long, white, last = answer.translations
    assert "CHILDREN" in first.text
    assert last.text == first.text
    assert white.text == " "
    assert not any(each.HasField("error") for each in (first, white, last))
    for place, failed, problem in ((1, empty, "is empty"), (3, long, "200001 code points")):
        error = error_in(failed)
        assert isinstance(error, InvalidInputError)
        [violation] = error.violations
        assert violation.field == f"contents[{place}]"
        assert problem in violation.description
        assert failed.error.code == Code.INVALID_ARGUMENT
    error = error_in(german)
    assert isinstance(error, UndetectedLanguageError)
    assert error.parameters["field"] == "contents[2]"
    assert german.error.code == Code.FAILED_PRECONDITION
    assert german.source_language_code == "und"
    assert german.HasField("detection_confidence")
    for failed in (empty, german, long):
        assert not any((failed.text, failed.segments, failed.route))
        assert not failed.HasField("usage")
        assert not failed.HasField("provenance")


async def test_in_a_stream_the_error_is_in_the_last_message_of_its_content(echo: Served) -> None:
    whole = (await echo.translation.Translate(request(*CONTENTS), timeout=60)).translations
    stream = translation_pb2.TranslateStreamRequest.FromString(request(*CONTENTS).SerializeToString())
    pieces = [piece async for piece in echo.translation.TranslateStream(stream, timeout=60)]
    assert [piece.content_index for piece in pieces] == sorted(piece.content_index for piece in pieces)
    for index, translation in enumerate(whole):
        own = [piece for piece in pieces if piece.content_index == index]
        assert "".join(piece.text for piece in own) == translation.text
        assert [piece.HasField("translation") for piece in own] == [False] * (len(own) - 1) + [True]
        assert own[-1].translation.error == translation.error
        if translation.HasField("error"):
            assert len(own) == 1


@pytest.mark.parametrize("content", ["שלום עולם, هذا خبر.", "ߒߞߏ ߞߊ߲", GERMAN])
async def test_other_languages_are_named_as_not_recognised(echo: Served, content: str) -> None:
    [translation] = (await echo.translation.Translate(request(content), timeout=60)).translations
    assert isinstance(error_in(translation), UndetectedLanguageError)


async def test_a_detected_pair_that_no_model_serves_is_the_content_s_error() -> None:
    entry = echo_entry()
    only_english = replace(entry, directions=(Direction("en", "bm"),))
    async with serve(only_english) as served:
        french = "Les enfants vont à l'école le matin."
        answer = await served.translation.Translate(request(ENGLISH, french, target="bm"), timeout=60)
        translated, failed = answer.translations
        assert translated.text
        assert isinstance(error_in(failed), UnsupportedPairError)
        assert failed.source_language_code == "fr"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.translation.Translate(request(french, source="fr", target="bm"), timeout=60)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION, "the pair that a request names is its own"


async def test_errors_of_contents_speak_french_when_asked(echo: Served) -> None:
    async with AsyncClient(echo.address, language="fr") as client:
        [empty] = await client.translate([""], target="fr")
        [detection] = await client.detect_language([""])
        pieces = [piece async for piece in client.translate_stream([""], target="fr")]
    for each in (empty, detection, pieces[-1].translation):
        error = error_in(each)
        assert error is not None
        assert error.french == "La requête n'est pas valide : contents[0] : est vide"


async def test_a_detection_has_an_error_of_its_own_too(echo: Served) -> None:
    asked = translation_pb2.DetectLanguageRequest(contents=[ENGLISH, "", TOO_LONG, ""])
    english, *failed = (await echo.translation.DetectLanguage(asked, timeout=60)).detections
    assert english.language_code == "en"
    assert error_in(english) is None
    assert [each.error.code for each in failed] == [Code.INVALID_ARGUMENT] * 3
    assert {each.language_code for each in failed} == {""}

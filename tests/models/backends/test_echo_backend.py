from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding, InputTooLongError, ModelError, ModelLoadError

if TYPE_CHECKING:
    from kunnafoni_models.backend import Backend, Output
    from kunnafoni_models.catalog.entry import Option

GREEDY = Decoding()


def echo(**options: Option) -> Backend:
    return registry.load(registry.catalog()["echo"], options=options)


def translate(backend: Backend, *texts: str, decoding: Decoding = GREEDY) -> list[Output]:
    return backend.generate([backend.translation_prompt(x, source="en", target="fr") for x in texts], decoding)


def test_it_answers_in_capitals_and_in_order() -> None:
    outputs = translate(echo(), "Good  morning, Bamako.", "2 cars")
    assert [output.text for output in outputs] == ["[en>fr] GOOD  MORNING, BAMAKO.", "[en>fr] 2 CARS"]
    assert not any(output.reached_cap for output in outputs)


def test_it_summarises_in_the_language_of_the_text() -> None:
    backend = echo()
    [output] = backend.generate([backend.summary_prompt("mot " * 100, language="fr")], GREEDY)
    assert output.text == "[fr] " + " ".join(["MOT"] * 30)


def test_it_refuses_what_the_entry_does_not_serve() -> None:
    backend = echo()
    with pytest.raises(ModelError, match="en to en"):
        backend.translation_prompt("a", source="en", target="en")
    with pytest.raises(ModelError, match="bm"):
        backend.summary_prompt("a", language="bm")


def test_a_text_over_the_limit_is_refused_by_its_tokens() -> None:
    backend = echo()
    assert backend.count_tokens("x" * 2000) == 250
    backend.translation_prompt("x" * 2000, source="en", target="fr")
    with pytest.raises(InputTooLongError) as caught:
        backend.translation_prompt("x" * 2001, source="en", target="fr")
    assert (caught.value.tokens, caught.value.max_tokens) == (251, 250)


def test_it_fails_on_request() -> None:
    backend = echo(fail_on="volcano")
    translate(backend, "hill")
    with pytest.raises(RuntimeError, match="told to fail"):
        translate(backend, "hill", "volcano")


def test_it_loops_on_request_with_greedy_decoding_only() -> None:
    backend = echo(loop_on="again")
    [greedy] = translate(backend, "once again")
    [penalised] = translate(backend, "once again", decoding=Decoding(repetition_penalty=1.2))
    assert greedy.reached_cap
    assert set(greedy.text.split()) == {"again"}
    assert penalised.text == "[en>fr] ONCE AGAIN"
    assert not penalised.reached_cap


def test_it_reaches_the_cap_on_request() -> None:
    backend = echo(long_on="tale")
    prompt = replace(backend.translation_prompt("a long tale", source="en", target="fr"), max_output_tokens=9)
    for decoding in (GREEDY, Decoding(beam_size=4)):
        [output] = backend.generate([prompt], decoding)
        assert output.reached_cap
        assert output.tokens == 9


def test_it_reports_short_outputs_first() -> None:
    reported: list[str] = []
    backend = echo()
    prompts = [backend.translation_prompt(text, source="en", target="fr") for text in ("a b c", "a", "a b")]
    backend.generate(prompts, GREEDY, lambda index, output: reported.append(f"{index} {output.text}"))
    assert reported == ["1 [en>fr] A", "2 [en>fr] A B", "0 [en>fr] A B C"]


def test_an_empty_batch_is_nothing() -> None:
    assert echo().generate([], GREEDY) == []


@pytest.mark.parametrize("options", [{"speed": 3}, {"batch_delay_ms": "slow"}, {"fail_on": 3}])
def test_an_unknown_option_is_named(options: dict[str, Option]) -> None:
    with pytest.raises(ModelLoadError, match=next(iter(options))):
        echo(**options)

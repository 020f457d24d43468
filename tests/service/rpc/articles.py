"""Articles for the tests of summaries, and what every edition of them has to keep to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kunnafoni.v1.summarization_pb2 import Edition

HEADLINES = {
    "en": "New school opens in Sikasso",
    "fr": "Une nouvelle école ouvre à Sikasso",
    "bm": "Lakɔli kura dayɛlɛla Sikaso",
}
BODIES = {
    "en": """The minister of education opened a new school in Sikasso on Monday. It has 12 classrooms and a library.

Work took two years and cost 340 million francs. "Our children walked seven kilometres every morning," said Awa \
Sangaré, whose three sons go to the school. The road to the next town was often flooded in August.

The mayor promised a second building before the end of 2027. Teachers will be hired in January.""",
    "fr": """La ministre de l'éducation a ouvert lundi une nouvelle école à Sikasso. Elle compte 12 salles de classe \
et une bibliothèque.

Les travaux ont duré deux ans et ont coûté 340 millions de francs. « Nos enfants marchaient sept kilomètres chaque \
matin », a dit Awa Sangaré, dont les trois fils vont à l'école. La route était souvent inondée en août.

Le maire a promis un second bâtiment avant la fin de 2027. Des enseignants seront recrutés en janvier.""",
    "bm": """Kalanko minisiri ye lakɔli kura dayɛlɛ Sikaso ntɛnɛn don na. Kalanso 12 ani gafemarayɔrɔ bɛ yen.

Baara kɛra san fila kɔnɔ, a musaka bɛ taa miliyɔn 340 la. Awa Sangare ko u denw tun bɛ taama kilomɛtɛrɛ wolonwula \
sɔgɔma o sɔgɔma. Sira tun bɛ fa ji la utikalo la.

Dugutigi ko so filanan bɛna jɔ sanni san 2027 ka ban. Karamɔgɔw bɛna ta zanwuyekalo la.""",
}


def check_key_points(edition: Edition, body: str) -> None:
    """Key points are pieces of the body, where they say they are, in its order."""
    spans = [(point.span.start, point.span.end) for point in edition.key_points]
    assert spans == sorted(set(spans))
    for point in edition.key_points:
        assert body[point.span.start : point.span.end] == point.source_text
        assert point.text.strip()


def check_warnings(edition: Edition) -> None:
    """Every span of a warning lies in the text that it is about."""
    texts = {1: edition.headline, 2: edition.summary}
    for warning in edition.warnings:
        assert warning.detail
        if warning.HasField("span"):
            assert 0 <= warning.span.start < warning.span.end <= len(texts[warning.part])
            assert not warning.source_words
    for point in edition.key_points:
        for warning in point.warnings:
            if warning.HasField("target_span"):
                assert warning.target_span.end <= len(point.text)
            if warning.HasField("source_span"):
                assert warning.source_span.end <= len(point.source_text)

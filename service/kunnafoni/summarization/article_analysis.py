"""What an article holds before any model has seen it: language, sentences, key points, and whether it is too short.

It runs no model and translates nothing. All of it is deterministic, and blocking: up to a second for 20,000 words.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.errors import UndetectedLanguageError
from kunnafoni.languages import UNDETERMINED
from kunnafoni.summarization.ranking import extract, key_points, rank
from kunnafoni.text.language_id import identify
from kunnafoni.text.segments import Segment, SegmentKind, sentences_in, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.text.language_id import Detection

FEWEST_SENTENCES = 2
FEWEST_WORDS = 25
HEADLINE_WORDS = 14
FEWEST_HEADLINE_WORDS = 8
_CLAUSE_END = (",", ";", ":", "–", "—")


@dataclass(frozen=True, slots=True)
class Article:
    """An article as it was sent; `language` is a known code, or None: detect it."""

    headline: str
    body: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Length:
    """Words of a summary: how many it should have about, and how many it never exceeds."""

    aim: int
    most: int


SHORT, MEDIUM, LONG = Length(30, 45), Length(70, 84), Length(150, 180)


@dataclass(frozen=True, slots=True)
class Draft:
    """An article that was read without a model.

    Attributes:
        sentences: The whole sentences of the body, in order; spans count from its beginning.
        distinct: Places in `sentences` of those that repeat none before them.
        key_points: Places in `sentences`, rising.
    """

    headline: str
    body: str
    language: str
    detection: Detection | None
    sentences: tuple[Segment, ...]
    distinct: tuple[int, ...]
    key_points: tuple[int, ...]

    @property
    def texts(self) -> list[str]:
        """The distinct sentences, each on one line."""
        return [on_one_line(self.sentences[place].text) for place in self.distinct]

    @property
    def everything(self) -> str:
        """Headline and body: what a summary may tell."""
        return f"{self.headline}\n\n{self.body}"

    def too_short(self, length: Length) -> bool:
        """Whether there is nothing to summarise: one sentence, too few words, or no more of them than asked for."""
        words = sum(len(text.split()) for text in self.texts)
        return len(self.distinct) < FEWEST_SENTENCES or words < max(FEWEST_WORDS, length.aim + 1)

    def whole(self) -> str:
        """The article itself in place of a summary: its body without the sentences that repeat another.

        What stands between a repeat and the text before it, a list mark too, goes with it; all else stays as it is.
        """
        told = (segment for segment in split(self.body, self.language) if segment.kind is not SegmentKind.GAP)
        ends = sorted({segment.end for segment in (*self.sentences, *told)})
        kept, start = "", 0
        for place in sorted(set(range(len(self.sentences))) - set(self.distinct)):
            repeat = self.sentences[place]
            kept += self.body[start : ends[bisect_right(ends, repeat.start) - 1]]
            start = repeat.end
        return (kept + self.body[start:]).strip() or self.headline


def read(article: Article, *, points: int) -> Draft:
    """Read `article` and choose `points` key points, fewer if it has no more.

    Raises:
        UndetectedLanguageError: its language was not named and is not recognised.
    """
    headline = on_one_line(article.headline)
    text = f"{headline}\n\n{article.body}"
    detection = None if article.language else identify(text)
    language = detection.language_code if detection else article.language or UNDETERMINED
    if detection and language == UNDETERMINED and any(map(str.isalpha, text)):
        raise UndetectedLanguageError("article", language, detection.confidence)
    sentences = tuple(sentences_in(article.body, language))
    first_at = {on_one_line(sentence.text): place for place, sentence in reversed(list(enumerate(sentences)))}
    distinct = tuple(sorted(first_at.values()))
    chosen = key_points([on_one_line(sentences[place].text) for place in distinct], points) if points else []
    return Draft(
        headline, article.body, language, detection, sentences, distinct, tuple(distinct[place] for place in chosen)
    )


def best_extract(sentences: Sequence[str], length: Length) -> list[str]:
    """The best sentences of an article as its summary, in order; the best one alone if none is as short as asked."""
    if places := extract(sentences, length.aim, max_words=length.most):
        return [sentences[place] for place in places]
    ranks = rank(sentences)
    return [sentences[max(range(len(sentences)), key=ranks.__getitem__)]]


def clipped(text: str, max_words: int) -> str:
    """`text`, or its first `max_words` words and an ellipsis if it has more."""
    words = text.split()
    return " ".join(words[:max_words]) + "…" if len(words) > max_words else text


def made_headline(text: str, language: str) -> str:
    """A headline out of the first sentence of `text`: whole if it is short, else up to the end of a clause."""
    first = on_one_line(next((sentence.text for sentence in sentences_in(text, language)), text))
    words = first.split()
    if len(words) <= HEADLINE_WORDS:
        return first.removesuffix(".") if not first.endswith("..") else first
    for count in range(HEADLINE_WORDS, FEWEST_HEADLINE_WORDS - 1, -1):
        if words[count - 1].endswith(_CLAUSE_END):
            return " ".join(words[:count]).rstrip("".join(_CLAUSE_END) + " ")
    return clipped(first, HEADLINE_WORDS)


def on_one_line(text: str) -> str:
    """`text` with every run of white space as one space, none at its ends."""
    return " ".join(text.split())

"""Analyses an article without a model: its language, sentences and key points, and whether it is too short.

It runs no model and translates nothing. Its functions are deterministic and blocking; they take up to a second for
20,000 words.
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

MIN_SENTENCES = 2
MIN_WORDS = 25
MAX_HEADLINE_WORDS = 14
MIN_HEADLINE_WORDS = 8
_CLAUSE_END = (",", ";", ":", "–", "—")


@dataclass(frozen=True, slots=True)
class Article:
    """An article as it was sent; `language` is `en`, `fr` or `bm`, or None if it has to be detected."""

    headline: str
    body: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a summary in words: about how many it should have, and how many it never exceeds."""

    target_words: int
    max_words: int


SHORT, MEDIUM, LONG = Length(30, 45), Length(70, 84), Length(150, 180)


@dataclass(frozen=True, slots=True)
class AnalysedArticle:
    """What is known of an article without a model.

    Attributes:
        headline: On one line; empty if the article has none.
        body: As it was sent.
        language: `en`, `fr`, `bm`, or `und` if the article has no letters.
        detection: How the language was detected; None if it was given.
        sentences: The whole sentences of the body, in order; spans count from its beginning.
        distinct: Indices into `sentences`, rising, without the sentences that repeat an earlier one.
        key_points: Indices into `sentences`, rising.
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
    def full_text(self) -> str:
        """Headline and body: the text that a summary may take its facts from."""
        return f"{self.headline}\n\n{self.body}"

    def too_short(self, length: Length) -> bool:
        """Whether there is nothing to summarise: one sentence, too few words, or no more words than asked for."""
        words = sum(len(text.split()) for text in self.texts)
        return len(self.distinct) < MIN_SENTENCES or words < max(MIN_WORDS, length.target_words + 1)

    def whole(self) -> str:
        """The article itself in place of a summary: its body without repeated sentences; the headline if that is empty.

        A repeated sentence is removed with whatever stands between it and the text before it, such as a list mark.
        Everything else stays as it is.
        """
        segments = (segment for segment in split(self.body, self.language) if segment.kind is not SegmentKind.GAP)
        ends = sorted({segment.end for segment in (*self.sentences, *segments)})
        kept, start = "", 0
        for place in sorted(set(range(len(self.sentences))) - set(self.distinct)):
            repeat = self.sentences[place]
            kept += self.body[start : ends[bisect_right(ends, repeat.start) - 1]]
            start = repeat.end
        return (kept + self.body[start:]).strip() or self.headline


def analyse_article(article: Article, *, points: int) -> AnalysedArticle:
    """Analyse `article` and choose `points` key points, or fewer if it has fewer.

    Raises:
        UndetectedLanguageError: its language was not given and is not recognised.
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
    return AnalysedArticle(
        headline, article.body, language, detection, sentences, distinct, tuple(distinct[place] for place in chosen)
    )


def best_extract(sentences: Sequence[str], length: Length) -> list[str]:
    """Choose the sentences of an extractive summary, in order; the best one alone if none is short enough."""
    if places := extract(sentences, length.target_words, max_words=length.max_words):
        return [sentences[place] for place in places]
    ranks = rank(sentences)
    return [sentences[max(range(len(sentences)), key=ranks.__getitem__)]]


def clipped(text: str, max_words: int) -> str:
    """Cut `text` after `max_words` words and add an ellipsis; a text with no more words is returned unchanged."""
    words = text.split()
    return " ".join(words[:max_words]) + "…" if len(words) > max_words else text


def made_headline(text: str, language: str) -> str:
    """Make a headline from the first sentence of `text`: the whole if it is short, else up to the end of a clause."""
    first = on_one_line(next((sentence.text for sentence in sentences_in(text, language)), text))
    words = first.split()
    if len(words) <= MAX_HEADLINE_WORDS:
        return first.removesuffix(".") if not first.endswith("..") else first
    for count in range(MAX_HEADLINE_WORDS, MIN_HEADLINE_WORDS - 1, -1):
        if words[count - 1].endswith(_CLAUSE_END):
            return " ".join(words[:count]).rstrip("".join(_CLAUSE_END) + " ")
    return clipped(first, MAX_HEADLINE_WORDS)


def on_one_line(text: str) -> str:
    """Replace each run of white space in `text` by one space, and remove it at both ends."""
    return " ".join(text.split())

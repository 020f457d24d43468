"""Masks what belongs to no language inside a sentence, and restores it unchanged in the translation.

- *Words* of no language (addresses, code, placeholders, hashtags, mentions, other scripts) are masked: each is replaced
  by a short token that models copy, so that they read a whole sentence.
- *Marks* (tags, Markdown, emoji, arrows, signs) are removed, and restored beside the same words if the translation has
  them, else after the same share of the sentence.
- Pieces at the beginning or end of the sentence stay there.

Every piece is restored once, in the order of the source. This module knows no models: the caller translates, and asks
for other masks (`attempt`) if some are missing in the translation.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# In 240 sentences of FLORES-200 dev, six directions, a token was put between two words. The embedded model copied it
# exactly once, unchanged, in so many of them: Zx9 198, Z7 194, (1) 188, XQ 187, <1> 181, XYZ 178, X1 176, AB12 171, [1]
# 116, $1 51, {} 44, «1» 7 (2026-12-01).
MASKS = ("Zx{}", "Z{}", "XQ{}")
_MOST_MASKS = 9

_URL_BODY = r"[^\s<>()\"«»“”]+(?:\([^\s()]*\)[^\s<>()\"«»“”]*)*"
_ADDRESS = rf"""
    (?<![\w`])`[^`\r\n]+`(?![\w`])                                 # `code`, not an apostrophe as in l`eau
    | (?:https?|ftp)://{_URL_BODY}
    | (?<![\w.])www\.{_URL_BODY}
    | (?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})+
    | (?-i:(?<![\w.@-])(?:[a-z0-9-]{{1,63}}\.){{1,9}}[a-z]{{2,24}}/)(?:{_URL_BODY})?  # maliweb.net/une-page
"""
_PLACEHOLDER = r"""
    \{\{[^{}\n]{1,80}\}\} | \$?\{[^{}\n]{0,80}\}            # {{ name }}, ${name}, {name}
    | %\(\w{1,40}\)[sdifr] | %\d\$[sdif] | (?<![\w%])%[sdif](?!\w)  # %(name)s, %1$s, %s
    | (?<![\w&])[\#@][^\W\d]\w{1,60}                         # #hashtag, @mention
    | &(?:\#\d{1,7}|\#x[0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});  # &amp;
"""
_ADDRESSES = re.compile(_ADDRESS, re.VERBOSE | re.IGNORECASE)
_WORDS = re.compile(f"{_ADDRESS} | {_PLACEHOLDER}", re.VERBOSE | re.IGNORECASE)
_MARKS = re.compile(
    r"""
    </?[a-zA-Z][\w:.-]{0,40}(?:\s[^<>\n]{0,400})?/?>      # <b>, </b>, <br/>, <a href="...">
    | \]\([^()\s]{1,400}\) | \[(?=[^\[\]\n]{1,200}\]\()   # [text](address)
    | (?<![\w*])\*{1,3}(?=[^\s*]) | (?<=[^\s*])\*{1,3}(?![\w*])
    | (?<!\w)_{1,3}(?=[^\W_]) | (?<=[^\W_])_{1,3}(?!\w)
    | ~~
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r"\w+|[^\w\s]")
# A word with the characters attached to it, but without quotation marks, brackets and punctuation around it.
_CHUNK = re.compile(r"\w\S*\w|\w|[^\w\s]+")
_BRACKETED = re.compile(r"\s*[\[(]([^\[\]()]+)[\])]\s*")
_WORD_CHARACTER = re.compile(r"\w")
_AFTER_ADDRESS = ".,;:!?…'’*_"
_JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")
# Signs that models know as part of words and numbers.
_KNOWN_SIGNS = frozenset("+<=>|~^`¨´¸°$€£¥¢%±×÷©®™")
_LATIN_NAMES = ("LATIN", "MODIFIER", "COMBINING", "FEMININE", "MASCULINE", "MICRO", "FULLWIDTH LATIN", "MATHEMATICAL")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence that belongs to no language: its offsets, and whether it stands for a word."""

    start: int
    end: int
    is_word: bool


def addresses_in(text: str) -> list[tuple[int, int]]:
    """Start and end of each URL, e-mail address and piece of code in `text`, in order."""
    return [_span(match) for match in _ADDRESSES.finditer(text)]


def with_words_hidden(text: str) -> str:
    """Replace addresses and placeholders by letters, so that full stops in them do not end a sentence."""
    return _WORDS.sub(_as_one_word, text)


def _as_one_word(match: re.Match[str]) -> str:
    start, end = _span(match)
    return "x" * (end - start) + match[0][end - start :]


def _span(match: re.Match[str]) -> tuple[int, int]:
    """Start and end of a word, without the punctuation after an address."""
    word = match[0] if match[0].startswith("&") else match[0].rstrip(_AFTER_ADDRESS)
    return match.start(), match.start() + max(1, len(word))


def pieces_in(sentence: str) -> list[Piece]:
    """The parts of `sentence` that belong to no language, in order, without overlap; in linear time."""
    found: list[Piece] = []
    found += (Piece(*_span(match), is_word=True) for match in _WORDS.finditer(sentence))
    found += (Piece(*match.span(), is_word=False) for match in _MARKS.finditer(sentence))
    found += _symbols_in(sentence)
    done = 0
    kept: list[Piece] = []
    for piece in sorted(found, key=lambda piece: (piece.start, -piece.end)):
        if piece.start >= done:
            kept.append(piece)
            done = piece.end
    return kept


def _symbols_in(sentence: str) -> Iterator[Piece]:
    """Runs of symbols, emoji with their modifiers, and words of other scripts."""
    if sentence.isascii():
        return
    start, before = 0, ""
    for index, character in enumerate((*sentence, " ")):
        kind = _kind(character)
        if kind == before or (kind == "joiner" and before):
            continue
        if before in {"symbol", "script"}:
            yield Piece(start, index, is_word=before == "script")
        start, before = index, kind


def _kind(character: str) -> str:
    if character < "\u00a1":
        return ""
    if character in _JOINERS or "\U0001f3fb" <= character <= "\U0001f3ff" or "\U000e0020" <= character <= "\U000e007f":
        return "joiner"
    category = unicodedata.category(character)
    if category in {"So", "Sm", "Sc", "Co"}:
        return "" if character in _KNOWN_SIGNS else "symbol"
    if category[0] in "LM" and not unicodedata.name(character, "LATIN").startswith(_LATIN_NAMES):
        return "script"
    return ""


class MaskedSentence:
    """A sentence with masks for the model, and how to restore the pieces in its translation.

    Attributes:
        text: Input for the model, without marks and without pieces at the edges; empty if nothing is left.
        pieces: The masked and removed pieces, in order.

    Args:
        sentence: As it stands in the content.
        attempt: Index of the mask in `MASKS`.
    """

    def __init__(self, sentence: str, *, attempt: int = 0) -> None:
        self._sentence = sentence
        self.pieces = pieces_in(sentence)
        inner = self.pieces
        start, end = 0, len(sentence)
        while inner and not inner[0].is_word and not sentence[start : inner[0].start].strip():
            start, inner = inner[0].end, inner[1:]
        while inner and not sentence[inner[-1].end : end].strip():
            end, inner = inner[-1].start, inner[:-1]
        if bracketed := _BRACKETED.fullmatch(sentence, start, end):
            start, end = bracketed.span(1)
            inner = [piece for piece in inner if start <= piece.start and piece.end <= end]
        core = sentence[start:end]
        start += len(core) - len(core.lstrip())
        end -= len(core) - len(core.rstrip()) if core.strip() else 0
        self._start, self._end = start, max(start, end)
        self._masks: list[tuple[str, str]] = []
        self._marks: list[_Mark] = []
        self.text = self._masked(inner, MASKS[attempt])

    @property
    def pieces_text(self) -> list[str]:
        """The texts of the pieces, in order."""
        return [self._sentence[piece.start : piece.end] for piece in self.pieces]

    @property
    def is_changed(self) -> bool:
        """Whether the input of the model differs from the sentence."""
        return self.text != self._sentence

    @property
    def has_language(self) -> bool:
        """Whether anything is left for a model to translate."""
        text = self.text
        for token, _ in self._masks:
            text = text.replace(token, "", 1)
        return any(map(str.isalpha, text))

    def around_words(self) -> list[tuple[str, bool]]:
        """The sentence in parts, in order: pieces that stand for a word (True), and the text between them (False).

        White space at the edges of that text is a part of its own (True), as translation would not keep it.
        """
        parts: list[tuple[str, bool]] = []
        done = 0
        for piece in (*(piece for piece in self.pieces if piece.is_word), None):
            text = self._sentence[done : piece.start if piece else None]
            core = text.strip()
            left = text.index(core) if core else len(text)
            between = [(text[:left], True), (core, False), (text[left + len(core) :], True)]
            parts += [part for part in between if part[0]]
            if piece:
                parts.append((self._sentence[piece.start : piece.end], True))
                done = piece.end
        return parts

    def _masked(self, inner: Sequence[Piece], mask: str) -> str:
        sentence, parts, done = self._sentence, list[str](), self._start
        for piece in inner:
            parts.append(sentence[done : piece.start])
            text = sentence[piece.start : piece.end]
            done = piece.end
            token = mask.format(len(self._masks) + 1)
            if piece.is_word and len(self._masks) < _MOST_MASKS and self._is_apart(piece) and token not in sentence:
                self._masks.append((token, text))
                parts.append(token)
                continue
            before = sentence[piece.start - 1 : piece.start].isspace() and piece.start > self._start
            after = sentence[piece.end : piece.end + 1].isspace()
            if before and after and parts[-1][-1:].isspace():
                text = sentence[piece.end] + text  # the mark takes one of the two spaces along
                parts[-1] = parts[-1][:-1]
            self._marks.append(_Mark(text, "".join(parts), follows=not before or after))
        parts.append(sentence[done : self._end])
        return "".join(parts)

    def _is_apart(self, piece: Piece) -> bool:
        """Whether no letter or digit is attached to a piece: a mask could not be separated from them."""
        beside = self._sentence[piece.start - 1 : piece.start] + self._sentence[piece.end : piece.end + 1]
        return not _WORD_CHARACTER.search(beside)

    def restore(self, translation: str) -> str | None:
        """Restore all pieces in the translation; None if it does not have every mask exactly once."""
        if translation == self.text:
            return self._sentence
        masks = {token.casefold(): text for token, text in self._masks}
        found = [token.casefold() for token in _TOKEN.findall(translation) if token.casefold() in masks]
        if sorted(found) != sorted(masks):
            return None
        placed = _with_marks(self.text, translation, self._marks)
        placed = _TOKEN.sub(lambda token: masks.get(token[0].casefold(), token[0]), placed)
        return self._sentence[: self._start] + placed + self._sentence[self._end :]


def blanked(text: str, pieces: Sequence[str]) -> str:
    """Replace `pieces`, which `text` has in this order, by spaces, so that they are not taken for words."""
    parts: list[str] = []
    done = 0
    for piece in pieces:
        start = text.find(piece, done)
        if start >= 0:
            parts += (text[done:start], " " * len(piece))
            done = start + len(piece)
    return "".join((*parts, text[done:]))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A removed mark: its text, the masked text before it, and whether it is attached to the word before it."""

    text: str
    before: str
    follows: bool


def _with_marks(source: str, translation: str, marks: Sequence[_Mark]) -> str:
    """Insert marks into the translation, in order, each at a word boundary."""
    if not marks:
        return translation
    source_words = _CHUNK.findall(source)
    target_words = list(_CHUNK.finditer(translation))
    places = {word[0].casefold(): index for index, word in reversed(list(enumerate(target_words)))}
    parts: list[str] = []
    done = least = 0
    for mark in marks:
        before = len(_CHUNK.findall(mark.before))
        index = _place(before, source_words, len(target_words), places, follows=mark.follows)
        least = index = min(max(least, index), len(target_words))
        if mark.follows:
            offset = target_words[index - 1].end() if index else 0
        else:
            offset = target_words[index].start() if index < len(target_words) else len(translation)
        offset = max(done, offset)
        parts += (translation[done:offset], mark.text)
        done = offset
    return "".join((*parts, translation[done:]))


def _place(before: int, source: Sequence[str], targets: int, places: dict[str, int], *, follows: bool) -> int:
    """The index of the target word before which a mark belongs that has `before` source words before it."""
    beside = before - 1 if follows else before
    word = source[beside].casefold() if 0 <= beside < len(source) else ""
    if word in places and word.isalnum() and len(word) > 1:
        return places[word] + (1 if follows else 0)
    return round(before * targets / max(1, len(source)))

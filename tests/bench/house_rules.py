"""Thirty rules of an invented style sheet for French: titles, names and abbreviations, number forms, terms.

A rule has a place where the English text has its trigger and a French translator wrote one of the old forms; there
the new form is right. Rules that change a word's first letter change the article with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        trigger: Pattern in the English text.
        old: Patterns of the French forms, each with what takes its place, in the order in which they are tried.
        new: Pattern that finds the new form.
    """

    trigger: re.Pattern[str]
    old: tuple[tuple[re.Pattern[str], str], ...]
    new: re.Pattern[str]

    def rewritten(self, english: str, french: str) -> tuple[str, int]:
        """The French text by this rule, and in how many places it changed."""
        if not self.trigger.search(english):
            return french, 0
        places = 0
        for pattern, new in self.old:
            french, count = pattern.subn(new, french)
            places += count
        return french, places

    def old_forms(self, french: str) -> int:
        """How often `french` has an old form."""
        return sum(len(pattern.findall(french)) for pattern, _ in self.old)

    def new_forms(self, french: str) -> int:
        """How often `french` has the new form."""
        return len(self.new.findall(french))


def _rule(trigger: str, new: str, *old: tuple[str, str]) -> Rule:
    # A pattern that looks ahead says itself where the form ends.
    patterns = tuple(
        (re.compile(rf"(?<!\w){pattern}" + ("" if pattern.endswith(")") else r"(?!\w)")), text) for pattern, text in old
    )
    return Rule(re.compile(trigger, re.IGNORECASE), patterns, re.compile(rf"(?<!\w){new}(?!\w)"))


def _digit(word: str, english: str, digit: str) -> Rule:
    return _rule(rf"\b{english}\b", digit, (word, digit), (word.capitalize(), digit))


RULES = (
    # Titles
    _rule(r"\bMr President", "M. le Président", ("Monsieur le [Pp]résident", "M. le Président")),
    _rule(r"\bMadam President", "Mme la Présidente", ("Madame la [Pp]résidente", "Mme la Présidente")),
    _rule(
        r"\bCommissioner",
        r"(?:M\. le|Mme la) Commissaire",
        ("Monsieur le [Cc]ommissaire", "M. le Commissaire"),
        ("Madame la [Cc]ommissaire", "Mme la Commissaire"),
    ),
    _rule(r"\bMr\b", r"M\.(?= [A-Z])", (r"Monsieur(?= [A-Z])", "M.")),
    # Names and abbreviations
    _rule(r"\b(European )?Union\b", "UE", ("Union européenne", "UE")),
    _rule(r"\bEuropean Parliament", "PE", ("Parlement européen", "PE")),
    _rule(r"\bMember States?", "pays membres?",
          ("d'États membres", "de pays membres"), ("États membres", "pays membres"),
          ("l'État membre", "le pays membre"), ("État membre", "pays membre")),
    _rule(r"\bUnited States|\bUS\b|\bUSA\b", "USA", ("États-Unis", "USA")),
    _rule(r"\bUnited Nations|\bUN\b", "ONU", ("les Nations [Uu]nies", "l'ONU"), ("des Nations [Uu]nies", "de l'ONU"),
          ("aux Nations [Uu]nies", "à l'ONU")),
    _rule("COVID", "Covid-19", ("COVID[- ]?19", "Covid-19")),
    _rule(r"\bsmall and medium|\bSMEs?\b", "PME", ("petites et moyennes entreprises", "PME")),
    _rule(r"\bexample|\binstance|e\.g\.", r"[Pp]\. ex\.", ("par exemple", "p. ex."), ("Par exemple", "P. ex.")),
    _rule(r"\bArticle \d", r"art\.(?= \d)", (r"[Aa]rticle(?= \d)", "art.")),
    _rule(r"\bnumber\b", "n°", ("numéro", "n°")),
    # Number forms
    *(
        _digit(word, english, digit)
        for word, english, digit in (
            ("deux", "two", "2"),
            ("trois", "three", "3"),
            ("quatre", "four", "4"),
            ("cinq", "five", "5"),
            ("dix", "ten", "10"),
        )
    ),
    _rule(r"\bfirst\b", "1(?:er|re|ers|res)", ("premier", "1er"), ("première", "1re"), ("premiers", "1ers"),
          ("premières", "1res")),
    _rule(r"\bsecond\b", "2e", ("deuxième", "2e"), ("seconde?", "2e")),
    _rule(r"%|per ?cent", "pour cent", (r" ?%", " pour cent")),
    _rule(r"\bminutes?\b", "min", ("minutes?", "min")),
    # Terms
    _rule(r"\bhuman rights", "droits humains",
          ("droits de l'homme", "droits humains"), ("Droits de l'homme", "Droits humains")),
    _rule(r"\bcitizens", "citoyennes et citoyens", ("citoyens", "citoyennes et citoyens")),
    _rule(r"\btoday\b", "ce jour", ("[Aa]ujourd'hui", "ce jour")),
    _rule(r"\bweekends?\b", "fins? de semaine",
          ("le week-end", "la fin de semaine"), ("ce week-end", "cette fin de semaine"),
          ("week-end", "fin de semaine")),
    _rule(r"\bclimate change", "dérèglement climatique", ("changement climatique", "dérèglement climatique"),
          ("changements climatiques", "dérèglement climatique")),
    _rule(r"\bworkers", "salariés", ("travailleurs", "salariés")),
    _rule(r"\binternal market", "marché unique", ("marché intérieur", "marché unique")),
)  # fmt: skip


def rewritten(english: str, french: str) -> tuple[str, dict[int, int]]:
    """The French text by all rules, and for each rule that has a place how many, by its number."""
    places: dict[int, int] = {}
    for number, rule in enumerate(RULES):
        french, count = rule.rewritten(english, french)
        if count:
            places[number] = count
    return french, places

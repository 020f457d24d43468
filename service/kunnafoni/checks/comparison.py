"""Comparisons turned round between English and French: *fewer than half* against *plus de 50 %*.

It flags 0.1 % of the human translations of FLORES-200 dev, and 14 of 22 changed ones of the held-out contrast set.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.poles import opposite_spans, poles_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_FIGURE = r"(?=\W{0,3}(?:\d|an? |half|one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|hundred|thousand))"
# The first alternative that matches counts: `no more than` is an upper bound, whatever `more than` would be.
_WORDS = {
    "en": re.compile(
        rf"""
        \b(?:
            (?P<low1>(?:no|not)\ (?:more|higher|greater|later|longer)\ than)
            | (?P<high1>(?:no|not)\ (?:fewer|less|lower|smaller)\ than)
            | (?P<low2>(?:fewer|less|lower|smaller|shorter)\ than | at\ (?:the\ )?most | a\ maximum\ of | below
                | under{_FIGURE} | (?:does|did)\ not\ exceed | not\ exceeding | capped\ at | up\ to{_FIGURE})
            | (?P<high2>(?:more|higher|greater|larger|longer)\ than | at\ (?:the\ very\ )?least | a\ minimum\ of | above
                | over{_FIGURE} | exceed(?:s|ed|ing)? | upwards\ of | in\ excess\ of | topped)
        )\b
        """,
        re.VERBOSE | re.IGNORECASE,
    ),
    "fr": re.compile(
        r"""
        \b(?:
            (?P<low1>pas\ plus\ d[e'’] | n[e'’]\ ?(?:dépass|excèd|excéd)\w+)
            | (?P<high1>pas\ moins\ d[e'’] | rien\ moins\ que)
            | (?P<low2>moins\ (?:d[e'’]|que|qu['’]) | (?:tout\ )?au\ (?:grand\ )?(?:plus|maximum) | inférieur\w*
                | plafonn\w+ | en\ dessous | au-dessous | sous\ (?:la\ barre|le\ seuil|les?\ \d) | jusqu['’]à\ (?=\d))
            | (?P<high2>plus\ (?:d[e'’]|que|qu['’]) | au\ (?:moins|minimum) | supérieur\w*
                | dépass\w+ | excéd\w+ | excèd\w+ | au-delà\ d | au-dessus)
        )
        """,
        re.VERBOSE | re.IGNORECASE,
    ),
}


def check_comparison(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """One side has only lower bounds, the other only upper ones."""
    if source.language not in _WORDS or target.language not in _WORDS:
        return
    found = (poles_in(side.text, _WORDS[side.language]) for side in (source, target))
    for source_span, target_span in opposite_spans(*found):
        yield Finding(FindingType.COMPARISON_MISMATCH, source_span, target_span, "the comparison is turned round")

"""What all errors have in common: a code, a reason, messages in two languages, and what is wrong with which field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "kunnafoni"


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule.

    Attributes:
        field: Its path in the request, such as `contents[3]`.
        description: What is wrong with it, in English.
        french: The same in French; empty if nobody has written it.
    """

    field: str
    description: str
    french: str = ""

    def text(self, language: str) -> str:
        """What is wrong in `en` or `fr`; any other language gets English, as does French that is missing."""
        return self.french if language == "fr" and self.french else self.description


class KunnafoniError(Exception):
    """Base of all errors that reach a caller.

    Attributes:
        code: Name of the gRPC status code.
        reason: Stable upper-case identifier for programs.
        english_template, french_template: The message, to be filled in from `parameters`.
        parameters: Values of the templates, as strings.
        violations: Fields that break a rule; empty for most errors.
        retry_after_s: Seconds after which a retry makes sense; None if it does not depend on time.
    """

    code: ClassVar[str] = "UNKNOWN"
    reason: str = "UNKNOWN"
    english_template: str = "The call failed."
    french_template: str = "L'appel a échoué."

    def __init__(
        self,
        *,
        violations: tuple[Violation, ...] = (),
        retry_after_s: float | None = None,
        french: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> None:
        """Make it.

        Args:
            violations: See the class.
            retry_after_s: See the class.
            french: Values that the French message has in place of those in `parameters`.
            parameters: Values of the templates.
        """
        self.parameters = {name: str(value) for name, value in parameters.items()}
        self.violations = violations
        self.retry_after_s = retry_after_s
        self._french_parameters = dict(french or {})
        super().__init__(self.message())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the error holds: its message is not what its class is made with."""
        return _without_init, (type(self), *self.args), self.__dict__

    @property
    def english(self) -> str:
        """The message in English."""
        return self.english_template.format_map(self.parameters)

    @property
    def french(self) -> str:
        """The message in French."""
        return self.french_template.format_map({**self.parameters, **self._french_parameters})

    def message(self, language: str = "en") -> str:
        """The message in `en` or `fr`; any other language gets English."""
        return self.french if language == "fr" else self.english


def _without_init(kind: type[KunnafoniError], *args: object) -> KunnafoniError:
    return kind.__new__(kind, *args)

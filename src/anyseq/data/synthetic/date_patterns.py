"""The ways a language writes a calendar day, from CLDR through Babel.

CLDR's patterns are taken apart once and applied here: faster than `babel.dates.format_date`, and equal to it but for
two things. Digits are the language's own where CLDR says so (Babel writes 0 to 9), and what nobody types (narrow and
no-break spaces, direction marks) is written as typed. Stand-alone names (CLDR's fields `c` and `L`) are not used: Babel
2.18 gives those of the language asked first to others that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from anyseq.errors import MissingExtraError, UsageError

Part = Callable[[date], str]

# The digit zero of CLDR's numbering systems; the others follow it in Unicode.
_ZEROS = {"latn": "0", "arab": "٠", "arabext": "۰", "beng": "০", "deva": "०", "gujr": "૦", "mymr": "၀", "tibt": "༠"}
_WIDTHS = ("short", "medium", "long", "full")
_SKELETONS = ("yMd", "yMMdd", "yMEd", "yMEEEEd", "yMMMd", "yMMMEd", "yMMMEEEEd", "yMMMMd", "yMMMMEd", "yMMMMEEEEd")
_AS_TYPED = str.maketrans({"\u202f": " ", "\xa0": " ", "\u2009": " ", "\u200e": None, "\u200f": None, "\u061c": None})

# CLDR has the rules that choose among a language's ordinals (`ordinal_form`) but not the ordinals themselves.
_SUFFIXES = {"en": {"one": "st", "two": "nd", "few": "rd", "other": "th"}, "sv": {"one": ":a", "other": ":e"}}
_FIRST_ONLY = {"fr": "er", "es": "º", "it": "º", "pt": "º"}


@dataclass(frozen=True)
class DatePattern:
    """One way to write a day in one language.

    Attributes:
        language: Its code, as `de`.
        text: CLDR's pattern, with `do` for a day as an ordinal: `EEE, MMM do, y`.
        fields: The pattern's fields with their widths, in order: `("EEE", "MMM", "do", "y")`.
        parts: Functions of the day whose texts, joined, are the date.
    """

    language: str
    text: str
    fields: tuple[str, ...]
    parts: tuple[Part, ...]

    def format(self, day: date) -> str:
        """Write a day."""
        return "".join([part(day) for part in self.parts])

    @property
    def two_digit_year(self) -> bool:
        """Whether the century is left out."""
        return "yy" in self.fields

    @property
    def numeric(self) -> bool:
        """Whether the month is a number."""
        return "M" in self.fields or "MM" in self.fields

    @property
    def order(self) -> str:
        """Where year, month and day stand: `dMy`."""
        return "".join(field[0] for field in self.fields if field[0] in "yMd")


@lru_cache(maxsize=256)
def date_patterns(language: str) -> tuple[DatePattern, ...]:
    """All ways CLDR knows to write a day with its year in a language, and a few that follow from them.

    Added are, where the language writes them so, the day as an ordinal, and the short pattern with two digits of the
    year. Left out is what would let one text mean two days: numbers in another order than in the short pattern, and
    two-digit years beside a month's name.

    Raises:
        MissingExtraError: Babel is not installed.
        UsageError: Babel does not know the language, or not how it writes days.
    """
    try:
        from babel import Locale, UnknownLocaleError
    except ImportError as fault:
        raise MissingExtraError("babel", "examples") from fault
    try:
        locale = Locale.parse(language)
    except (UnknownLocaleError, ValueError) as fault:
        raise UsageError(f"{language!r} is no language CLDR knows; give codes such as de, en, ja") from fault
    if locale.default_numbering_system not in _ZEROS:
        raise UsageError(f"no digits are known here for {language!r} ({locale.default_numbering_system}); leave it out")
    known = {width: locale.date_formats[width] for width in _WIDTHS}
    skeletons = locale.datetime_skeletons
    given = [known[width].pattern for width in _WIDTHS] + [skeletons[s].pattern for s in _SKELETONS if s in skeletons]
    probes = [date(2020, 1, 1) + timedelta(days) for days in range(0, 366, 5)]
    found: dict[tuple[str, ...], DatePattern] = {}  # two patterns that write all days alike are one
    for tokens in _variants(language, map(_tokens, given)):
        pattern = _compile(locale, language, tokens)
        if pattern is not None:
            found.setdefault(tuple(map(pattern.format, probes)), pattern)
    order = next((pattern.order for pattern in found.values() if pattern.numeric), None)
    kept = tuple(p for p in found.values() if (p.order == order if p.numeric else not p.two_digit_year))
    if not kept:
        raise UsageError(f"CLDR gives no usable pattern for dates in {language!r}; leave the language out")
    return kept


def as_typed(text: str) -> str:
    """Write plain spaces for special ones and leave direction marks out."""
    return text.translate(_AS_TYPED)


def _tokens(pattern: str) -> list[str | tuple[str, int]]:
    """CLDR's pattern as literals and (letter, width) fields; equal fields get equal widths."""
    from babel.dates import tokenize_pattern

    alike = {("E", 1): ("E", 3), ("E", 2): ("E", 3), ("y", 4): ("y", 1)}
    tokens = (value for _, value in tokenize_pattern(pattern))
    return [as_typed(token) if isinstance(token, str) else alike.get(token, token) for token in tokens]


def _variants(
    language: str, patterns: Iterable[list[str | tuple[str, int]]]
) -> Iterable[list[str | tuple[str, int]]]:
    """The patterns, the first (the short one) also with two digits of the year, those with names also with ordinals."""
    for index, tokens in enumerate(patterns):
        yield tokens
        if index == 0:
            yield [("y", 2) if token == ("y", 1) else token for token in tokens]
        named = ("M", 3) in tokens or ("M", 4) in tokens
        if named and (language in _SUFFIXES or language in _FIRST_ONLY):
            yield [("d", 0) if token == ("d", 1) else token for token in tokens]


def _compile(locale: Any, language: str, tokens: Sequence[str | tuple[str, int]]) -> DatePattern | None:
    """Bind a pattern to a language's names and digits; None for one without a plain year, month and day."""
    fields = tuple("do" if token == ("d", 0) else token[0] * token[1] for token in tokens if isinstance(token, tuple))
    parts = tuple(_literal(token) if isinstance(token, str) else _field(locale, *token) for token in tokens)
    letters = "".join(sorted(field[0] for field in fields))
    if letters not in ("Mdy", "EMdy") or None in parts:
        return None
    names = iter(fields)
    text = "".join(token if isinstance(token, str) else next(names) for token in tokens)
    return DatePattern(language, text, fields, tuple(part for part in parts if part is not None))


def _literal(text: str) -> Part:
    return lambda day: text


def _field(locale: Any, letter: str, width: int) -> Part | None:
    """The function that writes one field; None for a field that is not known here."""
    zero = ord(_ZEROS[locale.default_numbering_system])
    digits = {ord("0") + digit: zero + digit for digit in range(10)}
    match letter, width:
        case "y", 1:
            return lambda day: str(day.year).translate(digits)
        case "y", 2:
            return lambda day: f"{day.year % 100:02d}".translate(digits)
        case "M", 1 | 2:
            return lambda day: f"{day.month:0{width}d}".translate(digits)
        case "M", 3 | 4:
            months = locale.months["format"]["abbreviated" if width == 3 else "wide"]
            month_names = [as_typed(months[month]) for month in range(1, 13)]
            return lambda day: month_names[day.month - 1]
        case "d", 1 | 2:
            return lambda day: f"{day.day:0{width}d}".translate(digits)
        case "d", 0:
            ordinals = [_ordinal(locale, number) for number in range(32)]
            return lambda day: ordinals[day.day]
        case "E", 3 | 4:
            days = locale.days["format"]["abbreviated" if width == 3 else "wide"]
            day_names = [as_typed(days[weekday]) for weekday in range(7)]
            return lambda day: day_names[day.weekday()]
    return None


def _ordinal(locale: Any, number: int) -> str:
    if locale.language in _FIRST_ONLY:
        return f"{number}{_FIRST_ONLY[locale.language] if number == 1 else ''}"
    return f"{number}{_SUFFIXES[locale.language][locale.ordinal_form(number)]}"

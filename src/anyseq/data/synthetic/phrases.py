"""Phrases of one language and another, from CLDR: small real translation without a download."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of
from anyseq.data.synthetic.date_patterns import as_typed
from anyseq.errors import MissingExtraError, UsageError

Key = TypeVar("Key")
_UNITS_OF_TIME: tuple[Literal["second", "minute", "hour", "day", "week", "month", "year"], ...] = (
    *("second", "minute", "hour", "day", "week", "month", "year"),
)


@dataclass(frozen=True)
class Phrase:
    """The same in both languages."""

    source: str
    target: str


class PhrasesConfig(SizedGeneratorConfig):
    """Phrases as CLDR writes them in two languages: `vor 3 Tagen` gives `3 days ago`.

    Dates, times of day, periods, relative times, quantities, amounts of money, large numbers, names of territories,
    languages and currencies; and of these lists (`A, B und C`) and ranges (`X – Y`). One source has one target.
    The raw fields of an item are source, target and kind.
    """

    train: int = Field(30_000, description="items to train on", ge=1)
    dev: int = Field(1000, description="items to validate on", ge=1)
    test: int = Field(1000, description="items to test on", ge=1)
    source_language: str = Field("de", description="CLDR's code of the language to translate from")
    target_language: str = Field("en", description="CLDR's code of the language to translate into")

    @model_validator(mode="after")
    def _agree(self) -> PhrasesConfig:
        if self.source_language == self.target_language:
            raise ValueError(f"source_language and target_language are both {self.source_language!r}")
        return self

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split, all kinds about equally often; a keyed hash of the source decides on its split.

        Raises:
            MissingExtraError: Babel is not installed.
            UsageError: there is no such split, a language is unknown, or the split cannot be filled.
        """
        count = self.size(split)
        rng = Random(f"{self.seed} {split}")
        kinds = PhraseBook(self.source_language, self.target_language).kinds()
        names = list(kinds)

        def draw() -> Mapping[str, str] | None:
            kind = rng.choice(names)
            phrase = kinds[kind](rng)
            if split_of(phrase.source, self.seed, 0.1) != split:
                return None
            return {"source": phrase.source, "target": phrase.target, "kind": kind}

        return collect(split, count, draw)


class PhraseBook:
    """Draws phrases of each kind in two languages.

    Args:
        source: CLDR's code of the one language.
        target: Of the other.

    Raises:
        MissingExtraError: Babel is not installed.
        UsageError: Babel does not know a language.
    """

    def __init__(self, source: str, target: str) -> None:
        try:
            from babel import Locale, UnknownLocaleError
        except ImportError as fault:
            raise MissingExtraError("babel", "examples") from fault
        try:
            locales = Locale.parse(source), Locale.parse(target)
        except (UnknownLocaleError, ValueError) as fault:
            raise UsageError(f"{fault}; give codes of languages CLDR knows, such as de, en, pt_BR") from fault
        self.locales: tuple[Any, Any] = locales
        self.units = self._units()
        self.currencies = self._currencies()
        self.names = self._names()

    def kinds(self) -> dict[str, Callable[[Random], Phrase]]:
        """What can be drawn, by name."""
        kinds: dict[str, Callable[[Random], Phrase]] = {
            "date": self.date,
            "time": self.time,
            "moment": self.moment,
            "period": self.period,
            "relative": self.relative,
            "quantity": self.quantity,
            "money": self.money,
            "territory": lambda rng: rng.choice(self.names["territory"]),
            "language": lambda rng: rng.choice(self.names["language"]),
            "currency": lambda rng: rng.choice(self.names["currency"]),
            "variety": self.variety,
            "territories": lambda rng: self.listed(rng, lambda: rng.choice(self.names["territory"])),
            "languages": lambda rng: self.listed(rng, lambda: rng.choice(self.names["language"])),
            "currencies": lambda rng: self.listed(rng, lambda: rng.choice(self.names["currency"])),
            "quantities": lambda rng: self.listed(rng, lambda: self.quantity(rng)),
            "amounts": lambda rng: self.listed(rng, lambda: self.money(rng)),
            "hours": lambda rng: self.joined(self.time(rng), self.time(rng)),
            "prices": lambda rng: self.joined(self.money(rng), self.money(rng)),
            "offer": lambda rng: self.joined(self.quantity(rng), self.money(rng)),
        }
        if all("long" in locale.compact_decimal_formats for locale in self.locales):
            kinds["number"] = self.number
        return kinds

    def date(self, rng: Random) -> Phrase:
        """`3. März 2021`, `Mittwoch, 3. März 2021` or `03.03.21`."""
        from babel.dates import format_date

        day = _day(rng)
        width = rng.choice(("short", "long", "full"))
        return self._both(lambda locale: format_date(day, width, locale=locale))

    def time(self, rng: Random) -> Phrase:
        """`14:30`."""
        from babel.dates import format_time

        hour = time(rng.randrange(24), rng.randrange(60))
        return self._both(lambda locale: format_time(hour, "short", locale=locale))

    def moment(self, rng: Random) -> Phrase:
        """`3. März 2021, 14:30`."""
        from babel.dates import format_date, format_time, get_datetime_format

        instant = datetime.combine(_day(rng), time(rng.randrange(24), rng.randrange(60)))

        day = self._both(lambda locale: format_date(instant, "long", locale=locale))
        hour = self._both(lambda locale: format_time(instant, "short", locale=locale))
        join = self._both(lambda locale: str(get_datetime_format("long", locale=locale)).replace("'", ""))
        return Phrase(
            join.source.replace("{1}", day.source).replace("{0}", hour.source),
            join.target.replace("{1}", day.target).replace("{0}", hour.target),
        )

    def period(self, rng: Random) -> Phrase:
        """`3.–5. März 2021`."""
        from babel.dates import format_interval

        first = _day(rng)
        last = first + timedelta(rng.choice((2, 7, 30, 400)) + rng.randrange(20))
        return self._both(lambda locale: format_interval(first, last, "yMMMd", locale=locale))

    def relative(self, rng: Random) -> Phrase:
        """`vor 3 Tagen`."""
        from babel.dates import TIMEDELTA_UNITS, format_timedelta

        unit = rng.choice(_UNITS_OF_TIME)
        delta = timedelta(seconds=dict(TIMEDELTA_UNITS)[unit] * rng.choice((1, -1)) * rng.randint(1, 99))
        # The threshold keeps 60 minutes from becoming an hour.
        return self._both(
            lambda locale: format_timedelta(delta, granularity=unit, threshold=1e12, add_direction=True, locale=locale)
        )

    def quantity(self, rng: Random) -> Phrase:
        """`3,5 Kilometer`."""
        from babel.units import format_unit

        unit, amount = rng.choice(self.units), _amount(rng)
        return self._both(lambda locale: format_unit(amount, unit, locale=locale))

    def money(self, rng: Random) -> Phrase:
        """`12,50 US-Dollar`, or `12 US-Dollar`."""
        code, whole = rng.choice(self.currencies), rng.random() < 0.5
        amount = rng.randint(1, 100) if whole else rng.randint(1, 99_999) / 100
        return self._both(lambda locale: _money(amount, code, whole, locale))

    def number(self, rng: Random) -> Phrase:
        """`3,4 Millionen`."""
        from babel.numbers import format_compact_decimal

        value = rng.randint(1, 999) * 10 ** rng.randint(2, 10)
        return self._both(
            lambda locale: format_compact_decimal(value, format_type="long", locale=locale, fraction_digits=1)
        )

    def variety(self, rng: Random) -> Phrase:
        """`Deutsch (Österreich)`."""
        language, territory = rng.choice(self.names["language"]), rng.choice(self.names["territory"])
        return Phrase(f"{language.source} ({territory.source})", f"{language.target} ({territory.target})")

    def listed(self, rng: Random, draw: Callable[[], Phrase]) -> Phrase:
        """Two to four phrases: `A, B und C`, or with `oder`."""
        from babel.lists import format_list

        phrases = [draw() for _ in range(rng.randint(2, 4))]
        style: Literal["standard", "or"] = "or" if rng.random() < 0.3 else "standard"
        source, target = self.locales
        return Phrase(
            as_typed(format_list([phrase.source for phrase in phrases], style=style, locale=source)),
            as_typed(format_list([phrase.target for phrase in phrases], style=style, locale=target)),
        )

    def joined(self, first: Phrase, second: Phrase) -> Phrase:
        """`X – Y`."""
        return Phrase(f"{first.source} – {second.source}", f"{first.target} – {second.target}")

    def _both(self, write: Callable[[Any], str]) -> Phrase:
        source, target = (as_typed(write(locale)) for locale in self.locales)
        return Phrase(source, target)

    def _units(self) -> list[str]:
        """Units that both languages name; of those that share a name in the source language, none."""
        from babel.units import format_unit

        def write(unit: str, amount: int | float) -> Phrase:
            return self._both(lambda locale: format_unit(amount, unit, locale=locale))

        shared = sorted(set.intersection(*(set(locale.unit_display_names) for locale in self.locales)))
        named = {unit: [write(unit, amount) for amount in (1, 2, 3.5)] for unit in shared}
        # Where CLDR has no pattern Babel writes the unit's identifier.
        known = {unit: every for unit, every in named.items() if not any(unit in p.source + p.target for p in every)}
        return _unambiguous(known)

    def _currencies(self) -> list[str]:
        """Money in use somewhere in 2024, with a name of its own in both languages."""
        from babel.numbers import get_territory_currencies

        def write(code: str, amount: int) -> Phrase:
            return self._both(lambda locale: _money(amount, code, True, locale))

        when = date(2024, 1, 1)
        territories = sorted(code for code in self.locales[0].territories if len(code) == 2)
        used = {code for territory in territories for code in get_territory_currencies(territory, when, when)}
        known = sorted(code for code in used if all(code in locale.currencies for locale in self.locales))
        return _unambiguous({code: [write(code, amount) for amount in (1, 2)] for code in known})

    def _names(self) -> dict[str, list[Phrase]]:
        """Names in both languages, but for those that mean two things (Fidschi: Fiji, Fijian) and for mere codes."""
        source, target = self.locales
        tables = {
            "territory": (source.territories, target.territories, [c for c in source.territories if c.isalpha()]),
            "language": (source.languages, target.languages, [c for c in source.languages if len(c) == 2]),
            "currency": (source.currencies, target.currencies, self.currencies),
        }
        named = {
            (kind, code): [Phrase(as_typed(here[code]), as_typed(there[code]))]
            for kind, (here, there, codes) in tables.items()
            for code in sorted(codes)
            if code in there and code not in (here[code], there[code])
        }
        clear = _unambiguous(named)
        return {kind: [named[key][0] for key in clear if key[0] == kind] for kind in tables}


def _unambiguous(named: Mapping[Key, Sequence[Phrase]]) -> list[Key]:
    """The keys whose source phrases mean one thing: no other key writes them so and translates them otherwise."""
    meanings: dict[str, set[str]] = {}
    for phrases in named.values():
        for phrase in phrases:
            meanings.setdefault(phrase.source, set()).add(phrase.target)
    return [key for key, phrases in named.items() if all(len(meanings[phrase.source]) == 1 for phrase in phrases)]


def _money(amount: int | float, code: str, whole: bool, locale: Any) -> str:
    from babel.numbers import format_currency

    return str(format_currency(amount, code, format_type="name", currency_digits=not whole, locale=locale))


def _day(rng: Random) -> date:
    return date(1950, 1, 1) + timedelta(rng.randrange(36_525))


def _amount(rng: Random) -> int | float:
    """Small whole numbers, larger ones, and some with a decimal place."""
    match rng.randrange(4):
        case 0:
            return rng.randint(1, 12)
        case 1:
            return rng.randint(1, 100)
        case 2:
            return rng.randint(1, 10_000)
        case _:
            return (10 * rng.randint(0, 99) + rng.randint(1, 9)) / 10

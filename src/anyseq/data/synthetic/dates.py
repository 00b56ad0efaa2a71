"""Dates as people write them, in forty-eight languages, to ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random

from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, keyed_fraction
from anyseq.data.synthetic.date_patterns import DatePattern, date_patterns
from anyseq.data.synthetic.typing_noise import drop_marks, mistype
from anyseq.errors import UsageError

LANGUAGES = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "is", "et", "lv", "lt", "pl", "cs", "sk"),
    *("sl", "hr", "sr", "bg", "ru", "uk", "hu", "ro", "el", "tr", "ca", "he", "ar", "fa", "ur", "hi", "mr", "bn"),
    *("ta", "te", "ja", "zh", "ko", "vi", "id", "ms", "sw", "af", "ka", "hy"),
)


class DatesConfig(SizedGeneratorConfig):
    """Dates as people write them to ISO 8601: `de 3. März 2021` gives `2021-03-03`.

    The source begins with the language and one space: the language settles the order of day and month. No text has two
    targets. The days of dev and test are not those of train. Besides train, dev and test there is the split `unseen`:
    as many items as test has, of (language, pattern) pairs that no other split shows, on days of the test.
    The raw fields of an item are source, target, language and pattern.
    """

    train: int = Field(100_000, description="items to train on", ge=1)
    dev: int = Field(1000, description="items to validate on", ge=1)
    test: int = Field(2000, description="items to test on (and of the split `unseen`)", ge=1)
    languages: Sequence[str] = Field(LANGUAGES, description="CLDR's codes of the languages", min_length=1)
    noise: float = Field(0.1, description="chance of each kind of careless typing in an item", ge=0, le=1)
    first_year: int = Field(1900, description="earliest year", ge=1000, le=9999)
    last_year: int = Field(2099, description="latest year", ge=1000, le=9999)
    pivot: int = Field(1950, description="years of two digits are those of the 100 years from this one on", ge=1000)
    unseen: float = Field(0.05, description="share of (language, pattern) pairs kept for `unseen`", ge=0, le=0.5)

    @model_validator(mode="after")
    def _agree(self) -> DatesConfig:
        if self.last_year < self.first_year:
            raise ValueError(f"last_year {self.last_year} is before first_year {self.first_year}")
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages names a language twice")
        return self

    def size(self, split: str) -> int:
        """How many items a split has."""
        if split == "unseen" and self.unseen > 0:
            return self.test
        return super().size(split)

    def generate(self, split: str) -> list[Item]:
        """Make the items of `train`, `dev`, `test` or `unseen`: languages equally often, and the patterns of each.

        Raises:
            MissingExtraError: Babel is not installed.
            UsageError: there is no such split, a language is unknown, or the split cannot be filled.
        """
        count = self.size(split)
        rng = Random(f"{self.seed} {split}")
        days = self.days("test" if split == "unseen" else split)
        recent = [day for day in days if self.pivot <= day.year < self.pivot + 100]
        choices = [patterns for patterns in self.patterns(split).values() if patterns]
        # What a held-out pattern writes as another one does ("May" is its own abbreviation) would be no news.
        shown = self.patterns("train") if split == "unseen" else {language: [] for language in self.languages}
        if not days or not choices:
            raise UsageError(f"the split {split!r} is empty; widen the years, name more languages, or raise `unseen`")

        def draw() -> Mapping[str, str] | None:
            pattern = rng.choice(rng.choice(choices))
            pool = recent if pattern.two_digit_year else days
            if not pool:
                return None
            day = rng.choice(pool)
            text = pattern.format(day)
            if any(drop_marks(text) == drop_marks(other.format(day)) for other in shown[pattern.language]):
                return None
            text = mistype(text, pattern.language, self.noise, rng)
            return {
                "source": f"{pattern.language} {text}",
                "target": day.isoformat(),
                "language": pattern.language,
                "pattern": pattern.text,
            }

        return collect(split, count, draw)

    def alignment(self, source: Sequence[str], target: Sequence[str]) -> Sequence[tuple[int, int]] | None:
        """The digits of the year, where they are written once, in whatever numerals: all four, or the last two."""
        year = "".join(target[:4])
        if not (year.isdecimal() and year.isascii()):
            return None
        runs = digit_runs(source)
        for digits in (year, year[2:]):
            places = [first for first, run in runs if run == digits]
            if len(places) == 1:
                shift = 4 - len(digits)
                return [(places[0] + at, shift + at) for at in range(len(digits))]
        return None

    def days(self, split: str) -> list[date]:
        """The calendar days of `train`, `dev` or `test`: 90, 5 and 5 in a hundred."""
        first, last = date(self.first_year, 1, 1), date(self.last_year, 12, 31)
        every = [first + timedelta(number) for number in range((last - first).days + 1)]
        Random(f"{self.seed} days").shuffle(every)
        share = len(every) // 20
        return {"dev": every[:share], "test": every[share : 2 * share], "train": every[2 * share :]}[split]

    def patterns(self, split: str) -> dict[str, list[DatePattern]]:
        """The patterns of a split by language. Those of `unseen` are in no other split.

        Held out is only what the rest of its language still allows to be learnt: a pattern whose every field (names of
        months at that width, the ordinal, the year of two digits) also occurs in a pattern that is kept.
        """
        kept = {language: list(date_patterns(language)) for language in self.languages}
        held: dict[str, list[DatePattern]] = {language: [] for language in self.languages}
        pairs = [pattern for patterns in kept.values() for pattern in patterns]
        wanted = round(self.unseen * len(pairs))
        for pattern in sorted(pairs, key=lambda p: keyed_fraction(f"{p.language} {p.text}", self.seed)):
            rest = [other for other in kept[pattern.language] if other is not pattern]
            if wanted and {*pattern.fields} <= {field for other in rest for field in other.fields}:
                kept[pattern.language] = rest
                held[pattern.language].append(pattern)
                wanted -= 1
        return held if split == "unseen" else kept


def digit_runs(places: Sequence[str]) -> list[tuple[int, str]]:
    """Numbers that stand in a text, in any numerals: the first place of each, and its digits as 0 to 9."""
    found: list[tuple[int, str]] = []
    for place, text in enumerate(places):
        if len(text) != 1 or not text.isdecimal():
            continue
        digit = str(int(text))
        if found and found[-1][0] + len(found[-1][1]) == place:
            found[-1] = (found[-1][0], found[-1][1] + digit)
        else:
            found.append((place, digit))
    return found

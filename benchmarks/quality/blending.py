"""Where a language model ranks known portmanteaus among all cuts of their two words.

    python benchmarks/quality/blending.py MODEL

Prints the rank of each by the score of `anyseq blend`, and by the likelihood per symbol alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, median

import anyseq
from anyseq.errors import UsageError
from anyseq.tasks.language_model.blending import SEAM_BONUS, blend
from anyseq.tasks.language_model.task import LanguageModel

ASKED = ("brad angelina brangelina", "char lizard charizard", "britain exit brexit")
KNOWN = (
    "breakfast lunch brunch", "smoke fog smog", "motor hotel motel", "spoon fork spork", "medical care medicare",
    "guess estimate guesstimate", "labrador poodle labradoodle", "camera recorder camcorder",
    "stay vacation staycation", "work alcoholic workaholic", "chill relax chillax", "gigantic enormous ginormous",
    "web seminar webinar", "advertisement editorial advertorial", "breath analyzer breathalyzer",
    "smoke haze smaze", "education entertainment edutainment", "information commercial infomercial",
    "malicious software malware", "mock documentary mockumentary", "net etiquette netiquette",
    "tangerine pomelo tangelo", "sheep goat shoat", "parachute troops paratroops", "hungry angry hangry",
    "friend enemy frenemy", "fan magazine fanzine", "squirm wiggle squiggle", "twist fiddle twiddle",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    task = anyseq.load(parser.parse_args().model, device="cpu").task
    assert isinstance(task, LanguageModel)
    for name, listed in (("asked for", ASKED), ("known", KNOWN)):
        ranks: list[tuple[int, int]] = []
        for line in listed:
            first, second, word = line.split()
            try:
                found = [[each.word for each in blend(task, first, second, bonus)] for bonus in (SEAM_BONUS, 0.0)]
            except UsageError as fault:
                print(f"{line}: {fault}")
                continue
            if word not in found[0]:
                print(f"{word}: no cut of {first} and {second} makes it")
                continue
            ranks.append((found[0].index(word) + 1, found[1].index(word) + 1))
            print(f"{word}: {ranks[-1][0]} of {len(found[0])} cuts (by likelihood alone {ranks[-1][1]})")
        for place, by in enumerate(("score", "likelihood alone")):
            own = [each[place] for each in ranks]
            within = sum(rank <= 5 for rank in own)
            told = f"{within} of {len(own)} among the first five, median {median(own)}, mean {mean(own):.1f}"
            print(f"{name}, by {by}: {told}")


if __name__ == "__main__":
    main()

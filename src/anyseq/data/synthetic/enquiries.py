"""Enquiries of customers about several things at once, each with the labels of what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

_SUBJECTS = {
    "delivery": ("my parcel has not arrived", "when will it be sent", "the courier rang at the wrong door",
        "it was left in the rain", "can it come on a saturday"),
    "price": ("i was charged twice", "it is cheaper elsewhere", "the discount was not taken off",
        "how much is it for two", "the bill is wrong"),
    "quality": ("it broke on the first day", "the lid does not close", "there is a scratch on the side",
        "the colour is not that of the picture", "it smells of paint"),
    "account": ("i cannot sign in", "please change my address", "my password does not work",
        "delete what you know of me", "the code never came"),
    "praise": ("thank you for the quick answer", "i am very pleased", "everybody was friendly",
        "it works like a charm", "i will come again"),
}  # fmt: skip
# Said of a subject, but to set it aside: no label.
_DENIED = {
    "delivery": "it came in time", "price": "the price is fine", "quality": "nothing is broken",
    "account": "signing in works", "praise": "i do not want to complain",
}  # fmt: skip
_OPENINGS = ("", "hello ,", "dear all ,", "good morning ,", "once more :")
_JOINTS = (" , and ", " . also , ", " ; besides , ", " . ")


class EnquiriesConfig(SizedGeneratorConfig):
    """`hello , my parcel has not arrived , and i was charged twice .` has the labels `delivery, price`.

    One to three subjects in any order; of the others one may be named to be set aside (`the price is fine`), which is
    no label; some enquiries have none at all (`-`). A keyed hash of the source decides on its split.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        rng = Random(f"{self.seed} {split}")

        def draw() -> Mapping[str, str] | None:
            order = rng.sample(list(_SUBJECTS), len(_SUBJECTS))
            count, denied = rng.choice((0, 1, 1, 2, 2, 3)), rng.random() < 0.5
            said = [rng.choice(_SUBJECTS[subject]) for subject in order[:count]]
            if denied or not said:
                said.insert(rng.randint(0, len(said)), _DENIED[order[count]])
            text = f"{rng.choice(_OPENINGS)} {rng.choice(_JOINTS).join(said)} .".strip()
            if split_of(text, self.seed, 0.1) != split:
                return None
            return {"source": text, "target": ", ".join(sorted(order[:count])) or "-"}

        return collect(split, self.size(split), draw)

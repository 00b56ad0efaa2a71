"""English sentences with their trees: where a phrase belongs is a matter of its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from anyseq.core import Item
from anyseq.core.bracketed import read_tree, words
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

_PEOPLE = ("man", "woman", "girl", "boy", "teacher", "doctor", "painter", "farmer", "singer", "guard", "sailor", "cook")
_THINGS = ("book", "letter", "boat", "bread", "picture", "house", "apple", "car", "table", "clock", "cake", "coat")
_PLACES = ("garden", "park", "kitchen", "town", "harbour", "market", "street", "school", "forest", "station")
_TOOLS = ("telescope", "knife", "hammer", "spoon", "camera", "brush", "torch", "pencil")  # something is done with them
_MARKS = ("beard", "hat", "scar", "smile", "handle", "scarf", "stain", "ribbon")  # somebody is with them
_NAMES = ("Anna", "Peter", "Maria", "Tom", "Clara", "David", "Ruth", "Paul")
_ADJECTIVES = ("old", "young", "red", "small", "tired", "famous", "heavy", "green", "quiet", "strange")
_ADVERBS = ("quickly", "often", "never", "finally", "slowly", "gladly")
_DOING = ("saw", "found", "painted", "watched", "opened", "broke", "moved", "touched")
_BEING = ("slept", "laughed", "waited", "worked", "sang", "rested")
_SAYING = ("said", "thought", "knew", "hoped")
_DAYS = ("Monday", "Tuesday", "Friday", "Sunday")
_NUMBERS = ("two", "three", "seven", "ten", "twenty")


class SentencesConfig(SizedGeneratorConfig):
    """`the girl saw a man with a telescope .` and its tree, in which the telescope is what she sees with.

    A man with a beard has it; what is of something belongs to the word before it; where and when belong to what is
    done. Clauses that are said, relative clauses, coordinations and numbers nest. A keyed hash of the sentence decides
    on its split.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sentences are distinct."""
        rng = Random(f"{self.seed} {split}")

        def draw() -> Mapping[str, str] | None:
            target = _Writer(rng).sentence()
            source = " ".join(words(read_tree(target)))
            return {"source": source, "target": target} if split_of(source, self.seed, 0.1) == split else None

        return collect(split, self.size(split), draw)


class _Writer:
    """Writes one tree after another, the deeper the shorter."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def sentence(self) -> str:
        clause = self._clause(0)
        if self._chance(0.15):
            clause = f"(PP (IN on) (NP (NNP {self._one(_DAYS)}))) (, ,) {clause}"
        return f"(S {clause} (. .))"

    def _clause(self, depth: int) -> str:
        return f"{self._noun_phrase(_PEOPLE, depth)} {self._verb_phrase(depth)}"

    def _verb_phrase(self, depth: int) -> str:
        kind = self._rng.random()
        before = f"(ADVP (RB {self._one(_ADVERBS)})) " if self._chance(0.2) else ""
        if depth < 2 and kind < 0.2:
            that = "(IN that) " if self._chance(0.7) else ""
            return f"{before}(VP (VBD {self._one(_SAYING)}) (SBAR {that}(S {self._clause(depth + 1)})))"
        if kind < 0.4:
            inside = f"(VBD {self._one(_BEING)})"
        elif kind < 0.5:
            return f"{before}(VP (VBD was) (ADJP (RB very) (JJ {self._one(_ADJECTIVES)})))"
        else:
            what = self._noun_phrase(_PEOPLE if self._chance(0.4) else _THINGS, depth + 1)
            inside = f"(VBD {self._one(_DOING)}) {what}"
            if self._chance(0.35):
                inside += f" (PP (IN with) (NP (DT a) (NN {self._one(_TOOLS)})))"
        if self._chance(0.35):
            inside += f" {self._where()}"
        if depth < 2 and self._chance(0.1):
            return f"{before}(VP (VP {inside}) (CC and) (VP (VBD {self._one(_BEING)})))"
        return f"{before}(VP {inside})"

    def _where(self) -> str:
        if self._chance(0.3):
            return f"(PP (IN on) (NP (NNP {self._one(_DAYS)})))"
        return f"(PP (IN {self._one(('in', 'near', 'behind'))}) (NP (DT the) (NN {self._one(_PLACES)})))"

    def _noun_phrase(self, nouns: Sequence[str], depth: int) -> str:
        kind = self._rng.random()
        core = self._core(nouns)
        if depth > 2:
            return core
        if kind < 0.15:
            return f"(NP {core} (PP (IN with) (NP (DT a) (NN {self._one(_MARKS)}))))"
        if kind < 0.25:
            return f"(NP {core} (PP (IN of) {self._noun_phrase(_PEOPLE, depth + 1)}))"
        if kind < 0.33 and nouns is _PEOPLE:
            return f"(NP {core} (SBAR (WHNP (WP who)) (S {self._verb_phrase(depth + 1)})))"
        if kind < 0.43:
            return f"(NP {core} (CC and) {self._core(nouns)})"
        return core

    def _core(self, nouns: Sequence[str]) -> str:
        kind = self._rng.random()
        if nouns is _PEOPLE and kind < 0.2:
            return f"(NP (NNP {self._one(_NAMES)}))"
        adjective = f"(JJ {self._one(_ADJECTIVES)}) " if self._chance(0.3) else ""
        if kind < 0.3:
            number = f"(CD {self._one(_NUMBERS)})"
            number = f"(QP (RB about) {number})" if self._chance(0.4) else number
            noun = self._one([noun for noun in nouns if not noun.endswith("man")])
            return f"(NP {number} {adjective}(NNS {noun}{'es' if noun.endswith('x') else 's'}))"
        return f"(NP (DT {self._one(('the', 'the', 'this'))}) {adjective}(NN {self._one(nouns)}))"

    def _one(self, choices: Sequence[str]) -> str:
        return self._rng.choice(choices)

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

"""Labelled brackets by EVALB's rules, against cases computed by hand."""

from __future__ import annotations

import pytest

from anyseq.metrics.brackets import BracketScore

GOLD = "(S (NP (DT the) (NN dog)) (VP (VBZ sees) (NP (DT a) (NN cat)) (PP (IN in) (NP (NN town)))) (. .))"


def values(output: str, *references: str) -> tuple[float, ...]:
    measured = ("f1", "precision", "recall", "complete")
    return tuple(BracketScore(each).measure([output], [list(references)]).value for each in measured)  # type: ignore[arg-type]


def test_by_hand() -> None:
    """Gold: S 0-6, NP 0-2, VP 2-7, NP 3-5, PP 5-7, NP 6-7. Found: the PP in the NP: S, NP, VP, NP 3-7, NP, PP, NP."""
    output = "(S (NP (XX the) (XX dog)) (VP (XX sees) (NP (NP (XX a) (XX cat)) (PP (XX in) (NP (XX town))))) (XX .))"
    assert values(output, GOLD) == pytest.approx((100 * 12 / 13, 100 * 6 / 7, 100, 0))
    assert values(GOLD, GOLD) == (100, 100, 100, 100)


@pytest.mark.parametrize(
    "output",
    [
        "(TOP (S (NP the dog) (VP sees (NP a cat) (PP in (NP (NN town)) .))))",  # where the full stop hangs, and TOP
        "(S (NP-SBJ the dog) (VP sees (NP a cat) (PP=1 in (NP (XX town)))) (NP (-NONE- *)) (PRN (. .)))",
    ],
)
def test_what_does_not_count(output: str) -> None:
    assert values(output, GOLD) == (100, 100, 100, 100)


def test_particles_are_adverbs_and_doubled_brackets_count_twice() -> None:
    assert values("(VP (VB go) (PRT (RP on)))", "(VP (VB go) (ADVP (RB on)))")[0] == 100
    assert values("(NP (NP (NP (NN a) (NN b))))", "(NP (NP (NN a) (NN b)))") == pytest.approx((80, 200 / 3, 100, 0))


def test_punctuation_is_told_by_the_references_tags_or_by_itself() -> None:
    untagged = "(S (NP (XX a) (XX b)) (XX ,) (VP (XX c) (XX d)))"
    assert values("(S (NP a b ,) (VP c d))", untagged) == (100, 100, 100, 100)
    tagged = "(S (NP (NN a) (NN b)) (SYM -) (VP (NN c) (NN d)))"
    assert values("(S (NP a b -) (VP c d))", tagged)[3] == 0, "a word like any other"
    assert values("(S (NP a b -) (VP c d))", tagged.replace("SYM", ":"))[3] == 100


def test_other_words_have_nothing_right() -> None:
    assert values("(S (NP the dog) (VP barks))", GOLD) == (0, 0, 0, 0)
    assert values("the dog", GOLD)[0] == 0 and values("", GOLD) == (0, 100, 0, 0)
    assert values("(S (NP the cat) (VP sleeps now))", GOLD, "(S (NP the cat) (VP sleeps now))")[0] == 100, "the best"


def test_a_set_is_summed_over_its_brackets() -> None:
    outputs, golds = ["(S (NP a b) (VP c d))", "(S a b c)"], ["(S (NP a b) (VP c d))", "(S (NP a b) (XX c))"]
    value = BracketScore("f1").measure(outputs, [[gold] for gold in golds]).value
    assert value == pytest.approx(100 * 2 * 4 / (4 + 5))

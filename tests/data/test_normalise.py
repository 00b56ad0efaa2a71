import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyseq.data.text import Normalise
from anyseq.errors import DataError

ANY_TEXT = st.text(st.characters()) | st.text(st.sampled_from("aİıßςΣﬁé ̣́̇\u00a0\u3000\t\n\u2028¨가ᄀ"), max_size=12)
ALL_FORMS = [Normalise(u, c, s) for u in ("nfc", "nfkc", "none") for c in ("keep", "lower") for s in (True, False)]


@pytest.mark.parametrize("normalise", ALL_FORMS, ids=str)
@given(text=ANY_TEXT)
def test_twice_is_once(normalise, text):
    once = normalise(text)
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("normalise", "raw", "canonical"),
    [
        (Normalise(), " e\u0301\t\u3000ﬁ\n\x1c\u2028X ", "é ﬁ X"),
        (Normalise("nfkc", "lower"), "ﬁＸ²", "fix2"),
        (Normalise("nfc", "lower"), "H\u0331", "\u1e96"),
        (Normalise("none", squeeze=False), " e\u0301 ", " e\u0301 "),
        (Normalise(), "a\ud800b", "a\ufffdb"),
        (Normalise(), "", ""),
    ],
)
def test_canonical_forms(normalise, raw, canonical):
    assert normalise(raw) == canonical


@pytest.mark.parametrize("raw", [None, 3, b"bytes", ["a"]])
def test_what_is_no_text_is_refused(raw):
    with pytest.raises(DataError, match=type(raw).__name__):
        Normalise()(raw)

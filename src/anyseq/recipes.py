"""The literal table of all recipes: what `anyseq recipes` shows and `anyseq train NAME` trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anyseq.catalogue import nearest
from anyseq.errors import ConfigError


@dataclass(frozen=True)
class Recipe:
    """One line of `anyseq recipes`.

    Attributes:
        resource: Where the YAML lies: "package:file".
        shape: What goes in and what comes out.
        description: What is trained.
        data: What it trains on when no data is given.
    """

    resource: str
    shape: str
    description: str
    data: str

    @property
    def path(self) -> Path:
        """The YAML file. Found without importing its package, which would import torch."""
        package, _, name = self.resource.partition(":")
        return Path(__file__).parent.joinpath(*package.split(".")[1:], name)


RECIPES: dict[str, Recipe] = {
    "translate/attention": Recipe(
        "anyseq.tasks.translate:attention.yaml",
        "text → text",
        "bidirectional GRU encoder, GRU decoder with attention, joint subwords",
        "generated phrases",
    ),
    "translate/transformer": Recipe(
        "anyseq.tasks.translate:transformer.yaml", "text → text", "Transformer, joint subwords", "generated phrases"
    ),
    "translate/conv": Recipe(
        "anyseq.tasks.translate:conv.yaml",
        "text → text",
        "gated convolutions, attention in every decoder layer, joint subwords",
        "generated phrases",
    ),
    "translate/plain": Recipe(
        "anyseq.tasks.translate:plain.yaml",
        "text → text",
        "recurrent encoder and decoder joined by one vector alone",
        "generated phrases",
    ),
    "translate/sutskever": Recipe(
        "anyseq.tasks.translate:sutskever.yaml",
        "text → text",
        "deep LSTM encoder and decoder, the source read backwards, all layers' states handed over",
        "generated phrases",
    ),
    "translate/cho": Recipe(
        "anyseq.tasks.translate:cho.yaml",
        "text → text",
        "GRU encoder; GRU decoder that reads the source's one vector at every step, maxout output",
        "generated phrases",
    ),
    "translate/copying": Recipe(
        "anyseq.tasks.translate:copying.yaml",
        "text → text",
        "recurrent, whole words; what no vocabulary has is copied from the source (pointer-generator)",
        "generated sentences with invented names",
    ),
    "transduce/pairs": Recipe(
        "anyseq.tasks.transduce:pairs.yaml",
        "characters → characters",
        "any table of short pairs, by characters; GRU with attention",
        "dates, generated from CLDR (extra: examples)",
    ),
    "transduce/dates": Recipe(
        "anyseq.tasks.transduce:dates.yaml",
        "characters → characters",
        "dates as people write them, in 48 languages, to ISO 8601; GRU with attention",
        "generated from CLDR (extra: examples)",
    ),
    "transduce/copy": Recipe(
        "anyseq.tasks.transduce:copy.yaml", "characters → characters", "repeat the source", "generated strings"
    ),
    "transduce/reverse": Recipe(
        "anyseq.tasks.transduce:reverse.yaml",
        "characters → characters",
        "the source from back to front",
        "generated strings",
    ),
    "classify/characters": Recipe(
        "anyseq.tasks.classify:characters.yaml",
        "text → label",
        "short texts by their characters: languages, kinds of names; convolutions",
        "names of countries, CLDR: which language is it? (extra: examples)",
    ),
    "classify/words": Recipe(
        "anyseq.tasks.classify:words.yaml",
        "text → label",
        "texts by their words: sentiment, topic; bidirectional GRU, the largest value of each channel",
        "generated opinions, with negations and changes of mind",
    ),
    "classify/labels": Recipe(
        "anyseq.tasks.classify:labels.yaml",
        "text → labels",
        "several labels for a text by its words, each for itself; bidirectional GRU",
        "generated enquiries about several things at once",
    ),
    "classify/pronouns": Recipe(
        "anyseq.tasks.classify:pronouns.yaml",
        "text → label",
        "he or she, as the last of several subjects was: what an LSTM's gates are for (`inspect` finds the cell)",
        "generated sentences with several subjects",
    ),
    "classify/linear": Recipe(
        "anyseq.tasks.classify:linear.yaml",
        "picture → label",
        "one linear layer and a softmax: the least there is",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/dense": Recipe(
        "anyseq.tasks.classify:dense.yaml",
        "picture → label",
        "two dense layers of 256",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/pictures": Recipe(
        "anyseq.tasks.classify:pictures.yaml",
        "picture → label",
        "a small convolution",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/rows": Recipe(
        "anyseq.tasks.classify:rows.yaml",
        "picture → label",
        "its rows read one by one; GRU",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "classify/sounds": Recipe(
        "anyseq.tasks.classify:sounds.yaml",
        "sound → label",
        "recordings as log-mel frames; bidirectional GRU",
        "a telephone's keys in noise, generated",
    ),
    "answer/attention": Recipe(
        "anyseq.tasks.answer:attention.yaml",
        "text → text",
        "a question over a story: it looks at the sentences in several hops (memory network)",
        "generated stories: who is where, who has what",
    ),
    "answer/plain": Recipe(
        "anyseq.tasks.answer:plain.yaml",
        "text → text",
        "the same without attention: GRU, the story in one vector",
        "generated stories",
    ),
    "answer/dialogue": Recipe(
        "anyseq.tasks.answer:dialogue.yaml",
        "text → text",
        "the next turn of a dialogue from the last ones (`predict --interactive`); GRU with attention that copies",
        "generated small talk with somebody who remembers",
    ),
    "tag/aligned": Recipe(
        "anyseq.tasks.tag:aligned.yaml",
        "tokens → a tag each",
        "bidirectional GRU over words and their characters, a softmax at each",
        "generated sentences with names of people and places",
    ),
    "tag/crf": Recipe(
        "anyseq.tasks.tag:crf.yaml",
        "tokens → a tag each",
        "the same, all tags of a sentence together (CRF), spans in IOB",
        "generated sentences with names of people and places",
    ),
    "tag/autocomplete": Recipe(
        "anyseq.tasks.tag:autocomplete.yaml",
        "tokens → a tag each",
        "the word that letters will become, at every letter, to see how far back a model looks; GRU",
        "Python's manual of its language",
    ),
    "autoencode/text": Recipe(
        "anyseq.tasks.autoencode:text.yaml",
        "text → itself",
        "a text in one vector and back: its fingerprint, for `anyseq embed`; GRU",
        "generated phrases",
    ),
    "language_model/names": Recipe(
        "anyseq.tasks.language_model:names.yaml",
        "nothing → text",
        "names, letter by letter, from nothing or from their beginning on; GRU",
        "names of countries and languages in 14 languages, CLDR (extra: examples)",
    ),
    "language_model/text": Recipe(
        "anyseq.tasks.language_model:text.yaml",
        "nothing → text",
        "one long text by characters, the state carried from piece to piece; LSTM",
        "Python's manual of its language",
    ),
    "parse/guided": Recipe(
        "anyseq.tasks.parse:guided.yaml",
        "tokens → a tree over them",
        "bidirectional LSTM over words and their characters; an LSTM that reads where it writes; always a tree",
        "generated English sentences",
    ),
    "parse/attention": Recipe(
        "anyseq.tasks.parse:attention.yaml",
        "tokens → a tree over them",
        "LSTMs with attention: trees as a foreign language, repaired where they are none",
        "generated English sentences",
    ),
    "parse/plain": Recipe(
        "anyseq.tasks.parse:plain.yaml",
        "tokens → a tree over them",
        "the same without attention, the sentence read backwards",
        "generated English sentences",
    ),
    "tag/intents": Recipe(
        "anyseq.tasks.tag:intents.yaml",
        "tokens → a label and a tag each",
        "what a command wants, and the words that say of what: the same, with a label before the tags",
        "generated commands with invented titles and towns",
    ),
    "tag/wake_word": Recipe(
        "anyseq.tasks.spot:wake_word.yaml",
        "sound → when a word is said",
        "a wake word in sound that goes on, heard as it comes (`predict --input -`); causal GRU",
        "a telephone's keys in noise and babble, generated",
    ),
    "transduce/expand": Recipe(
        "anyseq.tasks.transduce:expand.yaml",
        "characters → characters",
        "a3b2 → aaabb: outputs up to ten times the input",
        "generated strings",
    ),
    "transduce/pronounce": Recipe(
        "anyseq.tasks.transduce:pronounce.yaml",
        "characters → tokens",
        "letters to sounds, any of several pronunciations is right; LSTM with attention",
        "generated words in an English-like orthography",
    ),
    "transduce/inflect": Recipe(
        "anyseq.tasks.transduce:inflect.yaml",
        "characters and features → characters",
        "a lemma and features to the inflected form; LSTM with attention",
        "generated nouns and verbs with vowel harmony and consonant gradation",
    ),
    "point/hull": Recipe(
        "anyseq.tasks.point:hull.yaml",
        "points → some of them",
        "the convex hull of points, of any number; Transformer, pointer decoder (Ptr-Net)",
        "points and their hulls, drawn anew for every epoch",
    ),
    "point/delaunay": Recipe(
        "anyseq.tasks.point:delaunay.yaml",
        "points → some of them",
        "the Delaunay triangulation of points; the same",
        "points and their triangulations, drawn anew for every epoch (extra: examples)",
    ),
    "point/tsp": Recipe(
        "anyseq.tasks.point:tsp.yaml",
        "points → some of them",
        "the shortest round trip through cities; the same, every tour valid",
        "cities and their exact shortest tours, drawn anew for every epoch",
    ),
    "point/routes": Recipe(
        "anyseq.tasks.point:routes.yaml",
        "points → some of them",
        "short round trips from rewards alone; Transformer, attention model of routing (POMO)",
        "cities, drawn anew for every epoch",
    ),
    "point/sort": Recipe(
        "anyseq.tasks.point:sort.yaml",
        "numbers → some of them",
        "numbers in increasing order, by their places; LSTM, pointer decoder",
        "numbers, drawn anew for every epoch",
    ),
    "music/chorales": Recipe(
        "anyseq.tasks.music:chorales.yaml",
        "nothing → music",
        "pieces of several voices as piano rolls, from nothing or a beginning on, MIDI (extra: examples) or text; LSTM",
        "generated progressions in four voices, of four styles",
    ),
    "music/collection": Recipe(
        "anyseq.tasks.music:collection.yaml",
        "music → label",
        "which collection a piece is from, after any number of frames; MIDI (extra: examples), texts; GRU",
        "generated progressions in four voices, of four styles",
    ),
    "autoencode/pictures": Recipe(
        "anyseq.tasks.autoencode:pictures.yaml",
        "picture → itself",
        "in one vector of a few numbers and back, row by row: fingerprints, what is odd; GRU",
        "scikit-learn's handwritten digits (extra: examples)",
    ),
    "autoencode/series": Recipe(
        "anyseq.tasks.autoencode:series.yaml",
        "series → itself",
        "windows in one vector of a few numbers and back: anomaly scores, fingerprints; GRU",
        "hourly sales, generated",
    ),
    "forecast/series": Recipe(
        "anyseq.tasks.forecast:series.yaml",
        "series → its next rows",
        "with intervals, known columns and the calendar; GRU, all rows at once, quantiles",
        "monthly sales, generated",
    ),
    "forecast/autoregressive": Recipe(
        "anyseq.tasks.forecast:autoregressive.yaml",
        "series → its next rows",
        "one by one, each read again; GRU, Student's t, intervals from sampled futures",
        "monthly sales, generated",
    ),
    "forecast/direct": Recipe(
        "anyseq.tasks.forecast:direct.yaml",
        "series → its next rows",
        "long forecasts of several variables; segments of a day, GRU over these (SegRNN)",
        "hourly sales, generated",
    ),
    "forecast/repeat_vector": Recipe(
        "anyseq.tasks.forecast:repeat_vector.yaml",
        "series → its next rows",
        "a lecture's Keras model: GRU, RepeatVector, GRU, batch normalisation",
        "hourly sales, generated",
    ),
}


def recipe(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in RECIPES:
        raise ConfigError(
            f"no recipe is called {name!r}{nearest(name, RECIPES)} (the recipes: {', '.join(RECIPES)};"
            " a file of your own ends in .yaml)"
        )
    return RECIPES[name]

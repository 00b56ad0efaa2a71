"""Settings of a search, as a recipe or the command line gives them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from anyseq.core import Constraint, Decoder, Hypotheses, Memory, Padded, PartConfig
from anyseq.core.parts import LARGEST_SEED
from anyseq.search.constraints import All, MinLength, NoRepeatNgram
from anyseq.search.forbidden import ForbiddenTexts
from anyseq.search.loop import search
from anyseq.search.penalties import Penalties
from anyseq.search.renumbered import Renumbered
from anyseq.search.stops import AtBudget, EndSymbol
from anyseq.search.strategies import LEAST_TEMPERATURE, Beam, Greedy, Sampling, Strategy


class SearchConfig(PartConfig):
    """How outputs are searched for. Lengths count the end symbol and the prefix."""

    beam_size: int = Field(5, ge=1, description="hypotheses kept for each source; 1 is greedy")
    length_penalty: float = Field(
        0.0, ge=0, description="alpha of Wu et al. 2016: 0 prefers short outputs, 1 is close to a mean per symbol"
    )
    coverage_penalty: float = Field(
        0.0, ge=0, description="beta of Wu et al. 2016: punishes source positions never attended to; needs attention"
    )
    min_length: int = Field(1, ge=1, description="shortest output, in symbols")
    max_length: int = Field(256, ge=1, description="longest output, in symbols")
    max_length_ratio: float | None = Field(
        None, gt=0, description="longest output in symbols per element of the source, capped by max_length"
    )
    max_length_extra: int = Field(0, ge=0, description="symbols granted on top of max_length_ratio")
    no_repeat_ngram: int = Field(0, ge=0, description="let no run of this many symbols occur twice; 0 is off")
    samples: int = Field(0, ge=0, description="draw this many outputs instead of searching for the best; 0 is off")
    temperature: float = Field(
        1.0, ge=LEAST_TEMPERATURE, description="sampling: below 1 sharper, above 1 flatter"
    )
    top_k: int = Field(0, ge=0, description="sampling: among the k likeliest symbols only; 0 is all")
    top_p: float = Field(1.0, gt=0, le=1, description="sampling: among the likeliest symbols with this share; 1 is all")
    spread: bool = Field(
        False, description="sampling: the samples of a source begin with different symbols, its likeliest; as many "
        "samples as cities begin a tour with each of them once (POMO)"
    )
    n_best: int = Field(
        1, ge=1, description="hypotheses returned for each source; of samples, 1 is all unless mbr, shortest or a "
        "model chooses",
    )  # fmt: skip
    prefix: str | None = Field(None, description="text every output starts with")
    forbid: tuple[str, ...] = Field(
        (),
        strict=False,
        description="words or texts that occur in no output, in whatever symbols it is written: `cat` forbids `cat.`, "
        "not `category`; Chinese, Japanese, Thai ... and punctuation are forbidden wherever they stand",
    )
    replace_unknown: bool = Field(
        False, description="write the part of the source looked at most for each unknown one; needs attention"
    )
    batch_tokens: int = Field(4096, ge=1, description="source elements searched at a time, padding counted")
    seed: int = Field(0, ge=0, le=LARGEST_SEED, description="sampling: another seed gives other draws")

    @model_validator(mode="after")
    def _pairs(self) -> SearchConfig:
        """Refuse settings that contradict each other; all of them at once."""
        faults = []
        if not self.samples:
            settings = (("temperature", self.temperature, 1), ("top_k", self.top_k, 0), ("top_p", self.top_p, 1),
                        ("spread", self.spread, False))  # fmt: skip
            for name, value, off in settings:
                if value != off:
                    faults.append(f"{name} {value} is for sampling: set samples to 1 or more, or {name} to {off}")
            if self.n_best > self.beam_size:
                more = f"n_best {self.n_best} needs a beam_size of {self.n_best} or more"
                faults.append(f"{more} (--beam-size {self.n_best}), not {self.beam_size}")
        elif self.n_best > self.samples:
            faults.append(f"n_best {self.n_best} needs samples of {self.n_best} or more, not {self.samples}")
        if self.min_length > self.max_length:
            faults.append(f"min_length {self.min_length} is above max_length {self.max_length}")
        if self.max_length_extra and self.max_length_ratio is None:
            faults.append(f"max_length_extra {self.max_length_extra} adds to max_length_ratio, which is not set")
        if not all(self.forbid):
            faults.append("forbid holds an empty text, which occurs in every output: leave it out")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def width(self) -> int:
        """Hypotheses that are found for each source."""
        return self.samples or self.beam_size

    @property
    def returned(self) -> int:
        """Hypotheses that are returned for each source."""
        return self.n_best if self.n_best > 1 or not self.samples else self.samples

    def strategy(self) -> Strategy:
        """Greedy, beam or sampling."""
        if self.samples:
            return Sampling(self.samples, self.temperature, self.top_k, self.top_p, self.seed, self.spread)
        return Greedy() if self.beam_size == 1 else Beam(self.beam_size)

    def penalties(self) -> Penalties:
        """What makes the score."""
        return Penalties(self.length_penalty, self.coverage_penalty)

    def stop(self) -> EndSymbol:
        """When an output of symbols is complete, and when it is cut."""
        return EndSymbol(self.max_length, self.max_length_ratio, self.max_length_extra)

    def constraint(
        self, vocab_size: int, forbidden: ForbiddenTexts | None = None, also: Sequence[Constraint] = ()
    ) -> Constraint | None:
        """What the user allows; None where that is everything.

        Args:
            vocab_size: Symbols of the target.
            forbidden: What `forbid` names, by the spelling of the target's codec.
            also: What the task asks for besides.
        """
        parts: list[Constraint] = list(also)
        if self.min_length > 1:
            parts.append(MinLength(self.min_length, vocab_size))
        if self.no_repeat_ngram:
            parts.append(NoRepeatNgram(self.no_repeat_ngram, vocab_size))
        if forbidden is not None:
            parts.append(forbidden.within(self.stop()))
        return All(parts) if len(parts) > 1 else parts[0] if parts else None

    def run(
        self,
        decoder: Decoder,
        memory: Memory,
        *,
        vocab_size: int,
        forbidden: ForbiddenTexts | None = None,
        prefix: Padded | None = None,
        own: int = 0,
        also: Sequence[Constraint] = (),
    ) -> Hypotheses:
        """Search with all of these settings.

        Args:
            decoder: Any that feeds its output back.
            memory: As `Model.encode` gives it.
            vocab_size: Symbols of the target; 0 where vectors are emitted.
            forbidden: What `forbid` names, by the spelling of the target's codec.
            prefix: What `prefix` says, encoded, without end symbol; one row a source. Vectors need one, if of no place,
                [source, 0, dim].
            own: Symbols behind the vocabulary that sources of this batch have of their own; `forbidden` may name them,
                and `memory.own` says which of them each source has.
            also: What the task asks for besides.

        Raises:
            UsageError: this decoder cannot do what is asked.
        """
        constraint = self.constraint(vocab_size + own, forbidden, also)
        stop = self.stop()
        if not decoder.discrete:
            stop = AtBudget(self.max_length, self.max_length_ratio, self.max_length_extra)
        return search(
            decoder, memory, strategy=self.strategy(), stop=stop, penalties=self.penalties(),
            constraint=Renumbered(constraint, vocab_size) if own and constraint is not None else constraint,
            prefix=prefix, n_best=self.returned,
        )  # fmt: skip

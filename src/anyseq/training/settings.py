"""How long and how hard to train."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anyseq.core import PartConfig
from anyseq.core.parts import LARGEST_SEED

Decay = Annotated[float, Field(ge=0, lt=1)]


class TrainingConfig(PartConfig):
    """Settings of the training loop."""

    max_steps: int | None = Field(None, ge=1, description="stop after this many updates")
    max_minutes: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="stop after this many minutes of training"
    )
    learning_rate: float = Field(1e-3, gt=0, description="the highest learning rate")
    schedule: Literal["constant", "inverse_sqrt", "cosine", "plateau"] = Field(
        "cosine",
        description="learning rate after warm-up: constant; inverse_sqrt: by 1/sqrt(step); cosine: to 0 at the end; "
        "plateau: less whenever validations get no better, until min_learning_rate ends training",
    )
    plateau_factor: float = Field(0.5, gt=0, lt=1, description="plateau: what the learning rate is multiplied by")
    plateau_patience: int = Field(
        3, ge=1, description="plateau: validations without a better one (by `metric`) before the learning rate falls"
    )
    min_learning_rate: float | None = Field(
        1e-5, gt=0, description="plateau: training ends when the learning rate would fall below it; null: it never does"
    )
    warmup_steps: int = Field(400, ge=0, description="updates over which the learning rate rises from 0")
    batch_tokens: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        4096, description="padded tokens of a batch (of all processes) on its longer side; auto: the most that fits "
        "into memory (tried before the first step), up to 4096 on a processor and 32768 on a GPU, and few enough "
        "for 20 batches an epoch"
    )  # fmt: skip
    accumulate: int = Field(1, ge=1, description="batches whose gradients are added before an update")
    grad_clip_norm: float | None = Field(1.0, gt=0, description="longest gradient; null: no clipping")
    weight_decay: float = Field(0.01, ge=0, description="decoupled weight decay of the matrices")
    adam_betas: tuple[Decay, Decay] = Field((0.9, 0.98), description="decay of AdamW's two averages, in [0, 1)")
    average: float = Field(0.0, ge=0, lt=1, description="decay of the moving average of the weights; 0: none")
    validate_every: int = Field(500, ge=1, description="updates between validations")
    validate_items: int = Field(200, ge=1, description="dev items decoded at a validation; all of them at the end")
    metric: str | None = Field(None, description="decides what is best: a metric's name or loss; null: the first")
    patience: int | None = Field(None, ge=1, description="stop after this many validations without a better one")
    compile: bool = Field(
        False, description="hand the loss to torch.compile: a minute at the start; slower on a processor, measured"
    )
    keep_checkpoints: int = Field(
        2, ge=1, description="the newest checkpoints are kept, so many, and the best; 1: none to fall back to"
    )
    save_minutes: float = Field(
        10.0, gt=0, description="a checkpoint to go on from is written at least so often, also between validations"
    )
    tensorboard: bool = Field(
        False, description="also write events for TensorBoard into the run's folder (extra: tensorboard)"
    )
    freeze: tuple[str, ...] = Field(
        (), description="parts that are not trained: names of parameters or what they begin with, * allowed "
        "([encoder, decoder.*.bias]); whole frozen parts are at rest, without dropout"
    )  # fmt: skip
    max_skipped_updates: int = Field(
        5, ge=1, description="updates in a row skipped for a loss or gradient that is not finite, before training goes "
        "back to a checkpoint with half the learning rate; given up at the fourth return without a validation between"
    )  # fmt: skip
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="seed of initial weights, shuffling and dropout")

    def remarks(self, seconds_per_update: float | None = None) -> list[str]:
        """What is odd about these settings, though it may be meant.

        Args:
            seconds_per_update: As measured; None: not known yet, so that nothing is said about minutes.
        """
        rising = f"training.warmup_steps={self.warmup_steps} are over, so that the learning rate never reaches"
        remedy = f"training.learning_rate={self.learning_rate}: lower training.warmup_steps (a tenth of all is usual)"
        if self.max_steps is not None and self.max_steps < self.warmup_steps:
            return [f"training.max_steps={self.max_steps} ends before {rising} {remedy}, or train longer"]
        if self.max_minutes is not None and seconds_per_update is not None:
            updates = round(self.max_minutes * 60 / seconds_per_update)
            if updates < self.warmup_steps:
                allowed = f"training.max_minutes={self.max_minutes:g} allows about {updates} updates at this speed, and"
                return [f"{allowed} ends before {rising} {remedy}, or train longer"]
        return []

    @model_validator(mode="after")
    def _ends(self) -> Self:
        least = self.min_learning_rate if self.schedule == "plateau" else None
        if self.max_steps is None and self.max_minutes is None and self.patience is None and least is None:
            raise ValueError(
                "training would never end: set max_steps, max_minutes or patience (or schedule plateau and "
                "min_learning_rate)"
            )
        if least is not None and least > self.learning_rate:
            raise ValueError(f"min_learning_rate {least} is above learning_rate {self.learning_rate}: lower it")
        if self.schedule == "cosine" and self.max_steps is None and self.max_minutes is None:
            raise ValueError("schedule cosine must know the end: set max_steps or max_minutes, or use inverse_sqrt")
        return self

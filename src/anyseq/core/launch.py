"""Which of several processes this one is, as torchrun (or whoever started them) says in the environment.

Without torch, so that the command line can ask before it imports it.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """How this process was started.

    Attributes:
        rank: Its number among all.
        world: How many there are, on all machines.
        local_rank: Its number on this machine.
        restarts: How often all of them were started anew, because one had failed.
        identity: The same for all processes of one call of torchrun, restarted ones, too; None: it was not torchrun.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    restarts: int = 0
    identity: str | None = None

    @property
    def first(self) -> bool:
        """Whether it is the one that speaks and writes."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.world > 1


def launch() -> Launch:
    """Read the environment; where it does not name a place to meet, this process is alone."""
    if not all(os.environ.get(name) for name in _NEEDED):
        return Launch()
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    # Who gives no --rdzv-id has "none"; the parent of all workers of a machine is then torchrun itself.
    identity = f"{socket.gethostname()}:{os.getppid()}" if run == "none" else run
    rank, world, local, restarts = (
        int(os.environ.get(name) or 0) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT")
    )
    return Launch(rank, world, local, restarts, identity)

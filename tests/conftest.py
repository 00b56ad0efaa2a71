from __future__ import annotations

import run_time_types

run_time_types.install()  # before anything of anyseq is imported

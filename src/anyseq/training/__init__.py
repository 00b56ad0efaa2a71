"""The training loop, objectives, schedules, checkpoints."""

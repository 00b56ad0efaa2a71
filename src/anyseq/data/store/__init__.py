"""Data larger than memory: encoded once into shards on disk, from which training reads what each batch needs."""

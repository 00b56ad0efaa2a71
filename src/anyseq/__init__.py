"""anyseq: any sequence in, any sequence out."""

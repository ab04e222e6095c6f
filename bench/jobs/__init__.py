"""Sweeps as jobs: one per missing artefact, in a pool of processes or on a Slurm cluster."""

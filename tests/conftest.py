"""Fixtures for all: where the shared reference material lies, and one torch thread per worker."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """../shared beside the project: goldens, clips, specifications. Tests that need it skip without it."""
    if not (SHARED / "README.md").exists():
        pytest.skip(f"reference material is not at {SHARED}")
    return SHARED

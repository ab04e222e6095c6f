"""One process makes an artefact, the others wait for it."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from bench.context import Context


def alone(file, final: Path, ctx: Context, poll_s: float = 0.2) -> bool:
    """Hold `file` exclusively; False as soon as `final` is there.

    lockf, not flock: the kernel drops it at kill -9 and forked workers do not inherit it.
    """
    waited = False
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        os.listdir(final.parent)  # NFS revalidates the folder
        if final.exists():
            return False
        if held:
            file.truncate(0)
            file.write(f"{socket.gethostname()} pid {os.getpid()} job {os.environ.get('SLURM_JOB_ID', '-')}\n")
            file.flush()
            return True
        if not waited:
            ctx.say(f"waiting for {final.name}, which another process makes")
            waited = True
        ctx.check()
        time.sleep(poll_s)

"""A real Slurm cluster of one node on loopback, started from Debian's packages slurm-wlm and munge."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "srun")

# cred_expire and KillWait: a requeue takes 10 s, with Slurm's defaults 170
CONF = """
ClusterName=micro
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={slurmd}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=1,sched_interval=2,sched_min_interval=100000,bf_interval=2
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MaxArraySize=3
KillWait=3
MinJobAge=300
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=micro Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=9
"""


@dataclass
class Cluster:
    """folder: of keys, state and logs; a short path, for a socket's name has at most 107 letters."""

    folder: Path
    cpus: int = 2
    running: list[subprocess.Popen] = field(default_factory=list)

    @staticmethod
    def lacking() -> list[str]:
        """Programs of Slurm and munge that are not installed."""
        return [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]

    def start(self) -> None:
        """Start the daemons and point this process's environment at them; RuntimeError with their logs if the node does not come up."""
        user, host = _command("id", "-un").strip(), socket.gethostname().partition(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        conf = CONF.format(folder=self.folder, host=host, user=user, ctld=_port(), slurmd=_port(), cpus=self.cpus)
        (self.folder / "slurm.conf").write_text(conf)
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        munge = {"key-file": key.name} | {f"{n}-file": f"munge.{n}" for n in ("pid", "log", "seed")} | {"socket": "munge.socket"}
        self._run("munged", "-F", "--force", *(f"--{n}={self.folder / path}" for n, path in munge.items()))
        _wait(lambda: (self.folder / "munge.socket").exists(), 10, self)
        self._run("slurmctld", "-D")
        self._run("slurmd", "-D", "-N", host)
        _wait(lambda: _command("sinfo", "-h", "-o", "%T", check=False).strip() == "idle", 60, self)

    def stop(self) -> None:
        """End all jobs and daemons."""
        _command("scancel", "--me", "--signal=KILL", check=False)
        _command("scancel", "--me", check=False)
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        os.environ.pop("SLURM_CONF", None)

    def logs(self) -> str:
        paths = [*self.folder.glob("*.log"), *self.folder.glob("*.out")]
        return "\n".join(f"==> {p.name}\n{p.read_text(errors='replace')[-1500:]}" for p in sorted(paths))

    def _run(self, name: str, *args: str) -> None:
        path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
        assert path is not None
        with open(self.folder / f"{name}.out", "wb") as out:
            self.running.append(subprocess.Popen([path, *args], stdout=out, stderr=out, start_new_session=True))


def _command(*words: str, check: bool = True) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=check).stdout


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _wait(ready, seconds: float, cluster: Cluster) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            logs = cluster.logs()
            cluster.stop()
            raise RuntimeError(f"the cluster did not start within {seconds:.0f} s\n{logs}")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def cluster():
    """A running cluster with two cores. Without Slurm its tests skip, but not where BENCH_NEED_SLURM is set (.ci/run)."""
    if lacking := Cluster.lacking():
        if os.environ.get("BENCH_NEED_SLURM"):
            pytest.fail(f"BENCH_NEED_SLURM is set and these programs are not installed: {', '.join(lacking)}")
        pytest.skip(f"no Slurm here: {', '.join(lacking)} are not installed (Debian: slurm-wlm, munge)")
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))
    one = Cluster(folder)
    one.start()
    yield one
    one.stop()
    shutil.rmtree(folder)

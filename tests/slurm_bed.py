"""A real Slurm on this machine: munged, slurmctld and slurmd of Debian, in a folder of their own."""

import contextlib
import functools
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo", "scancel")
PARTITION = "cpu"
_START = 30.0  # seconds in which all nodes must be idle
_GOING_ON = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"}
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

_CONFIG = """
ClusterName=toktk
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
SlurmdParameters=config_overrides
MaxArraySize={max_array}
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
KillWait=2
{nodes}
PartitionName={partition} Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@functools.cache
def why_not() -> str | None:
    """Return why Slurm cannot be started here; None where it can."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurmctld slurmd slurm-client munge"
    try:
        with slurm():
            return None
    except (OSError, RuntimeError) as error:
        return f"Slurm does not start: {error}"


@contextlib.contextmanager
def slurm(nodes: int = 2, max_array: int = 1001) -> Iterator[dict[str, str]]:
    """Start Slurm with nodes of one core each; yield the environment of its commands, and stop it in the end.

    Raises:
        RuntimeError: a program ended, or a node is not idle in time.
    """
    # Names of sockets are short, so this is no folder of pytest.
    with contextlib.ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        folder.chmod(0o755)  # munged wants it so
        ports = free_ports(nodes + 1)
        config = folder / "slurm.conf"
        config.write_text(
            _CONFIG.format(
                host=socket.gethostname(),
                port=ports[0],
                user=getpass.getuser(),
                folder=folder,
                max_array=max_array,
                partition=PARTITION,
                nodes="\n".join(
                    f"NodeName=n{i} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} "
                    "CPUs=1 RealMemory=4000 State=UNKNOWN"
                    for i, port in enumerate(ports[1:])
                ),
            )
        )
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))},
            "PATH": _PATH,
            "SLURM_CONF": str(config),
        }
        daemons = [
            "munged --foreground --force --key-file={0}/munge.key --socket={0}/munge.socket "
            "--pid-file={0}/munged.pid --log-file={0}/munged.log --seed-file={0}/munge.seed",
            "slurmctld -D -c",
            *(f"slurmd -D -N n{i}" for i in range(nodes)),
        ]
        for daemon in daemons:
            command = daemon.format(folder).split()
            with (folder / f"{command[0]}.out").open("ab") as out:
                process = subprocess.Popen(
                    command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
                )
            at_end.callback(stop, process)
            if command[0] == "munged":
                _wait_for(lambda: (folder / "munge.socket").exists(), process, folder)
        at_end.callback(_cancel_all, environment)
        idle = ["sinfo", "-h", "-N", "-t", "idle", "-o", "%N"]
        _wait_for(lambda: len(said(idle, environment).split()) == nodes, process, folder)
        yield environment


def said(command: list[str], environment: Mapping[str, str]) -> str:
    """Return what a command of Slurm writes."""
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


def jobs(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the state of each task of each job, those that ended too: ``{"1_7": "FAILED"}``."""
    lines = said(["squeue", "-h", "-r", "-t", "all", "-o", "%i %T"], environment).splitlines()
    return dict(line.split() for line in lines)


def wait_for_jobs(environment: Mapping[str, str], seconds: float = 300) -> dict[str, str]:
    """Wait until no job waits or runs; return their states."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        states = jobs(environment)
        if not _GOING_ON & {*states.values()}:
            return states
        time.sleep(0.2)
    raise RuntimeError(f"jobs after {seconds:.0f} s: {jobs(environment)}")


def _wait_for(is_there, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START
    while not is_there():
        if process.poll() is not None or time.monotonic() > deadline:
            logs = [*folder.glob("*.out"), *folder.glob("*.log")]
            ends = [path.name + ": " + path.read_text(errors="replace")[-300:] for path in logs]
            raise RuntimeError(" / ".join(ends))
        time.sleep(0.1)


def _cancel_all(environment: Mapping[str, str]) -> None:
    said(["scancel", "--user", getpass.getuser()], environment)
    with contextlib.suppress(RuntimeError):
        wait_for_jobs(environment, 10)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as at_end:
        sockets = [at_end.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]

"""Many boxes at once: each in a thread of its own, one line each; none holds up the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from host.provisioning.job import Job
from host.provisioning.outcome import Stopped
from host.provisioning.run import provision

AT_ONCE_MAX = 16
LOOK_S = 0.2  # a Ctrl-C that another thread was given is seen after so long


@dataclass
class Result:
    """How it ended: `code` 0 or what the command would exit with, `text` the reason."""

    port: str
    serial: str
    code: int = 0
    text: str = ""
    stopped: Stopped | None = None

    def as_dict(self) -> dict[str, object]:
        told: dict[str, object] = {"port": self.port, "serial": self.serial, "code": self.code}
        return {**told, **(self.stopped.as_dict() if self.stopped else {})}


def provision_all(
    jobs: list[Job], until: str, ended: Callable[[Result], None] = lambda result: None
) -> list[Result]:
    """Provision all; a bug in one is that box's result too.

    After Ctrl-C each ends where it can be taken up again, and the results tell which did.
    """
    lock = threading.Lock()

    def one(job: Job) -> Result:
        result = Result(job.port, job.order.serial)
        try:
            provision(job, until)
        except Stopped as stopped:
            result.code, result.text, result.stopped = stopped.code, str(stopped), stopped
        except Exception as error:
            result.code, result.text = 1, f"{type(error).__name__}: {error}"
        with lock:
            ended(result)
        return result

    with ThreadPoolExecutor(min(AT_ONCE_MAX, max(1, len(jobs)))) as pool:
        running: list[Future[Result]] = []
        try:
            running += [pool.submit(one, job) for job in jobs]
            while wait(running, LOOK_S).not_done:
                pass
        except KeyboardInterrupt:
            for job in jobs:
                job.must_end = True
        return [future.result() for future in running]

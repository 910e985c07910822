"""The eight steps in their order, each looked at again whenever the command is repeated."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from host.provisioning import (
    repl,
    step_certify,
    step_check,
    step_configure,
    step_detect,
    step_flash,
    step_identity,
    step_service,
    step_test,
)
from host.provisioning.job import Job
from host.provisioning.outcome import Stopped
from host.provisioning.texts import _


@dataclass(frozen=True)
class Step:
    """`run` does what is not done yet and gives one line; it raises Stopped."""

    name: str
    title: str
    run: Callable[[Job], str]


STEPS = (
    Step("detect", step_detect.TITLE, step_detect.run),
    Step("flash", step_flash.TITLE, step_flash.run),
    Step("identity", step_identity.TITLE, step_identity.run),
    Step("configure", step_configure.TITLE, step_configure.run),
    Step("test", step_test.TITLE, step_test.run),
    Step("check", step_check.TITLE, step_check.run),
    Step("service", step_service.TITLE, step_service.run),
    Step("certify", step_certify.TITLE, step_certify.run),
)
NAMES = tuple(step.name for step in STEPS)


def provision(job: Job, until: str = NAMES[-1]) -> None:
    """Take the box through the steps up to `until`. Raises Stopped at the first that cannot."""
    try:
        for number, step in enumerate(STEPS, 1):
            job.check_end()
            job.screen.step(number, len(STEPS), _(step.title))
            job.screen.done(step.run(job))
            if step.name == until:
                break
    finally:
        job.screen.close()
        if job.must_restart:  # it stands stopped at the prompt
            with suppress(Stopped):
                repl.reset(job.port)

"""A fork of this process that may hang."""

from __future__ import annotations

import os
import select
import signal
import traceback
from collections.abc import Callable


def in_child(work: Callable[[], bytes], seconds: float = 60) -> bytes:
    """What `work` returns in a forked child; the child is killed when it takes longer.

    Raises:
        TimeoutError: It took longer.
        ChildProcessError: It failed; what it wrote to stderr says why.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        ended = select.select([answers], [], [], seconds)[0]
        if not ended:
            os.kill(pid, signal.SIGKILL)
        answer = answers.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not ended:
        raise TimeoutError(f"the child did not answer in {seconds:g} s")
    if code:
        raise ChildProcessError(f"the child ended with {code}")
    return answer


def _answer(work: Callable[[], bytes], writing: int) -> None:
    """Write what `work` returns, and end the process without the exit handlers of its parent."""
    code = 1
    try:
        with os.fdopen(writing, "wb") as answers:
            answers.write(work())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)

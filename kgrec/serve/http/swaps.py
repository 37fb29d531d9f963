"""Another model in the place of the one that answers: loaded beside it, tested, swapped in whole, or left out.

Enters: a model folder, or a folder of releases. Leaves: whether a model was swapped in. Writes snapshots.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgrec.errors import ArtifactError, KgrecError
from kgrec.model import storage
from kgrec.model.model import Model
from kgrec.serve.http.memory import give_back
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.service import Service
from kgrec.serve.releases import Release, newest, release
from kgrec.serve.self_test import self_test

logger = logging.getLogger("kgrec.serve")

#: seconds between two looks into a folder of releases
_EVERY = 2.0
#: seconds until a model that could not be used is tried again
_AGAIN = 60.0


@dataclass
class Swaps:
    """Models of one server.

    Args:
        service: Answers.
        folder: The model folder of the command line.
        releases: The folder of releases, if models come from there.
    """

    service: Service
    folder: Path
    releases: Path | None = None
    every: float = _EVERY
    #: seal of a model that could not be used -> when: a folder may have been copied piece by piece
    failed: dict[str, float] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> bool:
        """Swap in the model that is in the folder now, or the newest release; whether it is another one.

        Raises:
            ArtifactError: It cannot be read.
            SelfTestError: It fails its test; the old one answers on.
        """
        async with self._turn:
            return await self._swap(await self._in_thread(self._latest))

    async def follow(self) -> None:
        """Swap in newer releases as they come."""
        while True:
            await asyncio.sleep(self.every)
            try:
                async with self._turn:
                    latest = await self._in_thread(self._latest)
                    if time.monotonic() - self.failed.get(latest.manifest.seal, -_AGAIN) >= _AGAIN:
                        await self._swap(latest)
            except KgrecError as error:
                logger.error("The newest release is not used: %s", error)

    async def snapshot(self) -> dict[str, Any]:
        """Write the live model to its folder, or as a new release; events up to its revision are in it then."""
        async with self._turn:
            live = self.service.live
            place = self._snapshot_place()
            state = await self.service.change(lambda: live.snapshot(place))
            return {"folder": place.name, "model": state.name, "revision": state.revision}

    def _latest(self) -> Release:
        return newest(self.releases) if self.releases is not None else release(self.folder)

    def _snapshot_place(self) -> Path:
        if self.releases is None:
            return self.folder
        return self.releases / f"snapshot-{self.service.state.revision:012}"

    async def _swap(self, latest: Release) -> bool:
        if latest.name == self.service.state.name:
            return False
        reloads = self.service.metrics.reloads
        try:
            model = await self._in_thread(lambda: self._tested(latest.folder))
            await self.service.change(lambda: self.service.live.replace_model(model))
        except KgrecError:
            self.failed[latest.manifest.seal] = time.monotonic()
            reloads.labels("failed").inc()
            raise
        reloads.labels("swapped").inc()
        logger.info("Model %s answers now.", latest.name)
        await self._free()
        return True

    async def _free(self) -> None:
        """Give back the memory of the model before."""
        with suppress(
            Problem
        ):  # so busy that this would wait too long: the next request about the graph forgets the one before
            await self.service.compute(self.service.forget_graph, self.service.until(time.monotonic()))
        await self._in_thread(give_back)

    def _tested(self, folder: Path) -> Model:
        model = storage.load(folder)
        if model.origin is None:
            raise ArtifactError(f"{folder} has no manifest.", "Write it again.")
        self_test(self.service.state.recommender.with_model(model))
        return model

    async def _in_thread(self, call: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, call)

"""Replacement of the served model: a new model is loaded beside it, tested, and then replaces it completely or not at all.

Enters: a model folder, or a folder of releases. Leaves: whether the model was replaced. Writes snapshots.
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

#: seconds between two checks of a folder of releases
_EVERY = 2.0
#: seconds until an unusable model is tried again
_AGAIN = 60.0


@dataclass
class Swaps:
    """Models of one server.

    Args:
        service: Answers the requests.
        folder: The model folder of the command line.
        releases: The folder of releases, if models come from one.
    """

    service: Service
    folder: Path
    releases: Path | None = None
    every: float = _EVERY
    #: seal of an unusable model -> time of the attempt; it is tried again, because a folder may have been copied piece by piece
    failed: dict[str, float] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> bool:
        """Load the current model of the folder, or the newest release; returns whether the model was replaced.

        Raises:
            ArtifactError: The model cannot be read.
            SelfTestError: The model fails its test; the old model stays.
        """
        async with self._turn:
            return await self._swap(await self._in_thread(self._latest))

    async def follow(self) -> None:
        """Load newer releases when they appear."""
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
        """Write the live model, including events up to its revision, to its folder or as a new release."""
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
        logger.info("Model %s is served now.", latest.name)
        await self._free()
        return True

    async def _free(self) -> None:
        """Return the memory of the previous model to the system."""
        with suppress(
            Problem
        ):  # too busy to wait for: the next request about the graph frees the previous graph
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

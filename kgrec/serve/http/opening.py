"""The resources that a server process opens: a model, a store, the keys of callers.

Enters: options of the command line. Leaves: a `Service` and its `Swaps`. The store is created if it does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kgrec.serve.http.keys import Keys
from kgrec.serve.http.peers import Peers
from kgrec.serve.http.service import Service
from kgrec.serve.http.settings import Settings
from kgrec.serve.http.swaps import Swaps
from kgrec.serve.live import LiveModel
from kgrec.serve.releases import newest
from kgrec.serve.store.store import Store


@dataclass(frozen=True)
class Opening:
    """The resources that every worker opens."""

    #: a model folder, or a folder of releases if `of_releases`
    place: Path
    #: path or URL
    store: str | Path
    of_releases: bool = False
    #: keys as read when the server started
    keys: Keys = field(default_factory=Keys)
    settings: Settings = field(default_factory=Settings)
    #: whether to load the text encoder, too
    warm_text: bool = False
    #: folder of `kgrec drift`
    drift: Path | None = None

    def live(self) -> LiveModel:
        """The tested model, with the changes in the store since its training.

        Raises:
            KgrecError: The model or the store cannot be read, or the model fails its test.
        """
        live = LiveModel.load(self._folder(), Store.open(self.store))
        if self.warm_text:
            live.state.recommender.recommend_for_text(["a text"], 1)
        return live

    def service(self, live: LiveModel, peers: Peers | None = None) -> tuple[Service, Swaps]:
        """The service that answers from the model, and the swaps that replace the model."""
        service = Service(live, self.settings, self.keys, self.drift, peers)
        return service, Swaps(service, self.place, self.place if self.of_releases else None)

    def _folder(self) -> Path:
        return newest(self.place).folder if self.of_releases else self.place

"""The recommender: train once, then ask for items, users, explanations; add items at any time.

Enters: a KnowledgeGraph, ids and histories in the user's own strings. Leaves: frames and
embeddings. Writes and reads model/.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgrec.errors import EncoderNotFound, TrainingError
from kgrec.graph import KnowledgeGraph
from kgrec.interactions import given, held_out_of
from kgrec.lookup import OnUnknown, feedback, history_matrix, item_rows, user_rows
from kgrec.model import Model, units
from kgrec.query import Queries
from kgrec.results import Added, Embeddings
from kgrec.settings import Config
from kgrec.taste import taste
from kgrec.text import Progress, SentenceEncoder, TextEncoder

if TYPE_CHECKING:
    from kgrec.checkpoint import Checkpoint
    from kgrec.explain import Explanation
    from kgrec.fit import OnEpoch

logger = logging.getLogger(__name__)


class Recommender(Queries):
    """A knowledge-graph recommender.

    Args:
        config: Options of all stages.
        text_encoder: Replaces the sentence-transformer that `config.text.model` names.

    Example:
        >>> rec = Recommender().fit(graph)  # doctest: +SKIP
        >>> rec.recommend(["u1"], k=10)  # doctest: +SKIP
    """

    def __init__(self, config: Config | None = None, *, text_encoder: TextEncoder | None = None) -> None:
        self.config = config or Config()
        self._text_encoder = text_encoder
        self._fitted: Model | None = None

    def fit(
        self,
        graph: KnowledgeGraph,
        interactions: Any = None,
        *,
        valid: Any = None,
        ablate: Sequence[str] = (),
        checkpoint: Checkpoint | None = None,
        on_text: Progress | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Recommender:
        """Train.

        Args:
            graph: Holds the items, and the interactions unless they are given.
            interactions: A frame with user_id and item_id.
            valid: A frame of held-out interactions, or `Interactions`, that choose temperature and
                epochs; None: a share of each user's is held out.
            ablate: Sources to leave out, to see what they bring: "graph", "text", "id", "together", or
                "shuffle-graph".
            checkpoint: Keeps the state of the training, for one that is cut off.
            on_text: Is told how many texts are encoded.
            on_epoch: Is told of each epoch.

        Raises:
            ConfigError: There is no such source to leave out.
            EncoderNotFound: The text encoder cannot be loaded.
            TrainingError: There is no item to learn.
            SourceError: None of the held-out interactions can be used.
        """
        from kgrec.ablate import ablated
        from kgrec.fit import Watcher, fit_model

        graph, config = ablated(graph, self.config, ablate)
        log = graph.interactions if interactions is None else given(interactions, graph.item_ids)
        held_out = None if valid is None else held_out_of(valid, log)
        watcher = Watcher(on_text, on_epoch)
        own = self._text_encoder is not None and "text" not in ablate
        encoder = self._text_encoder if own else _configured(config)
        fitted = fit_model(graph, log, config, encoder, watcher, held_out, checkpoint)
        metrics = {**fitted.metrics, "ablated": list(ablate)} if ablate else fitted.metrics
        self._fitted = replace(fitted, own_text_encoder=own, metrics=metrics)
        return self

    @property
    def model(self) -> Model:
        """The trained model.

        Raises:
            TrainingError: `fit` was not called.
        """
        if self._fitted is None:
            raise TrainingError(
                "This recommender is not trained.", "Call fit(graph), or Recommender.load(folder)."
            )
        return self._fitted

    @property
    def item_embeddings(self) -> Embeddings:
        """Vectors of all items, those added included."""
        return Embeddings(self.model.items, self.model.vectors)

    @property
    def user_embeddings(self) -> Embeddings:
        """Vectors of all known users."""
        return Embeddings(self.model.users, self.model.user_vectors(self.model.histories))

    def embed_histories(
        self, histories: Sequence[Sequence[str]], *, on_unknown: OnUnknown = "raise"
    ) -> np.ndarray:
        """Unit vectors of users with these histories; shape (len(histories), dim). Nothing is stored."""
        return self.model.user_vectors(history_matrix(self.model, histories, on_unknown))

    def embed_items(self, rows: Any, *, on_text: Progress | None = None) -> Embeddings:
        """Unit vectors of new items; nothing is stored.

        Args:
            rows: As `add_items` takes them.
            on_text: Is told how many texts are encoded.

        Raises:
            SourceError: The rows are not as the mapping says.
        """
        from kgrec.cold import read_newcomers

        new = read_newcomers(self.model, rows, self._encoder(), on_text)
        if new.known:
            logger.warning(
                "%d items are known already and were left out: see item_embeddings.", len(new.known)
            )
        return Embeddings(new.ids, units(new.vectors)[0])

    def add_items(self, rows: Any, *, on_text: Progress | None = None) -> Added:
        """Make new items recommendable at once, without training.

        Args:
            rows: A folder with files laid out as the mapping says; or a frame of the only item
                type; or frames by node type; or a graph of such rows, as `Fold.later` is.
            on_text: Is told how many texts are encoded.

        Raises:
            SourceError: The rows are not as the mapping says.
        """
        from kgrec.cold import read_newcomers, with_newcomers

        new = read_newcomers(self.model, rows, self._encoder(), on_text)
        if len(new.ids):
            self._fitted = with_newcomers(self.model, new)
        labels = new.graph.entities["label"].take(new.entities).to_pylist()
        return Added(new.ids.tolist(), labels, new.linked, new.words, new.known, new.report)

    def explain(self, user: str, item: str) -> Explanation:
        """Why `item` has its score for `user`, in parts that sum to it.

        Raises:
            UnknownId: The user or the item is unknown.
        """
        row = user_rows(self.model, [user])[0]
        return self._explained(self.model.histories[[row]], item, user)

    def explain_history(
        self, history: Sequence[str], item: str, *, dislikes: Sequence[str] = ()
    ) -> Explanation:
        """Why `item` has its score for a user with this history, and these dislikes.

        Raises:
            UnknownId: An item is unknown.
            ConfigError: An item is both liked and disliked.
        """
        liked, disliked = feedback(self.model, [history], [dislikes])
        return self._explained(taste(liked, disliked, self.model.history_weight), item, "")

    def label(self, item: str) -> str:
        """Label of an item, "" if it has none."""
        return self.model.labels[int(item_rows(self.model, [item])[0])]

    def save(self, folder: str | Path) -> None:
        """Write model/, whole or not at all.

        Raises:
            ArtifactError: The folder cannot be written, or another process replaced it since it was
                loaded from there.
        """
        self._fitted = self.model.save(Path(folder))

    @classmethod
    def load(cls, folder: str | Path, *, text_encoder: TextEncoder | None = None) -> Recommender:
        """Read model/; needs neither graph/ nor the sources.

        Raises:
            ArtifactError: It is not there, of another version, or corrupt.
        """
        model = Model.load(Path(folder))
        recommender = cls(model.config, text_encoder=text_encoder)
        recommender._fitted = model
        return recommender

    def _encoder(self) -> TextEncoder | None:
        """The text encoder that the model was trained with."""
        if self._text_encoder is not None:
            return self._text_encoder
        if self.model.own_text_encoder:
            raise EncoderNotFound(
                "This model was trained with a text encoder of your own, which is not stored with it.",
                "Pass it: Recommender.load(folder, text_encoder=...).",
            )
        return self._configured_encoder

    @cached_property
    def _configured_encoder(self) -> TextEncoder | None:
        return _configured(self.model.config)

    def _explained(self, history: Any, item: str, user: str) -> Explanation:
        from kgrec.explain import explain

        row = int(item_rows(self.model, [item])[0])
        return explain(self.model, history, row, user)


def _configured(config: Config) -> TextEncoder | None:
    return None if config.text.model == "none" else SentenceEncoder(config.text)

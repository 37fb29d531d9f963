"""The recommender: train once, then ask for items, users, explanations; add items at any time.

Enters: a KnowledgeGraph, ids and histories in the user's own strings. Leaves: frames and
embeddings. Writes and reads model/.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kgrec.errors import ConfigError, EncoderNotFound, TrainingError
from kgrec.graph import KnowledgeGraph
from kgrec.interactions import given, held_out_of
from kgrec.lookup import OnUnknown, at_least_one, item_rows, known_rows, user_rows
from kgrec.model import Model, units
from kgrec.results import Added, Embeddings, ranked_frame
from kgrec.settings import Config
from kgrec.text import Progress, SentenceEncoder, TextEncoder

if TYPE_CHECKING:
    from kgrec.checkpoint import Checkpoint
    from kgrec.explain import Explanation
    from kgrec.fit import OnEpoch

logger = logging.getLogger(__name__)


class Recommender:
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

    def recommend(
        self,
        users: Sequence[str],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Iterable[str] | None = None,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The best items of known users.

        A user without a positive interaction gets what most people take.

        Args:
            users: Their ids.
            k: Items a user; fewer where fewer are allowed.
            exclude_seen: Leave out what the user has interacted with.
            candidates: Ids of the only items to rank.
            on_unknown: "raise", or "skip" unknown users and candidates.
            arrow: Give an Arrow table instead of a pandas frame.

        Returns:
            Columns user_id, item_id, score (a weighted mean of cosines) and rank (from 1), sorted by user as given
            and rank.

        Raises:
            UnknownId: A user or a candidate is unknown.
            ConfigError: `k` is below 1.
        """
        model = self.model
        known = user_rows(model, users, on_unknown)
        histories = model.histories[known]
        seen = model.seen[known] if exclude_seen else None
        return self._ranked(
            histories, seen, model.users.labels.take(pa.array(known)), k, candidates, on_unknown, arrow
        )

    def recommend_for_history(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        users: Sequence[str] | None = None,
        exclude_seen: bool = True,
        candidates: Iterable[str] | None = None,
        on_unknown: OnUnknown = "raise",
        arrow: bool = False,
    ) -> Any:
        """The best items for histories, of users that training never saw.

        Args:
            histories: Item ids, a list a user; an empty one gets what most people take.
            k: Items a user.
            users: Names for the result; None: "0", "1", ...
            exclude_seen: Leave out the items of the history.
            candidates: Ids of the only items to rank.
            on_unknown: "raise", or "skip" unknown items.
            arrow: Give an Arrow table instead of a pandas frame.

        Returns:
            As `recommend`.

        Raises:
            UnknownId: An item is unknown.
            ConfigError: `k` is below 1, or `users` of another length than `histories`.
        """
        matrix = self._histories(histories, on_unknown)
        if users is not None and len(users) != len(histories):
            raise ConfigError(
                f"There are {len(histories):,} histories but {len(users):,} names in `users`.",
                "Give a name for each history.",
            )
        names = pa.array(
            users if users is not None else [str(n) for n in range(len(histories))], pa.large_string()
        )
        seen = matrix if exclude_seen else None
        return self._ranked(matrix, seen, names, k, candidates, on_unknown, arrow)

    def similar_items(self, items: Sequence[str], k: int = 10, *, arrow: bool = False) -> Any:
        """The items nearest to each of `items`, itself left out.

        Returns:
            Columns item_id, similar_id, score (a cosine) and rank.

        Raises:
            UnknownId: An item is unknown.
        """
        model = self.model
        rows = item_rows(model, items)
        found, scores = model.index.search(
            model.vectors[rows], min(at_least_one(k), len(model.items)), exclude=[row[None] for row in rows]
        )
        names = model.items.labels.take(pa.array(rows))
        return ranked_frame("item_id", names, "similar_id", model.items, found, scores, arrow=arrow)

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
        return self.model.user_vectors(self._histories(histories, on_unknown))

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
                type; or frames by node type.
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

    def explain_history(self, history: Sequence[str], item: str) -> Explanation:
        """Why `item` has its score for a user with this history.

        Raises:
            UnknownId: An item is unknown.
        """
        return self._explained(self._histories([history], "raise"), item, "")

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

    def _ranked(
        self,
        histories: Any,
        seen: Any,
        names: pa.Array,
        k: int,
        candidates: Iterable[str] | None,
        on_unknown: OnUnknown,
        arrow: bool,
    ) -> Any:
        model = self.model
        only = None if candidates is None else item_rows(model, candidates, on_unknown)
        exclude = None if seen is None else np.split(seen.indices, seen.indptr[1:-1])
        found, scores = model.ranked(histories, min(at_least_one(k), len(model.items)), exclude, only)
        return ranked_frame("user_id", names, "item_id", model.items, found, scores, arrow=arrow)

    def _histories(self, histories: Sequence[Sequence[str]], on_unknown: OnUnknown) -> Any:
        model, names = self.model, [name for history in histories for name in history]
        rows, there = known_rows(model.item_rows, names, "item", model.items, on_unknown)
        owner = np.repeat(np.arange(len(histories)), [len(history) for history in histories])[there]
        bounds = np.searchsorted(owner, np.arange(1, len(histories) + 1))
        return model.history_matrix(np.split(rows, bounds)[: len(histories)])

    def _explained(self, history: Any, item: str, user: str) -> Explanation:
        from kgrec.explain import explain

        row = int(item_rows(self.model, [item])[0])
        return explain(self.model, history, row, user)


def _configured(config: Config) -> TextEncoder | None:
    return None if config.text.model == "none" else SentenceEncoder(config.text)

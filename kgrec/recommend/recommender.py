"""The recommender: train once, then ask for items, users, explanations; add, update and remove items at any time.

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

from kgrec.config import Config
from kgrec.encode.text import SentenceEncoder, TextEncoder, TextProgress
from kgrec.errors import ConfigError, EncoderNotFound, TrainingError
from kgrec.graph.interactions import given, held_out_of
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model import storage
from kgrec.model.model import Model, units
from kgrec.recommend.feedback import feedback_matrices, history_matrix, relevance_profile
from kgrec.recommend.ids import OnUnknown, item_rows, user_rows
from kgrec.recommend.queries import Queries
from kgrec.recommend.request import checked_boost
from kgrec.recommend.results import Added, Embeddings, Removed, Updated
from kgrec.storage import artifacts

if TYPE_CHECKING:
    from kgrec.model.item_updates import ItemUpdates
    from kgrec.recommend.explain import Explanation
    from kgrec.train.checkpoint import Checkpoint
    from kgrec.train.progress import OnEpoch

logger = logging.getLogger(__name__)


class Recommender(Queries):
    """A knowledge-graph recommender.

    Args:
        config: Options of all stages.
        text_encoder: Replaces the sentence-transformer that `config.text.model` names; with "none", texts are left out.

    Example:
        >>> rec = Recommender().fit(graph)  # doctest: +SKIP
        >>> rec.recommend(["u1"], k=10)  # doctest: +SKIP
    """

    def __init__(self, config: Config | None = None, *, text_encoder: TextEncoder | None = None) -> None:
        self.config = config or Config()
        self._text_encoder = text_encoder
        self._fitted: Model | None = None
        self._folder: Path | None = None
        #: the model as it is in the folder
        self._stored: Model | None = None

    def fit(
        self,
        graph: KnowledgeGraph,
        interactions: Any = None,
        *,
        valid: Any = None,
        checkpoint: Checkpoint | None = None,
        on_text: TextProgress | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Recommender:
        """Train.

        Args:
            graph: Holds the items, and the interactions unless they are given.
            interactions: A frame with user_id and item_id.
            valid: A frame of held-out interactions, or `Interactions`, that choose temperature and
                epochs; None: a share of each user's is held out.
            checkpoint: Keeps the state of the training, for one that is cut off.
            on_text: Is told how many texts are encoded.
            on_epoch: Is told of each epoch.

        Raises:
            EncoderNotFound: The text encoder cannot be loaded.
            TrainingError: There is no item to learn.
            SourceError: None of the held-out interactions can be used.
        """
        from kgrec.train.fit import fit_model
        from kgrec.train.progress import TrainingWatcher

        config = self.config
        log = graph.interactions if interactions is None else given(interactions, graph.item_ids)
        held_out = None if valid is None else held_out_of(valid, log)
        watcher = TrainingWatcher(on_text, on_epoch)
        own = self._text_encoder is not None and config.text.model != "none"
        encoder = self._text_encoder if own else _configured(config)
        fitted = fit_model(graph, log, config, encoder, watcher, held_out, checkpoint)
        self._fitted, self._folder = replace(fitted, own_text_encoder=own), None
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
    def folder(self) -> Path | None:
        """The folder that holds the model as it is; None when it was never saved, or changed since."""
        return self._folder if self._fitted is self._stored else None

    @property
    def item_embeddings(self) -> Embeddings:
        """Vectors of all items that may be recommended, those added included."""
        model = self.model
        if model.offered is None:
            return Embeddings(model.items, model.vectors)
        return Embeddings(Vocabulary(model.items.labels.take(model.offered)), model.vectors[model.offered])

    @property
    def user_embeddings(self) -> Embeddings:
        """Vectors of all known users."""
        model = self.model
        return Embeddings(model.users, model.user_vectors(model.histories))

    def embed_histories(
        self, histories: Sequence[Sequence[str]], *, on_unknown: OnUnknown = "raise"
    ) -> np.ndarray:
        """Unit vectors of users with these histories; shape (len(histories), dim). Nothing is stored."""
        model = self.model
        return model.user_vectors(history_matrix(model, histories, on_unknown))

    def embed_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Embeddings:
        """Unit vectors of new items; nothing is stored.

        Args:
            rows: As `add_items` takes them.
            on_text: Is told how many texts are encoded.

        Raises:
            SourceError: The rows are not as the mapping says.
        """
        from kgrec.model.item_updates import read_updates

        new = read_updates(self.model, rows, self._encoder(), on_text)
        if new.others:
            logger.warning(
                "%d items are known already and were left out: see item_embeddings.", len(new.others)
            )
        return Embeddings(new.ids, units(new.vectors)[0])

    def add_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Added:
        """Make new items recommendable at once, without training; removed ones too, in the place that they had.

        Args:
            rows: A folder with files laid out as the mapping says; or a frame of the only item
                type; or frames by node type; or a graph of such rows, as `Fold.later` is. Rows of items that the
                model offers are left out.
            on_text: Is told how many texts are encoded.

        Raises:
            SourceError: The rows are not as the mapping says.
        """
        new = self._put_in(rows, on_text, update=False)
        return Added(
            new.ids.tolist(), new.labels, new.linked, new.words, new.bare, new.report, known=new.others
        )

    def update_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Updated:
        """Give known items the content that rows say, without training; what their users taught stays.

        Args:
            rows: As `add_items` takes them. A row says all of its columns anew; of edges and RDF those relations and
                predicates that are there for the item. Rows of items that the model does not offer are left out.
            on_text: Is told how many texts are encoded.

        Raises:
            SourceError: The rows are not as the mapping says.
        """
        new = self._put_in(rows, on_text, update=True)
        return Updated(
            new.ids.tolist(),
            new.labels,
            new.linked,
            new.words,
            new.bare,
            new.report,
            same=new.same,
            unknown=new.others,
            reached=[] if new.reached is None else [self.model.items[row] for row in new.reached.rows],
        )

    def remove_items(self, items: Iterable[str], *, on_unknown: OnUnknown = "raise") -> Removed:
        """Recommend some items no longer; in histories they go on to count.

        Args:
            items: Their ids.
            on_unknown: "raise", or "skip" those that the model does not know.

        Raises:
            UnknownId: An item is unknown; none is removed then.
        """
        model = self.model
        rows = np.unique(item_rows(model, items, on_unknown))
        before = np.isin(rows, model.removed)
        gone = rows[~before]
        if len(gone):
            self._fitted = model.without(gone)
        labels = [model.labels[row] for row in gone]
        return Removed([model.items[row] for row in gone], labels, [model.items[row] for row in rows[before]])

    def explain(self, user: str, item: str, *, new_item_boost: float = 0.0) -> Explanation:
        """Why `item` has its score for `user`, in parts that sum to it.

        Args:
            user: A known user.
            item: Any item of the model.
            new_item_boost: As for `recommend`: a part of its own.

        Raises:
            UnknownId: The user or the item is unknown.
        """
        model = self.model
        row = user_rows(model, [user])[0]
        return _explained(model, model.histories[[row]], item, user, new_item_boost)

    def explain_history(
        self, history: Sequence[str], item: str, *, dislikes: Sequence[str] = (), new_item_boost: float = 0.0
    ) -> Explanation:
        """Why `item` has its score for a user with this history, and these dislikes.

        Raises:
            UnknownId: An item is unknown.
            ConfigError: An item is both liked and disliked.
        """
        model = self.model
        liked, disliked = feedback_matrices(model, [history], [dislikes])
        history_of_both = relevance_profile(liked, disliked, model.history_weight)
        return _explained(model, history_of_both, item, "", new_item_boost)

    def label(self, item: str) -> str:
        """Label of an item, "" if it has none."""
        model = self.model
        return model.labels[int(item_rows(model, [item])[0])]

    def save(self, folder: str | Path) -> None:
        """Write model/, whole or not at all.

        Raises:
            ArtifactError: The folder cannot be written, or another process replaced it since it was
                loaded from there.
        """
        self._fitted = self._stored = storage.save(self.model, Path(folder))
        self._folder = Path(folder).absolute()

    def reload(self) -> bool:
        """Take what is in the model's folder now, if another process replaced it; a question under way ends on the old one.

        When nothing was replaced, this reads the manifest and no more, and changes that are not saved stay. Else they
        are gone, since they were made to a model that is no longer there.

        Returns:
            Whether it was replaced.

        Raises:
            ArtifactError: The folder is not there, of another version, or corrupt; the model stays as it was.
            ConfigError: This recommender was neither loaded nor saved.
        """
        if self._folder is None:
            raise ConfigError(
                "There is no folder to reload from.", "Load the recommender from one, or save it first."
            )
        known = self.model.origin
        if known is not None and artifacts.current(self._folder, "model") == known[1]:
            return False
        model = storage.load(self._folder)
        if model.config.text != self.config.text:
            self.__dict__.pop("_configured_encoder", None)
        self.config, self._fitted, self._stored = model.config, model, model
        return True

    @classmethod
    def load(cls, folder: str | Path, *, text_encoder: TextEncoder | None = None) -> Recommender:
        """Read model/; needs neither graph/ nor the sources.

        Raises:
            ArtifactError: It is not there, of another version, or corrupt.
        """
        model = storage.load(Path(folder))
        recommender = cls(model.config, text_encoder=text_encoder)
        recommender._fitted = recommender._stored = model
        recommender._folder = Path(folder).absolute()
        return recommender

    def _put_in(self, rows: Any, on_text: TextProgress | None, *, update: bool) -> ItemUpdates:
        from kgrec.model.item_updates import read_updates, with_updates

        model = self.model
        new = read_updates(model, rows, self._encoder(), on_text, update=update)
        if len(new.ids):
            self._fitted = with_updates(model, new)
        return new

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


def _explained(model: Model, history: Any, item: str, user: str, new_item_boost: float) -> Explanation:
    from kgrec.recommend.explain import explain

    row = int(item_rows(model, [item])[0])
    return explain(model, history, row, user, checked_boost(new_item_boost))


def _configured(config: Config) -> TextEncoder | None:
    return None if config.text.model == "none" else SentenceEncoder(config.text)

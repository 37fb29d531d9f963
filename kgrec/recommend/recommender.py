"""The recommender: train once, then query items, users and explanations; add, update and remove items at any time.

Enters: a KnowledgeGraph, ids and histories in the user's own strings. Leaves: frames and embeddings. Writes and reads model/.

A `Recommender` holds one immutable model. Each query reads it once, so its answer belongs to one model. A change makes
a new model and replaces the old one; changes wait for each other, queries never wait.
"""

from __future__ import annotations

import copy
import logging
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

import numpy as np
from scipy.sparse import csr_matrix

from kgrec.arguments import options
from kgrec.arguments.ids import as_id, as_id_lists, as_ids
from kgrec.config import Config
from kgrec.encode.text import SentenceEncoder, TextConfig, TextEncoder, TextProgress, checked_encoder
from kgrec.encode.user_encoder import units
from kgrec.errors import ConfigError, EncoderNotFound, TrainingError
from kgrec.graph.histories import Histories
from kgrec.graph.interactions import Interactions, given, held_out_of
from kgrec.graph.knowledge_graph import KnowledgeGraph
from kgrec.graph.live_histories import LiveHistories
from kgrec.graph.vocabulary import Vocabulary
from kgrec.model import storage
from kgrec.model.interaction_updates import read_interaction_updates, with_interaction_updates
from kgrec.model.model import Model
from kgrec.model.summary import summary
from kgrec.parallel import Executor, checked_executor
from kgrec.recommend.feedback import (
    checked_weights,
    feedback_matrices,
    history_matrix,
    relevance_profile,
    stamps_of,
)
from kgrec.recommend.ids import OnUnknown, item_rows, user_rows
from kgrec.recommend.queries import Queries
from kgrec.recommend.request import Request, merged
from kgrec.recommend.results import Added, AddedInteractions, Embeddings, Refreshed, Removed, Updated
from kgrec.recommend.sending import check_seal, folder_to_send
from kgrec.recommend.writer_lock import OneAtATime
from kgrec.storage import artifacts

if TYPE_CHECKING:
    from kgrec.model.item_updates import ItemUpdates
    from kgrec.recommend.explain import Explanation
    from kgrec.recommend.global_explanation import GlobalExplanation
    from kgrec.train.checkpoint import Checkpoint
    from kgrec.train.progress import OnEpoch, OnStage, TrainingWatcher
    from kgrec.train.refresh import RefreshOutcome

logger = logging.getLogger(__name__)


class Recommender(Queries):
    """A knowledge-graph recommender that threads can share safely.

    A recommender that was loaded or saved, and not changed since, is pickled as the path of its folder. A copy shares the immutable
    model; later changes of one copy do not affect the other.

    Args:
        config: Options of all stages.
        text_encoder: Replaces the sentence-transformer named by `config.text.model`; with "none", texts are ignored.

    Example:
        >>> rec = Recommender().fit(graph)  # doctest: +SKIP
        >>> rec.recommend(["u1"], k=10)  # doctest: +SKIP
    """

    def __init__(self, config: Config | None = None, *, text_encoder: TextEncoder | None = None) -> None:
        self.config = (
            options.optional("config", config, Config, "Give kgrec.Config(...), or Config.read(path).")
            or Config()
        )
        self._text_encoder = checked_encoder(text_encoder)
        self._fitted: Model | None = None
        #: the folder that it was loaded from or saved to, and the model in there
        self._stored: tuple[Path, weakref.ref[Model]] | None = None
        #: the encoder of the options `text` of a model
        self._configured: tuple[TextConfig, TextEncoder | None] | None = None
        self._changes = OneAtATime("this recommender")

    def fit(
        self,
        graph: KnowledgeGraph,
        interactions: Any = None,
        *,
        valid: Any = None,
        checkpoint: Checkpoint | None = None,
        executor: Executor | None = None,
        on_text: TextProgress | None = None,
        on_epoch: OnEpoch | None = None,
        on_stage: OnStage | None = None,
    ) -> Recommender:
        """Train a model.

        Args:
            graph: Contains the items, and the interactions unless `interactions` is given.
            interactions: A frame with user_id and item_id.
            valid: A frame of held-out interactions, or `Interactions`, that choose temperature and
                epochs and do not enter the model; None, or `Interactions` without rows: a share of each
                user's interactions is held out for the choice, and learned afterwards.
            checkpoint: Stores the state of the training, so that an interrupted training can resume.
            executor: Encodes the texts, made by `executor_for`; None: this process encodes them. A custom text encoder ignores it.
            on_text: Called with the number of encoded texts and the number of all texts.
            on_epoch: Called after each epoch.
            on_stage: Called with the name of each other stage when it begins.

        Raises:
            EncoderNotFound: The text encoder cannot be loaded.
            TrainingError: There are no items to learn from.
            SourceError: None of the held-out interactions can be used.
        """
        from kgrec.train.checkpoint import Checkpoint
        from kgrec.train.progress import TrainingWatcher

        options.instance(
            "graph", graph, KnowledgeGraph, "Give what build_graph or KnowledgeGraph.load returned."
        )
        options.optional(
            "checkpoint", checkpoint, Checkpoint, "Give kgrec.train.checkpoint.Checkpoint(folder), or None."
        )
        _check_progress(on_text)
        options.callback("on_epoch", on_epoch, "the record of an epoch")
        options.callback("on_stage", on_stage, "the name of a stage")
        with self._changes.turn():
            log = (
                graph.interactions
                if interactions is None
                else given(interactions, graph.item_ids, "interactions")
            )
            # a fold may have no validation part
            is_empty = isinstance(valid, Interactions) and not len(valid)
            held_out = None if valid is None or is_empty else held_out_of(valid, log)
            watcher = TrainingWatcher(on_text, on_epoch, on_stage)
            fitted = self._trained(graph, log, held_out, watcher, checkpoint, checked_executor(executor))
            self._fitted, self._stored = fitted, None
        return self

    def _trained(
        self,
        graph: KnowledgeGraph,
        log: Interactions,
        held_out: Interactions | None,
        watcher: TrainingWatcher,
        checkpoint: Checkpoint | None,
        executor: Executor | None,
    ) -> Model:
        from kgrec.train.fit import fit_model

        config = self.config
        own = self._text_encoder is not None and config.text.model != "none"
        encoder = self._text_encoder if own else _configured(config.text, executor)
        fitted = fit_model(graph, log, config, encoder, watcher, held_out, checkpoint)
        return replace(fitted, own_text_encoder=own)

    @property
    def model(self) -> Model:
        """The trained model. It is immutable; a change of the recommender replaces it by a new one.

        Raises:
            TrainingError: `fit` was not called.
        """
        fitted = self._fitted
        if fitted is None:
            raise TrainingError(
                "This recommender is not trained.", "Call fit(graph), or Recommender.load(folder)."
            )
        return fitted

    @property
    def folder(self) -> Path | None:
        """The folder that contains the current model; None if the model was never saved, or changed since."""
        stored = self._stored
        return stored[0] if stored is not None and stored[1]() is self._fitted else None

    @property
    def item_embeddings(self) -> Embeddings:
        """Vectors of all items that may be recommended, including added items."""
        model = self.model
        if model.items.offered is None:
            return Embeddings(model.items.ids, model.items.vectors.whole)
        return Embeddings(
            Vocabulary(model.items.ids.take(model.items.offered)),
            model.items.vectors[model.items.offered],
        )

    @property
    def user_embeddings(self) -> Embeddings:
        """Vectors of all known users."""
        model = self.model
        return Embeddings(model.users, model.user_vectors(LiveHistories.of(model.histories).whole))

    def embed_histories(
        self,
        histories: Sequence[Sequence[str]],
        *,
        weights: Sequence[Sequence[float]] | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> np.ndarray:
        """Unit vectors of users with these histories; shape (len(histories), dim). Nothing is stored.

        Args:
            histories: Ids of liked items, oldest first, one list per user.
            weights: Weight of each history item, as for `recommend_for_history`.
            on_unknown: "raise", or "skip" unknown items.
        """
        model = self.model
        options.choice("on_unknown", on_unknown, get_args(OnUnknown))
        lists = as_id_lists(histories, "histories")
        matrix = history_matrix(model, lists, on_unknown, checked_weights(lists, weights))
        return model.user_vectors(Histories.of_matrix(matrix, stamps_of(model, lists)))

    def embed_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Embeddings:
        """Unit vectors of new items; nothing is stored.

        Args:
            rows: Rows of the items, as for `add_items`.
            on_text: Called with the number of encoded texts and the number of all texts.

        Raises:
            SourceError: The rows do not match the mapping.
        """
        from kgrec.model.item_updates import read_updates

        model = self.model
        _check_progress(on_text)
        new = read_updates(model, rows, self._encoder(model), on_text)
        if new.others:
            logger.warning(
                "%d items are known already and were left out: see item_embeddings.", len(new.others)
            )
        return Embeddings(new.ids, units(new.vectors)[0])

    def add_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Added:
        """Make new items recommendable at once, without training. Removed items regain their old position.

        Args:
            rows: A folder with files in the layout of the mapping; or a frame of the only item
                type; or frames by node type; or a graph of such rows, such as `Fold.later`. Rows of items that the
                model already recommends are left out.
            on_text: Called with the number of encoded texts and the number of all texts.

        Raises:
            SourceError: The rows do not match the mapping.
        """
        new, _ = self._put_in(rows, on_text, update=False)
        return Added(
            new.ids.tolist(), new.labels, new.linked, new.words, new.bare, new.report, known=new.others
        )

    def update_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Updated:
        """Replace the content of known items by their new rows, without training; their learned residuals are kept.

        Args:
            rows: Rows as for `add_items`, with all or some columns of their table. A row replaces the values in its columns, also
                by empty cells; other columns keep their values. Edges and RDF replace the item's values of the relations and
                predicates that they contain. Rows of items that the model does not recommend are left out.
            on_text: Called with the number of encoded texts and the number of all texts.

        Raises:
            SourceError: The rows do not match the mapping.
        """
        new, model = self._put_in(rows, on_text, update=True)
        return Updated(
            new.ids.tolist(),
            new.labels,
            new.linked,
            new.words,
            new.bare,
            new.report,
            same=new.same,
            unknown=new.others,
            reached=[] if new.reached is None else [model.items.ids[row] for row in new.reached.rows],
            kept=new.kept,
        )

    def add_interactions(self, rows: Any) -> AddedInteractions:
        """Add interactions since training, which take effect at once without training; new users become known.

        All rows of a pair of user and item count as one: the latest row decides whether the item is liked.

        Args:
            rows: The path of a table, a frame, or `Interactions`; with the columns of the mapping's log, or user_id, item_id and
                time. The mapping's rule `positive` applies if its column of values is present; otherwise all rows are positive.
                If other interactions have times, rows without a time are treated as the newest. Rows of unknown items are left out
                and counted in the report.

        Raises:
            SourceError: A column is missing, or no row can be used.
            TooManyBadRows: Most rows are bad; no row is added.
        """
        with self._changes.turn():
            new = read_interaction_updates(self.model, rows)
            self._fitted = with_interaction_updates(self.model, new)
        return AddedInteractions(int(new.rows.count.sum()), new.n_users, new.new_users, new.report)

    def refresh(
        self,
        interactions: Any = None,
        *,
        items: Any = None,
        parent: Model | None = None,
        replay: float | None = None,
        force: bool = False,
        on_text: TextProgress | None = None,
        on_epoch: OnEpoch | None = None,
        on_stage: OnStage | None = None,
    ) -> Refreshed:
        """Learn from newer interactions and items, in a fraction of the time of `fit`, with the options chosen by `fit`.

        Training starts from the parameters of the parent. The refreshed model is compared with its parent on the newest fifth of
        the new interactions, and then learns from these, too. If it ranks them significantly worse, the recommender does not change.

        Args:
            interactions: Interactions as for `add_interactions`; None: those that the recommender has and `parent` lacks.
            items: Items as for `add_items`; None: no new items.
            parent: The model that was last trained or refreshed, if interactions or items were added since; None: the current model.
            replay: Share of the histories without new interactions to learn from again, 0 to 1; None: a fifth.
            force: Use the refreshed model even if it ranks worse.
            on_text: Called with the number of encoded texts and the number of all texts.
            on_epoch: Called after each epoch.
            on_stage: Called with the name of each other stage when it begins.

        Raises:
            SourceError: The rows do not match the mapping.
            TrainingError: There is nothing new, or the model was trained without interactions.
        """
        from kgrec.train.progress import TrainingWatcher
        from kgrec.train.refresh import REPLAY, refreshed

        options.optional("parent", parent, Model, "Give the model of this recommender before the additions.")
        share = REPLAY if replay is None else options.number("replay", replay, least=0)
        if share > 1:
            raise ConfigError(f"replay is {share:g}, a share above 1.", "Give a number from 0 to 1.")
        options.flag("force", force)
        _check_progress(on_text)
        options.callback("on_epoch", on_epoch, "the record of an epoch")
        options.callback("on_stage", on_stage, "the name of a stage")
        watcher = TrainingWatcher(on_text, on_epoch, on_stage)
        with self._changes.turn():
            grown = copy.copy(self)
            added = None if items is None else grown.add_items(items, on_text=on_text)
            since = None if interactions is None else grown.add_interactions(interactions)
            first = self.model if parent is None else parent
            encoder = self._encoder(self.model)
            outcome = refreshed(first, grown.model, encoder, watcher, replay=share, force=force)
            if outcome.model is not None:
                self._fitted = outcome.model
        return _summary_of(outcome, added, since)

    def remove_items(self, items: Iterable[str], *, on_unknown: OnUnknown = "raise") -> Removed:
        """Stop recommending items; they still count in histories.

        Args:
            items: Ids of the items.
            on_unknown: "raise", or "skip" ids that are not in the model.

        Raises:
            UnknownId: An item is unknown; no item is removed.
        """
        names = as_ids(items, "items")
        options.choice("on_unknown", on_unknown, get_args(OnUnknown))
        with self._changes.turn():
            model = self.model
            rows = np.unique(item_rows(model, names, on_unknown))
            before = np.isin(rows, model.items.removed)
            gone = rows[~before]
            if len(gone):
                self._fitted = model.without(gone)
        labels = [model.items.labels[row] for row in gone]
        return Removed(
            [model.items.ids[row] for row in gone], labels, [model.items.ids[row] for row in rows[before]]
        )

    def explain(
        self,
        user: str,
        item: str,
        *,
        new_item_boost: float = 0.0,
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
        counterfactual: bool = False,
        request: Request | None = None,
    ) -> Explanation:
        """The score of `item` for `user`, in parts that sum to it.

        Args:
            user: A known user.
            item: Any item of the model.
            new_item_boost: As for `recommend`; it is a separate part.
            item_boost: As for `recommend`; it is a separate part.
            where_boost: As for `recommend`; each condition is a separate part.
            counterfactual: Also search for a smallest set of history items whose removal drops the item from the list, by ranking up
                to 200 lists.
            request: The options of the list that contains the item, instead of the boosts.

        Raises:
            UnknownId: The user or the item is unknown.
            ConfigError: `counterfactual` is given, and the item is not in the list.
        """
        keywords = Request(new_item_boost=new_item_boost, item_boost=item_boost, where_boost=where_boost)
        model, request = self.model, merged(request, keywords)
        user = as_id(user, "user")
        row = user_rows(model, [user])[0]
        history = model.histories.take(np.array([row]))
        seen = history.matrix(positive_only=False)
        return _explained(model, history, item, user, request, seen, counterfactual)

    def explain_history(
        self,
        history: Sequence[str],
        item: str,
        *,
        weights: Sequence[float] | None = None,
        dislikes: Sequence[str] = (),
        new_item_boost: float = 0.0,
        item_boost: Any = None,
        where_boost: Mapping[str, float] | None = None,
        counterfactual: bool = False,
        request: Request | None = None,
    ) -> Explanation:
        """The score of `item` for a user with this history and these dislikes, in parts that sum to it.

        Raises:
            UnknownId: An item is unknown.
            ConfigError: An item is both liked and disliked; or `counterfactual` is given, and the item is not in the list.
        """
        keywords = Request(new_item_boost=new_item_boost, item_boost=item_boost, where_boost=where_boost)
        model, request = self.model, merged(request, keywords)
        names = [as_ids(history, "history")]
        liked, disliked = feedback_matrices(
            model,
            names,
            [as_ids(dislikes, "dislikes")],
            weights=None if weights is None else [weights],
        )
        history_of_both = relevance_profile(liked, disliked, model.user_encoder.history_weight.whole)
        in_order = Histories.of_matrix(history_of_both, stamps_of(model, names))
        seen = (liked + disliked).tocsr()
        return _explained(model, in_order, item, "", request, seen, counterfactual)

    def explain_global(
        self, users: Sequence[str] | None = None, k: int = 10, *, sample: int = 200, seed: int = 0
    ) -> GlobalExplanation:
        """The shares of sources, relations, columns and words in the scores of lists, by length of the history and popularity of the item.

        Args:
            users: Known users; None: a sample of all users.
            k: Items per list.
            sample: Number of sampled users if `users` is None.
            seed: Seed of the sample.

        Raises:
            UnknownId: A user is unknown.
            ConfigError: No user has a liked item.
        """
        from kgrec.recommend.global_explanation import global_explanation

        model, k = self.model, options.whole_number("k", k)
        sample, seed = options.whole_number("sample", sample), options.whole_number("seed", seed, 0)
        if users is None:
            able = np.flatnonzero(model.histories.has_positive)
            rows = np.sort(np.random.default_rng(seed).permutation(able)[:sample])
        else:
            rows = user_rows(model, as_ids(users, "users"))
        if not model.histories.take(rows).has_positive.any():
            raise ConfigError(
                "No user has a liked item, so no list is personal.", "Give users with a history."
            )
        return global_explanation(model, rows, k)

    def label(self, item: str) -> str:
        """Label of an item; "" if it has no label."""
        model = self.model
        return model.items.label(int(item_rows(model, [as_id(item, "item")])[0]))

    def find_items(self, text: str, k: int = 10) -> Any:
        """Items by name: their id or label equals the text, begins with it, has its words, contains it, or is similar to it.

        Case, accents and punctuation are ignored. Similar names are searched only if there is no other match.

        Returns:
            A frame with item_id, label, match ("id", "label", "prefix", "words", "part" or "similar"), score (for "similar" the share of
            letters in common, otherwise 1) and removed (whether the item is no longer recommended), best first.
        """
        import pandas as pd

        model = self.model
        found = model.items.names.search(options.text("text", text, "space"), Request(k).k)
        rows = np.array([one.row for one in found], np.int64)
        return pd.DataFrame(
            {
                "item_id": model.items.ids.take(rows).to_pylist(),
                "label": [model.items.label(row) for row in rows.tolist()],
                "match": [one.match for one in found],
                "score": [one.score for one in found],
                "removed": np.isin(rows, model.items.removed),
            }
        )

    def summary(self) -> dict[str, Any]:
        """Figures about the contents of the model; see `kgrec.model.summary`."""
        return summary(self.model)

    def save(self, folder: str | Path, *, keep: int = 0) -> None:
        """Write the model folder, completely or not at all.

        Args:
            folder: The folder to write.
            keep: Number of earlier versions of the folder to keep beside it, for `kgrec rollback`.

        Raises:
            ArtifactError: The folder cannot be written, or another process replaced it after this recommender was
                loaded from it.
        """
        folder, keep = options.path("folder", folder), options.whole_number("keep", keep, 0)
        with self._changes.turn():
            self._hold(storage.save(self.model, folder, keep), folder)

    def reload(self) -> bool:
        """Load the model from the folder again if another process replaced it; a running query finishes on the old model.

        If the folder was not replaced, only its manifest is read, and unsaved changes are kept. Otherwise unsaved changes are lost,
        because they belong to the replaced model.

        Returns:
            Whether the folder was replaced.

        Raises:
            ArtifactError: The folder does not exist, has another version, or is corrupt; the model does not change.
            ConfigError: This recommender was neither loaded nor saved.
        """
        with self._changes.turn():
            if self._stored is None:
                raise ConfigError(
                    "There is no folder to reload from.", "Load the recommender from one, or save it first."
                )
            folder, known = self._stored[0], self.model.origin
            if known is not None and artifacts.current(folder, "model") == known[1]:
                return False
            self._hold(storage.load(folder), folder)
            self.config = self.model.config
        return True

    @classmethod
    def load(cls, folder: str | Path, *, text_encoder: TextEncoder | None = None) -> Self:
        """Read a model folder; neither the graph folder nor the sources are needed.

        Raises:
            ArtifactError: The folder does not exist, has another version, or is corrupt.
        """
        folder, encoder = options.path("folder", folder), checked_encoder(text_encoder)
        model = storage.load(folder)
        recommender = cls(model.config, text_encoder=encoder)
        recommender._hold(model, folder)
        # load it now, because the encoder may be in a relative folder
        recommender._configured = (model.config.text, _configured(model.config.text))
        return recommender

    def with_model(self, model: Model) -> Self:
        """A recommender with the same options and text encoder that answers from another model; `self` does not change."""
        other = self.__copy__()
        other._fitted = options.instance("model", model, Model, "Give the model of a recommender.")
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the folder; ArtifactError if no folder contains exactly this model."""
        fitted, stored, encoder = self._fitted, self._stored, self._text_encoder
        if fitted is None:
            return partial(type(self), self.config, text_encoder=encoder), ()
        folder = stored[0] if stored is not None else None
        saved = stored is not None and stored[1]() is fitted
        place = folder_to_send(fitted, folder, saved=saved, own_text_encoder=encoder is not None)
        return _received, (type(self), *place)

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _changes=OneAtATime("this recommender"))
        return other

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self.__copy__()

    def _hold(self, model: Model, folder: Path) -> None:
        """Answer from a model that is stored in a folder."""
        self._fitted, self._stored = model, (folder.absolute(), weakref.ref(model))

    def _put_in(self, rows: Any, on_text: TextProgress | None, *, update: bool) -> tuple[ItemUpdates, Model]:
        """Add or update the items of the rows in the model; returns the item updates and the previous model."""
        from kgrec.model.item_updates import read_updates, with_updates

        _check_progress(on_text)
        with self._changes.turn():
            model = self.model
            new = read_updates(model, rows, self._encoder(model), on_text, update=update)
            if len(new.ids):
                self._fitted = with_updates(model, new)
        return new, model

    def _encoder(self, model: Model) -> TextEncoder | None:
        """The text encoder that a model was trained with."""
        if self._text_encoder is not None:
            return self._text_encoder
        if model.own_text_encoder:
            raise EncoderNotFound(
                "This model was trained with a custom text encoder, which is not stored with it.",
                "Pass it: Recommender.load(folder, text_encoder=...).",
            )
        kept = self._configured
        if kept is None or kept[0] != model.config.text:
            kept = self._configured = (model.config.text, _configured(model.config.text))
        return kept[1]


def _explained(
    model: Model,
    history: Histories,
    item: str,
    user: str,
    request: Request,
    seen: csr_matrix,
    with_counterfactual: bool,
) -> Explanation:
    from kgrec.recommend.counterfactual import counterfactual
    from kgrec.recommend.explain import explain
    from kgrec.recommend.placement import list_remarks

    row = int(item_rows(model, [as_id(item, "item")])[0])
    request.boosts(model)  # raises an error for unknown items and conditions
    explanation = explain(model, history, row, user, request.new_item_boost, request.boosts_of(model, row))
    left_out = seen if request.exclude_seen else None
    without = None
    if options.flag("counterfactual", with_counterfactual):
        without = counterfactual(model, history, row, request, left_out, user)
    return replace(
        explanation,
        counterfactual=without,
        in_list=list_remarks(model, history, row, request, left_out, [user] if user else None),
    )


def _summary_of(outcome: RefreshOutcome, added: Added | None, since: AddedInteractions | None) -> Refreshed:
    entry, found = outcome.lineage, outcome.comparison
    return Refreshed(
        outcome.accepted,
        interactions=entry["interactions"],
        users=entry["users"],
        new_items=entry["new_items"],
        newly_learned_items=entry["newly_learned_items"],
        k=found.k,
        compared_users=found.users,
        before=found.before,
        after=found.after,
        low=found.low,
        high=found.high,
        p=found.p,
        lineage=entry,
        added=added,
        added_interactions=since,
    )


def _check_progress(on_text: TextProgress | None) -> None:
    options.callback("on_text", on_text, "the numbers of encoded texts and of all texts")


def _configured(config: TextConfig, executor: Executor | None = None) -> TextEncoder | None:
    return None if config.model == "none" else SentenceEncoder(config, executor)


def _received(kind: type[Recommender], folder: str, seal: str) -> Recommender:
    recommender = kind.load(folder)
    assert recommender.model.origin is not None
    check_seal(Path(folder), recommender.model.origin[1], seal)
    return recommender

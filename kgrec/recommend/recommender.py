"""The recommender: train once, then request items, users, explanations; add, update and remove items at any time.

Enters: a KnowledgeGraph, ids and histories in the user's own strings. Leaves: frames and embeddings. Writes and reads model/.

A `Recommender` holds one model, which never changes. Each query takes it once, so its answer belongs to one model. A change makes
another model and puts that in its place; changes wait for each other, queries wait for nothing.
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
    """A knowledge-graph recommender, safe to share between threads.

    A recommender that was loaded or saved, and not changed since, is pickled as the path of its folder. A copy shares the model,
    which never changes, and later changes of one do not reach the other.

    Args:
        config: Options of all stages.
        text_encoder: Replaces the sentence-transformer that `config.text.model` names; with "none", texts are left out.

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
        """Train.

        Args:
            graph: Holds the items, and the interactions unless they are given.
            interactions: A frame with user_id and item_id.
            valid: A frame of held-out interactions, or `Interactions`, that choose temperature and
                epochs, and that the model does not know afterwards; None, or `Interactions` without rows: a share of each
                user's interactions is held out for the choice, and learned from after it.
            checkpoint: Keeps the state of the training, so that an interrupted one can resume.
            executor: Encodes the texts, as `executor_for` makes it; None: this process does. A text encoder of your own ignores it.
            on_text: Called with the number of encoded texts and of all texts.
            on_epoch: Called after each epoch.
            on_stage: Called with the name of each other stage when it begins.

        Raises:
            EncoderNotFound: The text encoder cannot be loaded.
            TrainingError: There is no item to learn.
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
            # a fold may have no part for tuning
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
        """The trained model, which never changes: a change of the recommender puts another one in its place.

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
        """The folder that holds the model as it is; None when it was never saved, or changed since."""
        stored = self._stored
        return stored[0] if stored is not None and stored[1]() is self._fitted else None

    @property
    def item_embeddings(self) -> Embeddings:
        """Vectors of all items that may be recommended, added ones included."""
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
            weights: How much each item counts, as for `recommend_for_history`.
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
            rows: As `add_items` takes them.
            on_text: Called with the number of encoded texts and of all texts.

        Raises:
            SourceError: The rows are not as the mapping says.
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
        """Make new items recommendable at once, without training. Removed items return to the place that they had.

        Args:
            rows: A folder with files laid out as the mapping says; or a frame of the only item
                type; or frames by node type; or a graph of such rows, as `Fold.later` is. Rows of items that the
                model offers are left out.
            on_text: Called with the number of encoded texts and of all texts.

        Raises:
            SourceError: The rows are not as the mapping says.
        """
        new, _ = self._put_in(rows, on_text, update=False)
        return Added(
            new.ids.tolist(), new.labels, new.linked, new.words, new.bare, new.report, known=new.others
        )

    def update_items(self, rows: Any, *, on_text: TextProgress | None = None) -> Updated:
        """Give known items the content of their rows, without training; what their users taught stays.

        Args:
            rows: As `add_items` takes them, with all columns of their table or some: a row replaces the values of the columns that
                it has, also by empty cells; the others stay. Edges and RDF replace the relations and predicates that they have for
                the item. Rows of items that the model does not offer are left out.
            on_text: Called with the number of encoded texts and of all texts.

        Raises:
            SourceError: The rows are not as the mapping says.
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
        """Let interactions count at once that users had since training, without training; new users become known by them.

        Rows of a pair that a user's history has count as one: the latest decides whether the item is liked.

        Args:
            rows: The path of a table, a frame, or `Interactions`; with the columns of the mapping's log, or user_id, item_id and
                time. The mapping's rule `positive` holds where its column of values is there; otherwise all rows are positive.
                Where other interactions have times, rows without one are taken as newest. Rows of unknown items are left out and
                counted in the report.

        Raises:
            SourceError: A column is missing, or no row can be used.
            TooManyBadRows: Most rows are bad; none is added.
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
        """Learn from newer interactions and items, in a fraction of the time of `fit`, with the options that it chose.

        The model starts from its own parameters. It is held against its parent on the newest fifth of the new interactions, which
        it then learns from, too. If it ranks these worse, and not by chance, the recommender stays as it was.

        Args:
            interactions: As `add_interactions` takes them; None: those that the recommender has and `parent` lacks.
            items: As `add_items` takes them; None: no new items.
            parent: The model that was trained or refreshed last, if interactions or items were added since; None: the present one.
            replay: Share of the histories without new interactions that are learned from again, 0 to 1; None: a fifth.
            force: Take the refreshed model even if it ranks worse.
            on_text: Called with the number of encoded texts and of all texts.
            on_epoch: Called after each epoch.
            on_stage: Called with the name of each other stage when it begins.

        Raises:
            SourceError: The rows are not as the mapping says.
            TrainingError: Nothing is new, or the model learned from no interactions.
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
        """Stop recommending some items; in histories they still count.

        Args:
            items: Their ids.
            on_unknown: "raise", or "skip" ids that the model does not know.

        Raises:
            UnknownId: An item is unknown; none is removed then.
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
            new_item_boost: As for `recommend`; it is a part of its own.
            item_boost: As for `recommend`; a part of its own.
            where_boost: As for `recommend`; each condition is a part of its own.
            counterfactual: Also look for a smallest set of history items without which the item is not in the list, by ranking up to
                200 lists.
            request: The options of the list that the item is in, in place of the boosts.

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
        """Which sources, relations, columns and words carry the scores of lists, by length of the history and popularity of the item.

        Args:
            users: Known users; None: a sample of all.
            k: Items per list.
            sample: How many users are drawn where none are given.
            seed: Of the draw.

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
                "No user has a liked item, so no list is personal.", "Name users with a history."
            )
        return global_explanation(model, rows, k)

    def label(self, item: str) -> str:
        """Label of an item, "" if it has none."""
        model = self.model
        return model.items.label(int(item_rows(model, [as_id(item, "item")])[0]))

    def find_items(self, text: str, k: int = 10) -> Any:
        """Items by name: ids and labels that equal the text, begin with it, have its words, contain it, or are similar to it.

        Case, accents and punctuation play no part. Similar ones are looked for if there is no other match.

        Returns:
            A frame with item_id, label, match ("id", "label", "prefix", "words", "part" or "similar"), score (of "similar" the share of
            letters in common, otherwise 1) and removed (whether it is no longer recommended), best first.
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
        """What the model holds, in figures: see `kgrec.model.summary`."""
        return summary(self.model)

    def save(self, folder: str | Path, *, keep: int = 0) -> None:
        """Write model/, whole or not at all.

        Args:
            folder: The folder to write.
            keep: How many earlier versions of the folder stay beside it, for `kgrec rollback`.

        Raises:
            ArtifactError: The folder cannot be written, or another process replaced it since it was
                loaded from there.
        """
        folder, keep = options.path("folder", folder), options.whole_number("keep", keep, 0)
        with self._changes.turn():
            self._hold(storage.save(self.model, folder, keep), folder)

    def reload(self) -> bool:
        """Take the model that is in the folder now, if another process replaced it; a running query finishes on the old one.

        When nothing was replaced, only the manifest is read, and changes that are not saved stay. Otherwise they are lost,
        because they were made to a model that is no longer there.

        Returns:
            Whether it was replaced.

        Raises:
            ArtifactError: The folder is not there, of another version, or corrupt; the model stays as it was.
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
        """Read model/; needs neither graph/ nor the sources.

        Raises:
            ArtifactError: It is not there, of another version, or corrupt.
        """
        folder, encoder = options.path("folder", folder), checked_encoder(text_encoder)
        model = storage.load(folder)
        recommender = cls(model.config, text_encoder=encoder)
        recommender._hold(model, folder)
        # now, since the encoder may be in a relative folder
        recommender._configured = (model.config.text, _configured(model.config.text))
        return recommender

    def with_model(self, model: Model) -> Self:
        """A recommender with the same options and text encoder that answers from another model; `self` stays as it is."""
        other = self.__copy__()
        other._fitted = options.instance("model", model, Model, "Give the model of a recommender.")
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Its folder; ArtifactError where no folder holds this very model."""
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
        """Answer from a model that is in a folder."""
        self._fitted, self._stored = model, (folder.absolute(), weakref.ref(model))

    def _put_in(self, rows: Any, on_text: TextProgress | None, *, update: bool) -> tuple[ItemUpdates, Model]:
        """Items that rows make new or other than they were, now in the model; and the model before."""
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
                "This model was trained with a text encoder of your own, which is not stored with it.",
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
    request.boosts(model)  # refuses unknown items and conditions
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

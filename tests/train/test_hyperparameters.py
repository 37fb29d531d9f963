from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from grouped import grouped_halves, grouped_items, split_of

from kgrec.config import Config, TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.graph.histories import Histories
from kgrec.rank import fusion_weights
from kgrec.rank.config import SCORERS, RescoreConfig
from kgrec.rank.fusion_weights import FusionSearch, FusionWeights
from kgrec.rank.item_item import ItemItemOptions, ItemItemSearch, profiles_of
from kgrec.rank.rescorer import proportions
from kgrec.train import fit, hyperparameters
from kgrec.train.checkpoint import Checkpoint, FinishedTrial
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.hyperparameters import LEARNING_RATE, TEMPERATURES, default_hyperparameters
from kgrec.train.learner import fresh_encoder
from kgrec.train.progress import EpochLog, TrainingWatcher
from kgrec.train.validation import ValidationSplit

N_ITEMS, N_GROUPS, N_USERS = 24, 4, 32


def data(**options) -> TrainingData:
    features, featurizer = grouped_items(N_ITEMS, N_GROUPS)
    train = {"threads": 1, "epochs": 4, "batch_size": 16, "valid_k": 3, "device": "cpu", **options}
    return TrainingData(features, featurizer, EncoderConfig(dim=8), TrainConfig(**train))


def halves(_: np.random.Generator | None = None) -> ValidationSplit:
    """User u has three items of group u % 4, and one more is held out."""
    return split_of(*grouped_halves(N_USERS, N_ITEMS, N_GROUPS))


# the search along each option


class Landscape(hyperparameters._Trials):
    """Trials whose quality is a given function of the hyperparameters, one second per epoch."""

    def __init__(self, items: TrainingData, quality) -> None:
        log = EpochLog(TrainingWatcher(), items, [])
        super().__init__(items, halves(), None, None, log, Checkpoint())
        self.landscape, self.made = quality, list[Hyperparameters]()

    def _pays(self, trial: FinishedTrial) -> bool:
        return trial.ndcg >= 0

    def _spent(self) -> float:
        return sum(trial.seconds for trial in self.checkpoint.finished.values())

    def make(self, hyperparameters: Hyperparameters, required: float) -> FinishedTrial:
        del required
        if hyperparameters not in self.checkpoint.finished:
            self.made.append(hyperparameters)
            trial = FinishedTrial(
                hyperparameters, self.landscape(hyperparameters), 0.0, float(hyperparameters.epochs)
            )
            self.checkpoint.save_trial(trial, None, [])
        return self.checkpoint.finished[hyperparameters]


@pytest.mark.parametrize("peak", TEMPERATURES)
@pytest.mark.parametrize("rate", [LEARNING_RATE, 2 * LEARNING_RATE])
@pytest.mark.parametrize("epochs", [2, 4, 8])
def test_the_search_finds_a_single_maximum(peak, rate, epochs):
    place = TEMPERATURES.index(peak)

    def quality(hyperparameters: Hyperparameters) -> float:
        far = abs(TEMPERATURES.index(hyperparameters.temperature) - place)
        far += hyperparameters.learning_rate != rate
        return 1 - 0.1 * (far + abs(np.log2(hyperparameters.epochs / epochs)))

    trials = Landscape(data(search_seconds=1000), quality)
    assert trials.best().hyperparameters == Hyperparameters(peak, rate, epochs)
    assert len(set(trials.made)) == len(trials.made)


def test_configured_hyperparameters_are_not_varied():
    trials = Landscape(data(temperature=0.12, learning_rate=0.01), lambda one: one.epochs / 10)
    assert trials.best().hyperparameters == Hyperparameters(0.12, 0.01, 8)
    assert [hyperparameters.epochs for hyperparameters in trials.made] == [2, 4, 8]
    assert {
        (hyperparameters.temperature, hyperparameters.learning_rate) for hyperparameters in trials.made
    } == {(0.12, 0.01)}


def test_a_gain_below_a_thousandth_does_not_count():
    default = Hyperparameters(0.1, LEARNING_RATE, 2)
    trials = Landscape(data(), lambda one: 0.5 if one == default else 0.5004)
    assert trials.best().hyperparameters == default


def test_a_trial_beyond_the_budget_is_not_started():
    """Each temperature takes 2 seconds, and higher ones are better."""
    trials = Landscape(data(search_seconds=5), lambda one: one.temperature)
    assert trials.best().hyperparameters == Hyperparameters(0.15, LEARNING_RATE, 2)
    assert trials.made == [Hyperparameters(0.1, LEARNING_RATE, 2), Hyperparameters(0.15, LEARNING_RATE, 2)]


def test_without_a_budget_one_trial_is_made():
    config = Config(encoder=EncoderConfig(dim=8), train=data(search_seconds=0).train)
    parts = halves()
    every = Histories.of_matrix((parts.training + parts.valid).tocsr())
    result = fit.train(data(search_seconds=0), every, halves, config, TrainingWatcher(), Checkpoint())
    only = Hyperparameters(0.1, LEARNING_RATE, 2)
    assert {line.hyperparameters for line in result.records} == {
        only
    } and result.choice.hyperparameters == only
    assert [(line.stage, line.epoch) for line in result.records] == [
        *(("select", 1), ("select", 2), ("valid", 2), ("refit", 1), ("refit", 2))
    ]
    assert all(np.isfinite(value.numpy()).all() for value in result.encoder.state_dict().values())
    assert sum(result.choice.weights.values()) == pytest.approx(1)


def test_default_hyperparameters_are_those_of_the_configuration_if_it_has_some():
    assert default_hyperparameters(data()) == Hyperparameters(0.1, LEARNING_RATE, 4)
    assert default_hyperparameters(data(temperature=0.2, learning_rate=0.5)) == Hyperparameters(0.2, 0.5, 4)


# candidates


def evaluated(parts: ValidationSplit) -> tuple[Histories, sp.csr_matrix, sp.csr_matrix]:
    return parts.queries.histories, parts.queries.truth, parts.queries.seen


def fusion_search(items: TrainingData, parts: ValidationSplit, config: RescoreConfig) -> FusionSearch:
    known = items.known(parts.training)
    rest = evaluated(parts), known, items.valid_k, config
    return FusionSearch(items.features, items.featurizer, parts.histories, *rest)


def item_item_search(items: TrainingData, parts: ValidationSplit, config: RescoreConfig) -> ItemItemSearch:
    return ItemItemSearch(parts.histories, *evaluated(parts), items.valid_k, config)


def fresh_trials(items: TrainingData, parts: ValidationSplit) -> hyperparameters._Trials:
    """Trials with untrained encoders."""
    fusion = fusion_search(items, parts, RescoreConfig())
    return hyperparameters._Trials(
        items,
        parts,
        fusion,
        lambda _: fresh_encoder(items),
        EpochLog(TrainingWatcher(), items, []),
        Checkpoint(),
    )


def test_excluded_and_seen_items_are_in_no_list():
    """Each user has seen a disliked item, which is not in the history."""
    items, excluded = data(search_seconds=0), np.arange(N_ITEMS) == 5
    disliked = sp.csr_matrix(np.eye(N_USERS, N_ITEMS, k=-8, dtype=np.float32))
    parts = halves()
    parts = replace(parts, excluded=excluded, seen=(parts.training + disliked).tocsr())
    short = fresh_trials(items, parts)._shortlist(fresh_encoder(items))
    listed = np.where(np.isfinite(short.cosines), short.candidates, -1)
    for user, row in zip(parts.evaluated_users, listed, strict=True):
        left_out = {5, *parts.training[user].indices.tolist(), *disliked[user].indices.tolist()}
        assert sorted(row[row >= 0].tolist()) == sorted(set(range(N_ITEMS)) - left_out)


def test_in_the_unwanted_scenario_unknown_items_are_listed_and_held_out_ones_are_not():
    parts = halves()
    popular = int(np.bincount(parts.valid.indices).argmax())
    held_out_items, without_interactions = np.arange(N_ITEMS) == popular, np.arange(N_ITEMS) == 5
    other = replace(
        parts,
        held_out_items=held_out_items,
        without_interactions=without_interactions,
        excluded=without_interactions,
    ).if_unwanted
    assert (other.excluded == held_out_items).all()
    assert (
        not other.valid[:, popular].nnz
        and (other.valid[:, ~held_out_items] != parts.valid[:, ~held_out_items]).nnz == 0
    )
    assert parts.valid[:, popular].nnz and other.training is parts.training


def test_evaluated_users_have_a_history_and_held_out_interactions():
    training = sp.csr_matrix(np.array([[1, 0], [0, 0], [1, 1]], np.float32))
    valid = sp.csr_matrix(np.array([[0, 1], [0, 1], [0, 0]], np.float32))
    assert split_of(training, valid).evaluated_users.tolist() == [0]


# the whole search


def found(rescore: RescoreConfig | None = None, **options) -> hyperparameters.Choice:
    items = data(search_seconds=0, **options)
    return hyperparameters.search_hyperparameters(
        items,
        halves(),
        rescore or RescoreConfig(),
        lambda _: fresh_encoder(items),
        EpochLog(TrainingWatcher(), items, []),
        Checkpoint(),
    )


def test_the_graph_scorer_gets_a_weight_beside_untrained_embeddings():
    """A held-out item is of the user's group, which its neighbours show and an untrained encoder does not."""
    result = found(RescoreConfig(co_occurrence=False), temperature=0.1, learning_rate=0.01)
    assert result.weights["graph"] > 0
    assert result.figures["fused_ndcg"] > result.figures["ndcg"]
    assert result.figures["fused_recall"] >= result.figures["recall"]


def test_configured_weights_are_normalised():
    result = found(RescoreConfig(weights={"embedding": 2, "graph": 1, "text": 1}, penalty=7))
    assert result.weights == proportions({"embedding": 2, "graph": 1, "text": 1}) and not result.item_item
    names = ("k", "new_share", "ndcg", "recall", "fused_ndcg", "fused_recall")
    assert result.figures.keys() == set(names)
    chosen = found(RescoreConfig(penalty=7))
    assert chosen.item_item["co_occurrence"] == ItemItemOptions("slim", 7, 1)
    assert result.figures["fused_ndcg"] <= chosen.figures["fused_ndcg"]


def test_without_co_occurrence_its_weight_is_zero():
    result = found(RescoreConfig(co_occurrence=False))
    assert result.weights["co_occurrence"] == 0 and [*result.weights] == [*SCORERS]
    assert result.figures["fused_ndcg"] >= result.figures["ndcg"]


def test_the_options_of_item_item_weights_are_those_of_their_search():
    chosen, parts = found(), halves()
    search = item_item_search(data(search_seconds=0), parts, RescoreConfig())
    assert set(chosen.item_item) == {"co_occurrence", "random_walk"}
    assert chosen.item_item == {name: search.best(name)[0] for name in chosen.item_item}


def test_trials_and_whitenings_are_compared_by_the_fused_score():
    """The whitening is the first power that the next one does not improve."""
    items = data(search_seconds=0)
    trials = fresh_trials(items, halves())
    best = trials.best()
    power, short = trials.whitened(best.ndcg)
    encoder = fresh_encoder(items)
    shortlists = [trials._shortlist(encoder, tried) for tried in hyperparameters.POWERS]
    reached = [trials.fusion.choose(one).ndcg for one in shortlists]
    assert best.ndcg == reached[0] > shortlists[0].quality(shortlists[0].cosines, items.train.valid_k)[0]
    at = hyperparameters.POWERS.index(power)
    np.testing.assert_array_equal(short.cosines, shortlists[at].cosines)
    assert all(later > before for before, later in pairwise(reached[: at + 1]))
    assert at == len(reached) - 1 or reached[at + 1] <= reached[at] * fusion_weights.MIN_GAIN


# items without interactions


def cold_offset(parts: ValidationSplit) -> float:
    """The offset with a score of neighbours, which is equal for all items of a group."""
    items = data(search_seconds=0, valid_k=4)
    trials = fresh_trials(items, parts)
    trials.best()
    neighbours = FusionWeights(proportions({"embedding": 1, "graph": 9}), 0, 0)
    return trials.fusion.cold_offset(trials.scenarios(0.0), parts.held_out_items, neighbours)


def interactions_with(items: range, users: slice = slice(None)) -> sp.csr_matrix:
    """Interactions of users with those of these items that are of their group."""
    dense = np.zeros((N_USERS, N_ITEMS), np.float32)
    for user in range(N_USERS)[users]:
        dense[user, [item for item in items if item % N_GROUPS == user % N_GROUPS]] = 1
    return sp.csr_matrix(dense)


UNKNOWN, HALF, OTHERS = np.arange(N_ITEMS) >= 12, slice(N_USERS // 2), slice(N_USERS // 2, None)


def test_the_cold_offset_is_zero_where_new_items_are_held_out():
    assert cold_offset(split_of(interactions_with(range(12)), interactions_with(range(12, 24)), UNKNOWN)) == 0


def test_the_cold_offset_is_negative_where_known_items_are_held_out():
    training = (interactions_with(range(8)) + interactions_with(range(8, 12), HALF)).tocsr()
    assert cold_offset(split_of(training, interactions_with(range(8, 12), OTHERS), UNKNOWN)) < 0


# users in order


class OrderedLandscape(Landscape):
    """Trials on histories with an order, which remember the trial whose encoder is kept."""

    def __init__(self, items: TrainingData, quality, order_counts: bool = False) -> None:
        super().__init__(items, quality)
        self.order_counts = order_counts
        self.split = replace(self.split, histories=replace(self.split.histories, ordered=True))
        self.kept: Hyperparameters | None = None

    def _order_counts(self) -> bool:
        return self.order_counts

    def make(self, hyperparameters: Hyperparameters, required: float) -> FinishedTrial:
        is_new = hyperparameters not in self.checkpoint.finished
        trial = super().make(hyperparameters, required)
        # as in `_Trials.make`: the encoder of a trial that was made before is not there any more
        self.kept = hyperparameters if is_new and trial.ndcg > required else self.kept
        return trial


@pytest.mark.parametrize("temperature", [0.07, 0.1, 0.2])
@pytest.mark.parametrize("epochs", [2, 4, 8])
@pytest.mark.parametrize("linear", [0.2, 0.75, 0.95, 2.0])
def test_the_encoder_that_is_kept_is_that_of_the_best_trial(temperature, epochs, linear):
    """The mean does better near a temperature and a number of epochs; the linear encoder equally well everywhere."""

    def quality(one: Hyperparameters) -> float:
        far = abs(np.log(one.temperature / temperature)) + abs(np.log2(one.epochs / epochs)) / 5
        return linear if one.user == "linear" else 1 - far / 2

    trials = OrderedLandscape(data(search_seconds=1000), quality)
    best = trials.best()
    assert trials.kept == best.hyperparameters and trials._best_trial is best
    whole = Hyperparameters(0.1, LEARNING_RATE, 4)
    assert (best.hyperparameters.user == "linear") == (quality(whole) <= linear * fusion_weights.MIN_GAIN)


def test_the_mean_is_not_tried_where_order_counts():
    trials = OrderedLandscape(data(), lambda one: float(one.user == "mean"), order_counts=True)
    assert trials.best().hyperparameters.user == "linear" and len(trials.made) == 1


def test_popularity_gets_a_factor_only_where_it_improves_the_next_item():
    """Item 0 is the most popular, and all embeddings say nothing."""
    items, parts = data(), halves()
    ordered = replace(parts, histories=replace(parts.histories, ordered=True))
    for split, expected in ((ordered, True), (parts, False)):
        fusion = fusion_search(items, split, RescoreConfig(popularity=None))
        popular = fusion_weights.log_users(split.histories)
        queries = split.queries
        width = queries.truth.shape[1]
        truth = np.zeros((len(queries), width), np.float32)
        truth[:, popular.argmax()] = 1
        rng = np.random.default_rng(0)
        short = fusion_weights.Shortlist(
            profiles_of(queries.histories),
            sp.csr_matrix(truth),
            np.tile(np.arange(width), (len(queries), 1)),
            rng.normal(size=truth.shape).astype(np.float32),
            np.zeros((width, 8), np.float32),
        )
        only = FusionWeights(proportions({"embedding": 1.0}), *short.quality(short.cosines, fusion.k))
        chosen = fusion.with_popularity(short, only)
        assert (chosen.popularity > 0) == expected and (chosen.ndcg > only.ndcg) == expected
        fixed = fusion_search(items, split, RescoreConfig(popularity=0.25)).with_popularity(short, only)
        assert fixed.popularity == 0.25

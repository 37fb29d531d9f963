import math
import os

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from grouped import grouped_items, split_of
from hypothesis import given
from hypothesis import strategies as st

from kgrec.config import Config, TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.encode.item_encoder import EncoderInputs, ItemEncoder
from kgrec.encode.whitening import Whitening
from kgrec.errors import TrainingError
from kgrec.graph.histories import Histories
from kgrec.train import hyperparameters
from kgrec.train.checkpoint import Checkpoint
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.fit import Trained, train
from kgrec.train.learner import Learner, _Batch, fresh_encoder
from kgrec.train.progress import TrainingWatcher
from kgrec.train.threads import idle_cores
from kgrec.train.validation import ValidationSplit

N_ITEMS, N_GROUPS = 60, 4
ENCODER = EncoderConfig(dim=8)
QUICK = {"threads": 1, "temperature": 0.1, "learning_rate": 0.015, "epochs": 3, "batch_size": 16}


def tastes(n_users: int = 48, each: int = 6, seed: int = 0) -> sp.csr_matrix:
    """User u has `each` items of group u % groups."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(n_users), each)
    items = np.concatenate(
        [
            rng.choice(N_ITEMS // N_GROUPS, each, replace=False) * N_GROUPS + user % N_GROUPS
            for user in range(n_users)
        ]
    )
    return sp.csr_matrix((np.ones(len(rows), np.float32), (rows, items)), (n_users, N_ITEMS))


def halves(rng: np.random.Generator) -> ValidationSplit:
    """Hold out one item of each user."""
    whole = tastes()
    valid = np.zeros(whole.shape, np.float32)
    for user in range(whole.shape[0]):
        valid[user, rng.choice(whole[user].indices)] = 1
    held = sp.csr_matrix(valid)
    left = (whole - held).tocsr()
    left.eliminate_zeros()
    return split_of(left, held)


def nothing(_: np.random.Generator) -> ValidationSplit:
    """Hold out nothing."""
    return split_of(tastes(), tastes()[:0])


def fitted(items, positives, held_out, encoder=ENCODER, told=None, **options) -> Trained:
    config = Config(encoder=encoder, train=TrainConfig(**(QUICK | options)))
    data = TrainingData(*items, encoder, config.train)
    return train(
        data, Histories.of_matrix(positives), held_out, config, TrainingWatcher(epoch=told), Checkpoint()
    )


def trained(held_out=nothing, **options) -> Trained:
    return fitted(grouped_items(N_ITEMS, N_GROUPS), tastes(), held_out, **options)


def vectors(result: Trained, items) -> np.ndarray:
    """Items before normalisation."""
    with torch.no_grad():
        return result.encoder(EncoderInputs(items[0]), result.encoder.identity).numpy()


def learner(**options) -> Learner:
    features, featurizer = grouped_items(N_ITEMS, N_GROUPS)
    data = TrainingData(features, featurizer, ENCODER, TrainConfig(**(QUICK | options)))
    torch.manual_seed(0)
    encoder = ItemEncoder.for_features(ENCODER, featurizer, N_ITEMS)
    return Learner(encoder, data, Histories.of_matrix(tastes()), Hyperparameters(0.1, 0.015, 3))


# hiding


@st.composite
def _histories(draw) -> sp.csr_matrix:
    """Each user has at least two items, as in training."""
    n_items = draw(st.integers(2, 12))
    rows = draw(
        st.lists(st.sets(st.integers(0, n_items - 1), min_size=2, max_size=n_items), min_size=1, max_size=6)
    )
    dense = np.zeros((len(rows), n_items), np.float32)
    for row, items in enumerate(rows):
        dense[row, sorted(items)] = 1
    return sp.csr_matrix(dense)


@given(_histories(), st.floats(0.01, 0.99), st.integers(0, 10_000))
def test_hidden_and_shown_items_make_up_the_history(histories, share, seed):
    batch = _Batch.hide(histories, share, np.random.default_rng(seed))
    hidden = np.zeros(histories.shape, np.float32)
    np.add.at(hidden, batch.hidden, 1)
    shown = batch.shown.toarray()
    assert not (hidden * shown).any()
    np.testing.assert_array_equal(hidden + shown, histories.toarray())
    assert (shown.sum(axis=1) >= 1).all()


def test_half_of_a_long_history_is_hidden():
    histories = sp.csr_matrix(np.ones((1, 10_000), np.float32))
    batch = _Batch.hide(histories, 0.5, np.random.default_rng(0))
    assert len(batch.hidden[0]) == pytest.approx(5000, abs=200)


# loss


def test_the_loss_is_this_sum():
    batch = _Batch(
        shown=sp.csr_matrix(np.array([[1, 0, 0], [0, 1, 0]], np.float32)),
        hidden=(np.array([0, 0, 1]), np.array([1, 2, 2])),
    )
    logits = torch.tensor([[9.0, 1.0, 2.0], [0.5, 9.0, -1.0]])
    first, second = math.log(math.e + math.e**2), math.log(math.exp(0.5) + math.exp(-1))
    expected = ((first - 1) + (first - 2) + (second + 1)) / 3
    assert batch.losses(logits, None).mean().item() == pytest.approx(expected, rel=1e-6)
    # a candidate that stands for three counts three times in the denominator
    weighted = batch.losses(logits, torch.tensor([0.0, 0.0, math.log(3)])).mean().item()
    first, second = math.log(math.e + 3 * math.e**2), math.log(math.exp(0.5) + 3 * math.exp(-1))
    expected = ((first - 1) + (first - 2) + (second + 1)) / 3
    assert weighted == pytest.approx(expected, rel=1e-6)


def test_the_sampled_denominator_is_right_on_average():
    sampler = learner(full_softmax_items=10, sampled_items=12)
    histories = sampler.positives[:2]
    logits = torch.from_numpy(np.random.default_rng(5).normal(size=(2, N_ITEMS)))
    whole = _Batch.hide(histories, 0.5, np.random.default_rng(1))
    shown = torch.from_numpy(whole.shown.toarray()) > 0
    full = logits.exp().masked_fill(shown, 0).sum(dim=1)
    totals, own = [], np.unique(histories.indices)
    for _ in range(3000):
        batch, items, weight = sampler._candidates(whole)
        # what the batch holds is always there, stands for itself, and is found under its new number
        assert items[: len(own)].tolist() == own.tolist() and not weight[: len(own)].any()
        assert len(np.unique(items)) == len(items) <= len(own) + 12
        assert items[batch.hidden[1]].tolist() == whole.hidden[1].tolist()
        assert items[batch.shown.indices].tolist() == whole.shown.indices.tolist()
        allowed = torch.from_numpy(batch.shown.toarray()) == 0
        totals.append((allowed * (logits[:, items] + weight).exp()).sum(dim=1))
    error = torch.stack(totals).std(dim=0) / math.sqrt(len(totals))
    difference = (torch.stack(totals).mean(dim=0) - full).abs()
    assert (difference < 4 * error).all() and (error < 0.01 * full).all()


def test_in_a_small_catalogue_all_items_are_candidates():
    batch = _Batch.hide(tastes(2), 0.5, np.random.default_rng(0))
    assert learner(full_softmax_items=N_ITEMS)._candidates(batch) == (batch, None, None)


@pytest.mark.parametrize("sampled", [1, N_ITEMS, 4096])
def test_any_number_of_sampled_items_trains(sampled):
    log = trained(full_softmax_items=1, sampled_items=sampled).records
    assert all(math.isfinite(line.loss) for line in log)


def test_a_batch_that_holds_every_item_needs_no_sample():
    whole = sp.csr_matrix(np.ones((4, N_ITEMS), np.float32))
    items = grouped_items(N_ITEMS, N_GROUPS)
    result = fitted(items, whole, lambda _: split_of(whole, whole[:0]), full_softmax_items=1, sampled_items=5)
    assert all(math.isfinite(line.loss) for line in result.records)


# learning


def quality(result: Trained) -> float:
    """Share of an item's 14 nearest that are of its group."""
    raw = vectors(result, grouped_items(N_ITEMS, N_GROUPS))
    units = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    nearest = np.argsort(-(units @ units.T), axis=1)[:, 1 : N_ITEMS // N_GROUPS]
    return float((nearest % N_GROUPS == np.arange(N_ITEMS)[:, None] % N_GROUPS).mean())


@pytest.mark.parametrize("full", [N_ITEMS, 1])
def test_the_loss_falls_and_groups_come_together(full):
    result = trained(full_softmax_items=full, sampled_items=20, epochs=20)
    losses = [line.loss for line in result.records]
    assert losses[-1] < 0.8 * losses[0]
    assert quality(result) > 0.95 and quality(trained(epochs=1, learning_rate=1e-9)) < 0.7


@pytest.mark.parametrize("full", [N_ITEMS, 1])
def test_an_item_without_interactions_has_no_residual(full):
    items, untaken = grouped_items(N_ITEMS, N_GROUPS), [3, 8, 41]
    positives = tastes().tolil()
    positives[:, untaken] = 0
    positives = positives.tocsr()
    result = fitted(
        items,
        positives,
        lambda _: split_of(positives, positives[:0]),
        full_softmax_items=full,
        sampled_items=20,
    )
    identity = result.encoder.identity.detach().numpy()
    assert np.flatnonzero(~identity.any(axis=1)).tolist() == untaken
    with torch.no_grad():
        new = result.encoder(EncoderInputs(items[0].take(np.array(untaken)))).numpy()
    np.testing.assert_array_equal(vectors(result, items)[untaken], new)


@pytest.mark.parametrize("full", [N_ITEMS, 1])
def test_features_of_an_item_without_interactions_change_nothing(full):
    """Item 3 belongs to another group, or to one of its own; the parameters are the same, bit for bit."""
    positives = tastes().tolil()
    positives[:, 3] = 0
    states = []
    for group in (3 % N_GROUPS, 0, N_GROUPS):
        features, featurizer = grouped_items(N_ITEMS, N_GROUPS)
        neighbors = np.zeros((N_ITEMS, N_GROUPS + 1), np.float32)
        neighbors[:, :N_GROUPS] = features.neighbors.toarray()
        neighbors[3] = np.arange(N_GROUPS + 1) == group
        groups = np.arange(N_GROUPS + 1)
        features = ItemFeatures(features.dense, sp.csr_matrix(neighbors), 0 * groups, groups)
        featurizer = Featurizer(("in",), groups, np.ones(len(groups), np.float32))
        held_out = split_of(positives.tocsr(), positives.tocsr()[:0])
        result = fitted(
            (features, featurizer),
            held_out.training,
            lambda _, parts=held_out: parts,
            full_softmax_items=full,
        )
        states.append({name: value.numpy() for name, value in result.encoder.state_dict().items()})
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][name])
        np.testing.assert_array_equal(value, states[2][name])
    # nobody met an item of the last group: it stands for nothing
    assert not states[0]["entity"][N_GROUPS].any() and states[0]["entity"][:N_GROUPS].any(axis=1).all()


def test_a_disliked_item_is_a_candidate_of_the_softmax():
    positives = tastes().tolil()
    positives[:, 3] = 0
    positives = positives.tocsr()
    items, refused = grouped_items(N_ITEMS, N_GROUPS), np.arange(N_ITEMS) == 3
    data = TrainingData(*items, ENCODER, TrainConfig(**QUICK), refused)
    assert data.known(positives)[3] and not TrainingData(*items, ENCODER, data.train).known(positives)[3]
    one = Learner(fresh_encoder(data), data, Histories.of_matrix(positives), Hyperparameters(0.1, 0.01, 1))
    assert one.known.tolist() == list(range(N_ITEMS))
    # but its residual, which nobody who took it taught, is left out
    assert not one.has_positives[3]


def test_a_sampled_softmax_ends_near_the_full_one():
    full, sampled = (
        trained(full_softmax_items=n, sampled_items=30, epochs=20).records[-1].loss for n in (60, 1)
    )
    assert sampled == pytest.approx(full, abs=0.15)


def test_the_same_seed_gives_the_same_bits_and_another_another_model():
    items = grouped_items(N_ITEMS, N_GROUPS)
    one, same, other = (vectors(trained(seed=seed), items) for seed in (7, 7, 8))
    assert one.tobytes() == same.tobytes()
    assert not np.allclose(one, other)


def test_the_global_random_state_of_torch_stays_as_it_was():
    before = torch.random.get_rng_state()
    trained()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_validation_chooses_hyperparameters_before_the_refit(monkeypatch):
    monkeypatch.setattr(hyperparameters, "_WORTH_TUNING", 0.0)
    told = []
    free = {"temperature": None, "learning_rate": None, "epochs": 4}
    items = grouped_items(N_ITEMS, N_GROUPS)
    result = fitted(items, tastes(), halves, told=lambda *line: told.append(line), **free)
    trials = {line.hyperparameters: line for line in result.records if line.stage == "valid"}
    # half of the epochs first; up and down the ladder of temperatures; each hyperparameters once
    assert next(iter(trials)) == Hyperparameters(0.1, 0.015, 2)
    assert {one.temperature for one in trials} > {0.1, 0.15}
    assert len(trials) == sum(line.stage == "valid" for line in result.records)
    chosen = trials[result.choice.hyperparameters]
    # nearer the default wins unless another is better by a thousandth
    assert chosen.valid_ndcg >= max(line.valid_ndcg for line in trials.values()) / 1.001
    # whitened, the fused score does as well at least
    assert result.choice.figures["fused_ndcg"] >= chosen.valid_ndcg
    runs = [line for line in result.records if line.stage == "select"]
    assert len(runs) == sum(one.epochs for one in trials)
    refit = [line for line in result.records if line.stage == "refit"]
    assert [(line.hyperparameters, line.epoch) for line in refit] == [
        (result.choice.hyperparameters, epoch) for epoch in range(1, result.choice.hyperparameters.epochs + 1)
    ]
    assert all((line.valid_ndcg is None) == (line.stage != "valid") for line in result.records)
    assert [line for line, _, _ in told] == result.records and told[-1][1] == told[-1][2]


def test_embeddings_that_add_little_are_not_tuned(monkeypatch):
    free = {"temperature": None, "learning_rate": None, "epochs": 4}
    monkeypatch.setattr(hyperparameters, "_WORTH_TUNING", 1e6)
    result = trained(halves, **free)
    assert {line.hyperparameters for line in result.records} == {Hyperparameters(0.1, 0.015, 2)}


def test_without_a_budget_there_is_one_trial():
    result = trained(halves, temperature=None, learning_rate=None, epochs=4, search_seconds=0)
    assert [line.hyperparameters for line in result.records if line.stage == "valid"] == [
        Hyperparameters(0.1, 0.015, 2)
    ]
    assert result.choice.hyperparameters == Hyperparameters(0.1, 0.015, 2)


def test_a_configured_temperature_is_used():
    result = trained(halves, temperature=0.3)
    assert {line.hyperparameters.temperature for line in result.records} == {0.3}
    assert any(line.stage == "select" for line in result.records)


def test_without_validation_all_epochs_are_run_once():
    log = trained().records
    assert [(line.stage, line.epoch) for line in log] == [("refit", 1), ("refit", 2), ("refit", 3)]


@pytest.mark.parametrize("positives", [sp.csr_matrix((0, 60)), sp.csr_matrix((3, 60)), tastes(5, each=1)])
def test_without_two_items_per_user_the_model_is_content_alone(positives, caplog):
    items = grouped_items(N_ITEMS, N_GROUPS)
    result = fitted(items, sp.csr_matrix(positives, dtype=np.float32), nothing)
    assert result.records == [] and "items are ranked by content alone" in caplog.text
    assert not result.encoder.identity.any()
    # items of a group are the same, others are not
    raw = vectors(result, items)
    np.testing.assert_array_equal(raw[0], raw[N_GROUPS])
    np.testing.assert_allclose(np.linalg.norm(raw, axis=1), 1, rtol=1e-5)
    assert quality(result) == 1


def test_content_alone_keeps_the_cosines_of_texts():
    rng = np.random.default_rng(0)
    text = (rng.normal(size=(6, 8)) @ rng.normal(size=(8, 20))).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    blank = sp.csr_matrix((6, 0), dtype=np.float32)
    features = ItemFeatures(text, blank, np.zeros(0, int), np.zeros(0, int))
    spread = Whitening(np.zeros(20, np.float32), np.eye(20, dtype=np.float32))
    featurizer = Featurizer((), np.zeros(0, int), np.zeros(0, np.float32), whitenings={"": spread})
    nobody = sp.csr_matrix((0, 6), dtype=np.float32)
    raw = vectors(fitted((features, featurizer), nobody, nothing), (features, featurizer))
    np.testing.assert_allclose(raw @ raw.T, text @ text.T, atol=1e-5)


def test_a_loss_that_is_not_finite_is_an_error_with_a_remedy():
    with pytest.raises(TrainingError) as raised:
        trained(learning_rate=1e38, epochs=5)
    assert raised.value.problem.startswith("The loss became nan in epoch ")
    assert raised.value.remedy == "Lower train.learning_rate, or raise train.temperature."


def test_torch_gets_its_thread_count_back():
    before = torch.get_num_threads()
    trained(threads=before + 1)
    assert torch.get_num_threads() == before


def test_between_one_and_all_cores_are_idle():
    assert 1 <= idle_cores() <= (os.cpu_count() or 1)


# validation


def test_validation_ranks_everything_but_the_history():
    """With two items of a group in the history and one held out, an untrained encoder of groups finds the third."""
    history = sp.csr_matrix(np.array([[1, 0, 1, 0, 0, 0]], np.float32))
    held = sp.csr_matrix(np.array([[0, 0, 0, 0, 1, 0]], np.float32))
    result = fitted(
        grouped_items(6, 2),
        (history + held).tocsr(),
        lambda _: split_of(history, held),
        EncoderConfig(dim=64),
        valid_k=1,
        epochs=1,
        learning_rate=1e-9,
    )
    line = next(line for line in result.records if line.stage == "valid")
    assert (line.valid_ndcg, line.valid_recall) == (1, 1)


@pytest.mark.parametrize(
    ("n_items", "given", "k"), [(40, None, 20), (300, None, 30), (5000, None, 100), (40, 7, 7)]
)
def test_validation_lists_grow_with_the_catalogue(n_items, given, k):
    items = TrainingData(*grouped_items(n_items, 4), EncoderConfig(), TrainConfig(valid_k=given))
    assert items.valid_k == k


def test_without_propensity_the_loss_is_the_plain_mean():
    one = learner()
    assert one.loss_weight is None
    assert one._mean(torch.tensor([1.0, 4.0]), np.array([0, 1])).item() == 2.5


def test_losses_are_weighed_by_inverse_propensities():
    config = TrainConfig(**QUICK, propensity=0.5)
    data = TrainingData(*grouped_items(N_ITEMS, N_GROUPS), ENCODER, config)
    # 16 users have item 0, four of them item 1, one of these item 2
    positives = np.zeros((16, N_ITEMS), np.float32)
    positives[:, 0], positives[:4, 1], positives[:1, 2] = 1, 1, 1
    histories = Histories.of_matrix(sp.csr_matrix(positives))
    weighed = Learner(fresh_encoder(data), data, histories, Hyperparameters(0.1, 0.01, 1))
    assert weighed.loss_weight is not None and weighed.loss_weight[:4].tolist() == [1, 2, 4, 4]
    assert weighed._mean(torch.tensor([3.0, 0.0, 1.0]), np.array([0, 1, 2])).item() == 1
    assert weighed.epoch() > 0


def test_propensity_changes_what_is_learned():
    items = grouped_items(N_ITEMS, N_GROUPS)
    plain, weighed = (vectors(trained(propensity=power), items) for power in (0.0, 1.0))
    assert np.array_equal(plain, vectors(trained(), items))
    assert not np.allclose(plain, weighed)

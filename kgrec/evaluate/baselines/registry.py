"""All baselines by name."""

from __future__ import annotations

from kgrec.evaluate.baselines.content import ContentEmbedding, ContentTfidf
from kgrec.evaluate.baselines.ease import Ease
from kgrec.evaluate.baselines.factors import BPR, IALS
from kgrec.evaluate.baselines.hybrid import Hybrid
from kgrec.evaluate.baselines.item_knn import ItemKNN
from kgrec.evaluate.baselines.kgat import KGAT
from kgrec.evaluate.baselines.lightgcn import LightGCN
from kgrec.evaluate.baselines.popularity import Popularity
from kgrec.evaluate.baselines.protocol import Baseline
from kgrec.evaluate.baselines.rp3 import P3alpha, RP3beta
from kgrec.evaluate.baselines.svd import PureSVD
from kgrec.evaluate.baselines.user_knn import UserKNN

#: name -> the baseline with its default options
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
}

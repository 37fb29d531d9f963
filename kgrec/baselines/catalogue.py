"""All baselines by name."""

from __future__ import annotations

from kgrec.baselines.content import ContentEmbedding, ContentTfidf
from kgrec.baselines.contract import Baseline
from kgrec.baselines.ease import Ease
from kgrec.baselines.factors import BPR, IALS
from kgrec.baselines.hybrid import Hybrid
from kgrec.baselines.item_knn import ItemKNN
from kgrec.baselines.kgat import KGAT
from kgrec.baselines.lightgcn import LightGCN
from kgrec.baselines.popularity import Popularity
from kgrec.baselines.rp3 import P3alpha, RP3beta
from kgrec.baselines.svd import PureSVD
from kgrec.baselines.user_knn import UserKNN

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

"""Every parameter of every public call, tried with values that it cannot have: each is refused by an error of kgrec.

The table below names the kind of each parameter; a test holds it complete. A call with the same values in other types answers as
with plain ones.
"""

from __future__ import annotations

import inspect
import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from text_encoders import BagOfWords

import kgrec
from kgrec.evaluate.benchmark.run import run_benchmark
from kgrec.evaluate.benchmark.systems import GivenLists
from kgrec.evaluate.benchmark.task import Task

NAN = math.nan
#: values that are of no kind of argument
_NOTHING: dict[str, Any] = {"object": object(), "class": int}
_NO_ID: dict[str, Any] = {
    "None": None,
    "nan": NAN,
    "NA": pd.NA,
    "NaT": pd.NaT,
    "True": True,
    "inf": math.inf,
    "large float": 1e17,
    "surrogate": "\ud800",
    "bytes": b"\xff",
    "time": pd.Timestamp("2020-01-01"),
    "dict": {"f1": 1},
    "frame": pd.DataFrame({"a": ["f1"]}),
    **_NOTHING,
}
_NO_IDS: dict[str, Any] = {
    **_NO_ID,
    **{f"list of {name}": [value] for name, value in _NO_ID.items()},
    "two lists": [["f1"], ["f2"]],
    "array of two dimensions": np.array([["f1"]]),
    "dates": np.array(["2020"], "M8[D]"),
    "floats with nan": pd.Series([1.0, NAN]),
    "lazy frame": pl.LazyFrame({"a": ["f1"]}),
}
#: kind of parameter -> name -> value that it cannot have
BAD: dict[str, dict[str, Any]] = {
    "id": {**_NO_ID, "list": ["f1"], "array": np.array(["f1", "f2"])},
    "ids": _NO_IDS,
    "names": {**_NO_IDS, "list of bytes": [b"\xff"]},
    "histories": {
        **_NO_ID,
        "text": "f1",
        "number": 1,
        "flat list": ["f1", "f2"],
        "flat array": np.array([1, 2]),
        "flat column": pd.Series(["f1"]),
        "dict of lists": {"u1": ["f1"]},
        "set": {("f1", "f2")},
        "list with None": [["f1"], None],
        "list with nan": [["f1"], NAN],
        "missing item": [["f1", None]],
        "three levels": [[["f1"]]],
    },
    "pairs": {
        **{name: value for name, value in _NO_ID.items() if name not in ("dict", "frame")},
        "text": "f1",
        "flat list": ["f1", "f2"],
        "no pair": [("u1", ["f1"], 1)],
        "missing user": [(None, ["f1"])],
        "missing item": [("u1", [None])],
        "no list": [("u1", "f1")],
        "dict of texts": {"u1": "f1"},
        "frame without items": pd.DataFrame({"user_id": ["u1"]}),
    },
    "texts": {
        "None": None,
        "number": 3,
        "list of None": [None],
        "list of numbers": [3],
        "surrogate": ["\ud800"],
        "bytes": [b"a"],
        "dict": {"a": 1},
        **_NOTHING,
    },
    "text": {"None": None, "number": 3, "bytes": b"a", "surrogate": "\ud800", "list": ["a"], **_NOTHING},
    "count": {
        "None": None,
        "fraction": 1.5,
        "float": 2.0,
        "negative": -1,
        "True": True,
        "text": "3",
        "nan": NAN,
        "list": [3],
        **_NOTHING,
    },
    "number": {
        "nan": NAN,
        "inf": math.inf,
        "text": "0.5",
        "True": True,
        "list": [0.5],
        "complex": 1j,
        "NA": pd.NA,
        **_NOTHING,
    },
    "flag": {"None": None, "0": 0, "1": 1, "text": "yes", **_NOTHING},
    "choice": {
        "None": None,
        "number": 3,
        "capital": "Raise",
        "unknown": "ignore",
        "empty": "",
        "list": ["raise"],
        **_NOTHING,
    },
    "path": {"None": None, "number": 3, "empty": "", "bytes": b"a", "nul": "a\0b", "list": ["a"], **_NOTHING},
    "frame": {
        "number": 3,
        "text": "log.csv",
        "list": ["f1"],
        "array": np.zeros((2, 2)),
        "column": pd.Series(["f1"]),
        "no columns": pd.DataFrame({"a": [1]}),
        "lazy frame": pl.LazyFrame({"user_id": ["u1"], "item_id": ["f1"]}),
        "twice": pd.DataFrame([["u1", "f1", "f2"]], columns=["user_id", "item_id", "item_id"]),
        "missing user": {"user_id": [None], "item_id": ["f1"], "rank": [1]},
        "missing item": {"user_id": ["u1"], "item_id": [NAN], "rank": [1]},
        "no user": {"user_id": [True], "item_id": ["f1"], "rank": [1]},
        "unknown item": {"user_id": ["u1"], "item_id": ["f99"], "rank": [1]},
        "surrogate": {"user_id": ["\ud800"], "item_id": ["f1"], "rank": [1]},
        **_NOTHING,
    },
    "rows": {
        "None": None,
        "number": 3,
        "empty": "",
        "absent file": "no such folder",
        "list": ["n1"],
        "array": np.zeros(3),
        "unknown type": {"nope": pd.DataFrame({"id": ["n1"]})},
        "column": pd.Series(["n1"]),
        "no key": pd.DataFrame({"title": ["A"]}),
        "structs": pd.DataFrame({"id": [{"a": 1}]}),
        "booleans": pd.DataFrame({"id": [True]}),
        "times": pd.DataFrame({"id": pd.to_datetime(["2020-01-01"])}),
        "mixed with a boolean": pd.DataFrame({"id": ["n1", True]}),
        "large float": pd.DataFrame({"id": [1e17]}),
        "by type": {"film": pd.DataFrame({"id": [True]})},
        "surrogate": {"id": ["\ud800"]},
        **_NOTHING,
    },
    "weights": {
        "number": 1,
        "text": "a",
        "flat": [1],
        "texts": [["1"]],
        "zero": [[0]],
        "nan": [[NAN]],
        "too many": [[1, 2]],
        "dict": {"f1": 1},
        **_NOTHING,
    },
    "weights of one": {
        "number": 1,
        "text": "a",
        "texts": ["1"],
        "below 0": [-1],
        "too many": [1, 2],
        **_NOTHING,
    },
    "boosts": {
        "number": 1,
        "text": "f1",
        "list": ["f1"],
        "text as number": {"f1": "1"},
        "nan": {"f1": NAN},
        "None as item": {None: 1},
        "frame without boosts": pd.DataFrame({"item_id": ["f1"]}),
        "twice": pd.DataFrame({"item_id": ["f1", "f1"], "boost": [1, 2]}),
        **_NOTHING,
    },
    "conditions": {
        "number": 1,
        "text": "year > 1",
        "list": ["year > 1"],
        "no condition": {"genres =": 1},
        "no text": {3: 1},
        "nan": {"genres = Horror": NAN},
        **_NOTHING,
    },
    "counts by name": {
        "number": 1,
        "text": "author=2",
        "list": ["author"],
        "no text": {3: 1},
        "no count": {"author": 0},
        "nan": {"author": NAN},
        **_NOTHING,
    },
    "lists of users": {
        "number": 1,
        "text": "u1",
        "list": ["f1"],
        "None as user": {None: ["f1"]},
        "None as list": {"u1": None},
        "missing item": {"u1": [None]},
        "frame without users": pd.DataFrame({"item_id": ["f1"]}),
        **_NOTHING,
    },
    "callback": {"number": 3, "text": "print", "list": [print]},
    "value": {"number": 3, "text": "a", "dict": {"kind": "random"}, "list": [1], **_NOTHING},
}


#: parameter -> words that stand for it in messages
NAMED = {
    "rows": ("rows", "film", "nope", "no such folder", "interactions", "log.csv"),
    "items": ("items", "rows", "film", "nope", "no such folder"),
    "interactions": ("interactions", "log.csv"),
    "pairs": ("pairs", "log.csv", "There is no item 'f99'", "pairs:1"),
    "where_boost": ("where",),
    "at_least": ("at_least", "where"),
    "values": ("values", "mapping", "A request"),
    "path": ("path", "mapping"),
    "lists": ("lists", "'f99'"),
    "frame": ("interactions",),
}


def bad(kind: str) -> dict[str, Any]:
    """Values that a parameter of this kind, such as "ids or None, or x", cannot have."""
    first, *others = kind.split(" or ")
    allowed = set(others)
    return {name: value for name, value in BAD[first].items() if name not in allowed}


@dataclass(frozen=True)
class Call:
    """A public call."""

    #: the made things -> what is called
    of: Callable[[Any], Callable[..., Any]]
    #: parameter -> kind, and after it the values of that kind that it may have
    kinds: dict[str, str]
    #: the made things -> valid arguments beside the tried one
    valid: Callable[[Any], dict[str, Any]] = field(default=lambda _: {})


LIST = {
    "k": "count",
    "candidates": "ids or None",
    "deny": "ids or None",
    "where": "text or None",
    "min_score": "number or None",
    "on_unknown": "choice",
    "request": "value or None",
    "arrow": "flag",
}
BOOSTS = {"item_boost": "boosts or None", "where_boost": "conditions or None"}
SCORED = {"new_item_boost": "number", **BOOSTS}
LISTS_OF_USERS = {"user_candidates": "lists of users or None", "user_deny": "lists of users or None"}
BOOSTED = {**LIST, **SCORED, **LISTS_OF_USERS, "exclude_seen": "flag"}
ITEMS = {"ids": "values"}
WISHES = {
    **dict.fromkeys(("diversity", "calibration", "novelty", "exposure"), "number"),
    **dict.fromkeys(("diversity_method", "exposure_target"), "choice"),
    **dict.fromkeys(("calibrate_by", "exposure_by"), "text or None"),
    "at_most": "counts by name or None",
    "at_least": "conditions or None",
}
REQUEST = {name: kind for name, kind in BOOSTED.items() if name not in ("request", "arrow")} | WISHES
BATCH = {"model": "path", "request": "value or None", "options": "value or None"}
WRITE = {**BATCH, "output": "path", "watcher": "value or None"}
_PAIRS = {"user_id": ["u1"], "item_id": ["f4"]}
_SMALL = kgrec.SimulationConfig(viewers=2, rounds=2, seeds=1, k=1, start=1)


def _simulation(graph: kgrec.KnowledgeGraph) -> kgrec.Simulation:
    return kgrec.simulate(graph, ["random"], simulation=_SMALL, by=["genre"])


ROWS = {"rows": "rows", "on_text": "callback"}
CALLS: dict[str, Call] = {
    "Recommender": Call(
        lambda _: kgrec.Recommender, {"config": "value or None", "text_encoder": "value or None"}
    ),
    "Recommender.fit": Call(
        lambda _: kgrec.Recommender(QUICK, text_encoder=BagOfWords()).fit,
        {
            "graph": "value",
            "interactions": "frame",
            "valid": "frame",
            "checkpoint": "value or None",
            "executor": "value or None",
            "on_text": "callback",
            "on_epoch": "callback",
            "on_stage": "callback",
        },
        lambda made: {"graph": made.graph},
    ),
    "Recommender.recommend": Call(
        lambda made: made.rec.recommend, {"users": "ids", **BOOSTED}, lambda _: {"users": ["u1"]}
    ),
    "Recommender.recommend_for_history": Call(
        lambda made: made.rec.recommend_for_history,
        {
            "histories": "histories",
            "weights": "weights or None",
            "dislikes": "histories or None",
            "seen": "histories or None",
            "users": "ids or None",
            "known_users": "choice",
            **BOOSTED,
        },
        lambda _: {"histories": [["f1"]]},
    ),
    "Recommender.recommend_for_text": Call(
        lambda made: made.rec.recommend_for_text,
        {"texts": "texts", **LIST, **BOOSTS},
        lambda _: {"texts": ["space"]},
    ),
    "Recommender.similar_items": Call(
        lambda made: made.rec.similar_items, {"items": "ids", **LIST, **BOOSTS}, lambda _: {"items": ["f1"]}
    ),
    "Recommender.score_pairs": Call(
        lambda made: made.rec.score_pairs,
        {
            "users": "ids",
            "items": "ids",
            **SCORED,
            **{n: LIST[n] for n in ("on_unknown", "request", "arrow")},
        },
        lambda _: {"users": ["u1"], "items": ["f4"]},
    ),
    "Recommender.similar_users": Call(
        lambda made: made.rec.similar_users,
        {
            "users": "ids",
            **{name: kind for name, kind in LIST.items() if name not in ("candidates", "deny", "where")},
        },
        lambda _: {"users": ["u1"]},
    ),
    "Recommender.embed_items": Call(lambda made: made.rec.embed_items, ROWS, lambda made: {"rows": made.new}),
    "Recommender.embed_histories": Call(
        lambda made: made.rec.embed_histories,
        {"histories": "histories", "weights": "weights or None", "on_unknown": "choice"},
        lambda _: {"histories": [["f1"]]},
    ),
    "Recommender.add_items": Call(lambda made: made.copy().add_items, ROWS, lambda made: {"rows": made.new}),
    "Recommender.update_items": Call(
        lambda made: made.copy().update_items, ROWS, lambda made: {"rows": made.new}
    ),
    "Recommender.add_interactions": Call(
        lambda made: made.copy().add_interactions,
        {"rows": "frame"},
        lambda _: {"rows": {"user_id": ["u1"], "item_id": ["f4"]}},
    ),
    "Recommender.refresh": Call(
        lambda made: made.copy().refresh,
        {
            "interactions": "frame or None",
            "items": "rows or None",
            "parent": "value or None",
            "replay": "number or None",
            "force": "flag",
            **dict.fromkeys(("on_text", "on_epoch", "on_stage"), "callback or None"),
        },
        lambda _: {"interactions": {"user_id": ["u1"], "item_id": ["f4"]}},
    ),
    "Recommender.remove_items": Call(
        lambda made: made.copy().remove_items,
        {"items": "ids", "on_unknown": "choice"},
        lambda _: {"items": ["f1"]},
    ),
    "Recommender.reload": Call(lambda made: made.rec.reload, {}),
    "Recommender.explain": Call(
        lambda made: made.rec.explain,
        {"user": "id", "item": "id", **SCORED, "counterfactual": "flag", "request": "value or None"},
        lambda _: {"user": "u1", "item": "f4"},
    ),
    "Recommender.explain_global": Call(
        lambda made: made.rec.explain_global,
        {"users": "ids or None", "k": "count", "sample": "count", "seed": "count"},
    ),
    "Recommender.explain_history": Call(
        lambda made: made.rec.explain_history,
        {
            "history": "ids",
            "item": "id",
            "weights": "weights of one or None",
            "dislikes": "ids",
            **SCORED,
            "counterfactual": "flag",
            "request": "value or None",
        },
        lambda _: {"history": ["f1"], "item": "f4"},
    ),
    "Recommender.label": Call(lambda made: made.rec.label, {"item": "id"}),
    "Recommender.with_model": Call(
        lambda made: made.rec.with_model, {"model": "value"}, lambda made: {"model": made.rec.model}
    ),
    "Recommender.save": Call(
        lambda made: made.rec.save,
        {"folder": "path", "keep": "count"},
        lambda made: {"folder": made.place / "saved_model"},
    ),
    "Recommender.load": Call(
        lambda _: kgrec.Recommender.load,
        {"folder": "path", "text_encoder": "value or None"},
        lambda made: {"folder": made.folder},
    ),
    "Request": Call(lambda _: kgrec.Request, REQUEST),
    "Request.from_dict": Call(lambda _: kgrec.Request.from_dict, {"values": "value or dict"}),
    "KnowledgeGraph.find": Call(
        lambda made: made.graph.find,
        {"type": "text", "key": "id"},
        lambda _: {"type": "film", "key": "f1"},
    ),
    "KnowledgeGraph.ids": Call(lambda made: made.graph.ids, {"names": "names"}),
    "KnowledgeGraph.item_codes": Call(lambda made: made.graph.item_codes, {"names": "names"}),
    "KnowledgeGraph.neighbors": Call(
        lambda made: made.graph.neighbors,
        {"type": "text", "key": "id"},
        lambda _: {"type": "film", "key": "f1"},
    ),
    "KnowledgeGraph.csr": Call(
        lambda made: made.graph.csr, {"relation": "text or None", "direction": "choice"}
    ),
    "KnowledgeGraph.subgraph": Call(
        lambda made: made.graph.subgraph,
        {"nodes": "names", "hops": "count"},
        lambda _: {"nodes": ["film/f1"]},
    ),
    "KnowledgeGraph.validate": Call(lambda made: made.graph.validate, {"shapes": "path or None"}),
    "KnowledgeGraph.export": Call(
        lambda made: made.graph.export,
        {"path": "path", "format": "text or None"},
        lambda made: {"path": made.place / "g.ttl"},
    ),
    "KnowledgeGraph.extended": Call(lambda made: made.graph.extended, {"addition": "value"}),
    "KnowledgeGraph.find_nodes": Call(
        lambda made: made.graph.find_nodes,
        {"text": "text", "k": "count", "type": "text or None", "items_only": "flag"},
        lambda _: {"text": "f1"},
    ),
    "Recommender.find_items": Call(
        lambda made: made.rec.find_items, {"text": "text", "k": "count"}, lambda _: {"text": "f1"}
    ),
    "Explanation.parts": Call(
        lambda made: made.rec.explain("u1", "f4").parts, {"share": "number or negative"}
    ),
    "Explanation.text": Call(lambda made: made.rec.explain("u1", "f4").text, {"share": "number or negative"}),
    "KnowledgeGraph.save": Call(
        lambda made: made.graph.save,
        {"folder": "path", "keep": "count"},
        lambda made: {"folder": made.place / "saved_graph"},
    ),
    "KnowledgeGraph.load": Call(lambda _: kgrec.KnowledgeGraph.load, {"folder": "path"}),
    "Interactions.from_frame": Call(
        lambda _: kgrec.Interactions.from_frame,
        {
            "frame": "frame",
            "items": "value",
            "user": "text",
            "item": "text",
            "value": "text or None",
            "time": "text or None",
            "positive": "text or None",
            "event": "text or None",
            "events": "value",
            "time_unit": "value",
            "position": "text or None",
            "order": "value",
        },
        lambda made: {"frame": {"user_id": ["u1"], "item_id": ["f1"]}, "items": made.graph.item_ids},
    ),
    "Interactions.split": Call(
        lambda made: made.graph.interactions.split,
        {"share": "number", "rng": "value", "by": "choice"},
        lambda _: {"share": 0.5, "rng": np.random.default_rng(0)},
    ),
    "Interactions.matrix": Call(
        lambda made: made.graph.interactions.matrix,
        {"positive_only": "flag"},
    ),
    "Interactions.weighted": Call(
        lambda made: made.graph.interactions.weighted, {"half_life": "number or None"}
    ),
    "Vocabulary": Call(lambda _: kgrec.Vocabulary, {"labels": "names"}),
    "Vocabulary.of": Call(lambda _: kgrec.Vocabulary.of, {"labels": "names"}),
    "Vocabulary.ids": Call(lambda _: kgrec.Vocabulary(["a"]).ids, {"labels": "names"}),
    "Vocabulary.nearest": Call(lambda _: kgrec.Vocabulary(["a"]).nearest, {"label": "text"}),
    "Config.read": Call(lambda _: kgrec.Config.read, {"path": "path or None", "settings": "texts"}),
    "Mapping.from_dict": Call(
        lambda _: kgrec.Mapping.from_dict,
        {"values": "value", "folder": "path"},
        lambda made: {"values": made.graph.mapping.to_dict()},
    ),
    "load_mapping": Call(lambda _: kgrec.load_mapping, {"path": "path"}),
    "show": Call(
        lambda _: kgrec.show,
        {"source": "value", "name": "id", "k": "count"},
        lambda made: {"source": made.rec, "name": "u1"},
    ),
    "build_graph": Call(
        lambda _: kgrec.build_graph,
        {"mapping": "path", "allow_outside": "flag", "progress": "callback"},
        lambda made: {"mapping": made.catalogue / "kgrec.yaml"},
    ),
    "Protocol": Call(
        lambda _: kgrec.Protocol,
        {
            "kind": "choice",
            "share": "number or text",
            "last": "count or float or text",
            "folds": "count or float or text",
            "valid_share": "number or text",
            "seed": "count or float or text or negative",
        },
    ),
    "split_graph": Call(
        lambda _: kgrec.split_graph,
        {"graph": "value", "protocol": "value or None"},
        lambda made: {"graph": made.graph},
    ),
    "given_split": Call(
        lambda _: kgrec.given_split,
        {
            "graph": "value",
            "train": "frame",
            "test": "frame",
            "valid": "frame",
            "hide_new": "flag",
            "hidden": "ids",
            "valid_share": "number",
            "seed": "count",
        },
        lambda made: {"graph": made.graph, "train": made.train, "test": made.test},
    ),
    "save_folds": Call(
        lambda _: kgrec.save_folds,
        {"folds": "value", "folder": "path", "protocol": "value or None"},
        lambda made: {"folds": [made.fold], "folder": made.place / "split"},
    ),
    "load_folds": Call(
        lambda _: kgrec.load_folds,
        {"graph": "value", "folder": "path"},
        lambda made: {"graph": made.graph, "folder": made.place / "saved"},
    ),
    "evaluate_lists": Call(
        lambda _: kgrec.evaluate_lists,
        {
            "fold": "value",
            "lists": "frame",
            "k": "count or list",
            "embeddings": "value or None",
            "classes": "texts",
        },
        lambda made: {"fold": made.fold, "lists": made.lists},
    ),
    "Evaluation.of": Call(
        lambda made: made.evaluation.of, {"name": "text", "bucket": "text"}, lambda _: {"name": "ndcg@20"}
    ),
    "Evaluation.frame": Call(
        lambda made: made.evaluation.frame, {"level": "number", "resamples": "count", "seed": "count"}
    ),
    "compare": Call(
        lambda _: kgrec.compare,
        {
            "models": "value or dict",
            "metrics": "texts",
            "against": "text or None",
            "bucket": "text",
            "level": "number",
            "resamples": "count",
            "seed": "count",
        },
        lambda made: {"models": {"a": made.evaluation, "b": made.evaluation}},
    ),
    "ablated": Call(
        lambda _: kgrec.ablated,
        {"graph": "value", "config": "value", "sources": "texts"},
        lambda made: {"graph": made.graph, "config": QUICK, "sources": []},
    ),
    "drift": Call(
        lambda _: kgrec.drift,
        {
            "recommender": "value",
            "interactions": "frame or unknown item",
            "by": "texts or None",
            "k": "count",
            "seed": "count",
        },
        lambda made: {"recommender": made.rec, "interactions": _PAIRS},
    ),
    "Drift.save": Call(
        lambda made: kgrec.drift(made.rec, _PAIRS).save,
        {"folder": "path", "page": "callback"},
        lambda made: {"folder": made.place / "drift"},
    ),
    "simulate": Call(
        lambda _: kgrec.simulate,
        {
            "graph": "value",
            "policies": "texts or None",
            "simulation": "value or None",
            "by": "texts or None",
            "provider": "text or None",
            "config": "value or None",
            "on_run": "callback",
        },
        lambda made: {"graph": made.graph, "policies": ["random"], "simulation": _SMALL, "by": ["genre"]},
    ),
    "SimulationConfig.read": Call(lambda _: kgrec.SimulationConfig.read, {"settings": "texts"}),
    "Simulation.curve": Call(
        lambda made: _simulation(made.graph).curve,
        {"policy": "text", "figure": "text"},
        lambda _: {"policy": "random", "figure": "clicks"},
    ),
    "Simulation.difference": Call(
        lambda made: _simulation(made.graph).difference,
        {"policy": "text", "figure": "text", "rounds": "value"},
        lambda _: {"policy": "random", "figure": "clicks", "rounds": slice(0, 1)},
    ),
    "Simulation.save": Call(
        lambda made: _simulation(made.graph).save,
        {"folder": "path", "page": "callback"},
        lambda made: {"folder": made.place / "simulation"},
    ),
    "BatchOptions": Call(
        lambda _: kgrec.BatchOptions,
        {
            "batch": "count",
            "executor": "text or None",
            "workers": "count",
            "resume": "flag",
            "shard": "count or None",
            "shards": "count or None",
            "address": "text or None",
            "gpus_per_worker": "number",
        },
    ),
    "RunWatcher": Call(
        lambda _: kgrec.RunWatcher, {"progress": "callback", "note": "callback", "warn": "callback"}
    ),
}
CALLS["Task"] = Call(
    lambda _: Task,
    {"fold": "value", "k": "count", "classes": "texts", "text_encoder": "value or None"},
    lambda made: {"fold": made.fold, "k": 2},
)
CALLS["run_benchmark"] = Call(
    lambda _: run_benchmark,
    {
        "tasks": "value",
        "systems": "value",
        "ks": "count or list",
        "resamples": "count",
        "on_run": "callback",
    },
    lambda made: {"tasks": [Task(made.fold, 2)], "systems": [GivenLists("theirs", made.lists)], "ks": [2]},
)
_QUERIES = {
    "recommendations": {"users": "ids or None"},
    "recommendations_for_histories": {"histories": "pairs", "known_users": "choice"},
    "similar_items": {"items": "ids or None"},
}
for _name, _kinds in _QUERIES.items():
    _histories = {"histories": [("u1", ["f1"])]} if "histories" in _kinds else {}
    CALLS[f"write_{_name}"] = Call(
        lambda _, name=_name: getattr(kgrec, f"write_{name}"),
        {**WRITE, **_kinds},
        lambda made, more=_histories: {"model": made.rec, "output": made.place / "lists.csv", **more},
    )
    CALLS[f"stream_{_name}"] = Call(
        lambda _, name=_name: lambda **given: list(getattr(kgrec, f"stream_{name}")(**given)),
        {**BATCH, **_kinds},
        lambda made, more=_histories: {"model": made.rec, **more},
    )
_SCORES = {"model": "path", "request": "value or None", "pairs": "frame"}
CALLS["write_scores"] = Call(
    lambda _: kgrec.write_scores,
    {**_SCORES, "output": "path", "watcher": "value or None"},
    lambda made: {"model": made.rec, "output": made.place / "scores.csv", "pairs": _PAIRS},
)
CALLS["stream_scores"] = Call(
    lambda _: lambda **given: list(kgrec.stream_scores(**given)),
    _SCORES,
    lambda made: {"model": made.rec, "pairs": _PAIRS},
)
_EMBEDDINGS = {name: kind for name, kind in WRITE.items() if name != "request"} | {"types": "texts"}
CALLS["write_embeddings"] = Call(
    lambda _: kgrec.write_embeddings,
    _EMBEDDINGS,
    lambda made: {"model": made.rec, "output": made.place / "e.npy"},
)
CALLS["stream_embeddings"] = Call(
    lambda _: lambda **given: list(kgrec.stream_embeddings(**given)),
    {name: kind for name, kind in _EMBEDDINGS.items() if name not in ("output", "watcher")},
    lambda made: {"model": made.rec},
)

QUICK = kgrec.Config(
    encoder=kgrec.EncoderConfig(dim=4),
    train=kgrec.TrainConfig(epochs=1, temperature=0.1, threads=1, valid_share=0, learning_rate=0.05),
)


@pytest.fixture(scope="module")
def made(shared_catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A graph, a model of it, a split, lists; all of them are left as they are."""
    place = tmp_path_factory.mktemp("made")
    graph = kgrec.build_graph(shared_catalogue / "kgrec.yaml")
    rec = kgrec.Recommender(QUICK, text_encoder=BagOfWords()).fit(graph)
    rec.save(place / "model")
    train = {"user_id": ["u1", "u1", "u2"], "item_id": ["f1", "f2", "f4"]}
    test = {"user_id": ["u1", "u2"], "item_id": ["f3", "f5"]}
    fold = kgrec.given_split(graph, train, test)
    kgrec.save_folds([fold], place / "saved")
    lists = {"user_id": ["u1", "u2"], "item_id": ["f3", "f6"], "rank": [1, 1]}
    return SimpleNamespace(
        graph=graph,
        rec=rec,
        copy=rec.__copy__,
        folder=place / "model",
        place=place,
        catalogue=shared_catalogue,
        new=pd.DataFrame(
            {"id": ["n1"], "title": ["Moon"], "plot": [""], "genres": ["Horror"], "director": ["Di"]}
        ),
        train=train,
        test=test,
        fold=fold,
        lists=lists,
        evaluation=kgrec.evaluate_lists(fold, lists),
    )


def _trials() -> Iterator[Any]:
    for name, call in CALLS.items():
        for parameter, kind in call.kinds.items():
            for value in bad(kind):
                yield pytest.param(name, parameter, kind, value, id=f"{name}-{parameter}-{value}")


@pytest.mark.parametrize(("name", "parameter", "kind", "value"), list(_trials()))
def test_a_value_that_cannot_be_is_refused_by_name(
    made: Any,
    name: str,
    parameter: str,
    kind: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.chdir(tmp_path)
    call = CALLS[name]
    given = {**call.valid(made), parameter: bad(kind)[value]}
    with pytest.raises(kgrec.KgrecError) as caught:
        call.of(made)(**given)
    assert caught.value.remedy
    assert any(name in caught.value.problem for name in NAMED.get(parameter, (parameter,))), caught.value
    str(caught.value).encode()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", CALLS)
def test_the_valid_arguments_are_valid(made: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    call = CALLS[name]
    monkeypatch.chdir(tmp_path)
    valid = call.valid(made)
    required = {
        parameter.name
        for parameter in inspect.signature(call.of(made)).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    if required <= set(valid):
        call.of(made)(**valid)


#: public in Python, and described in no page: calls between the modules of kgrec
INTERNAL = {
    *(
        "BatchOptions.file",
        "IndexConfig.kind_for",
        "Mapping.short",
        "Request.length",
        "Request.refuse",
        *("Request.rows", "Request.boosts", "Request.boosts_of", "Request.filters"),
        *("KnowledgeGraph.item_codes_by", "Mapping.references"),
    ),
    *("Interactions.dealt", "Interactions.from_arrow", "Interactions.from_log", "Interactions.none"),
    *("Interactions.rows", "Interactions.weights", "Vocabulary.extended", "Vocabulary.take"),
    *("RunWatcher.note", "RunWatcher.progress", "RunWatcher.warn"),
}


def _public_calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in kgrec.__all__:
        one = getattr(kgrec, name)
        if inspect.isfunction(one):
            yield name, one
        if inspect.isclass(one) and not issubclass(one, Exception):
            for method, function in inspect.getmembers(one, inspect.isroutine):
                if not method.startswith("_") and str(getattr(function, "__module__", "")).startswith(
                    "kgrec"
                ):
                    yield f"{name}.{method}", function


def test_the_table_has_every_parameter_of_every_public_call():
    missing = {
        f"{name}: {parameter}"
        for name, function in _public_calls()
        if name not in INTERNAL
        for parameter in inspect.signature(function).parameters
        if parameter != "self" and parameter not in (CALLS[name].kinds if name in CALLS else {})
    }
    assert not missing


#: the id "1" in other types
ONES: dict[str, Any] = {
    "int": 1,
    "float": 1.0,
    "numpy int": np.int32(1),
    "numpy float": np.float32(1),
    "decimal": Decimal("1.00"),
    "bytes": b"1",
    "numpy text": np.str_("1"),
    "arrow": pa.scalar(1),
}


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> kgrec.Recommender:
    """Films and users whose ids are numbers."""
    folder = tmp_path_factory.mktemp("numbered")
    (folder / "kgrec.yaml").write_text(
        "version: 1\nnodes: {film: {item: true, file: films.csv, key: id, columns: {title: label}}}\n"
        "interactions: {file: log.csv, user: user, item: film}\n"
    )
    (folder / "films.csv").write_text("id,title\n1,One\n2,Two\n3,Three\n4,Four\n")
    (folder / "log.csv").write_text("user,film\n1,1\n1,2\n2,2\n2,3\n")
    graph = kgrec.build_graph(folder / "kgrec.yaml")
    return kgrec.Recommender(QUICK, text_encoder=BagOfWords()).fit(graph)


def _answers(rec: kgrec.Recommender, one: Any) -> list[Any]:
    """What all calls answer about the id "1", however it is given."""
    graph = rec.model.graph()
    column = pd.Series([one, one], dtype=object)
    frame = pd.DataFrame({"user_id": column, "item_id": [3, 4], "rank": [1, 2]})
    fold = kgrec.given_split(graph, {"user_id": [one], "item_id": [one]}, frame[:1])
    changed = rec.__copy__()
    return [
        rec.recommend([one]).to_dict("list"),
        rec.recommend(column, k=1, deny=[one], candidates=[one, 3]).to_dict("list"),
        rec.recommend_for_history([[one]], dislikes=[[2]], users=[one], known_users="replace").to_dict(
            "list"
        ),
        rec.similar_items([one], candidates=np.array([one, 2], dtype=object)).to_dict("list"),
        rec.similar_users([one]).to_dict("list"),
        rec.explain(one, 3).score,
        rec.explain_history([one], 3).score,
        rec.label(one),
        rec.embed_histories([[one]]).tolist(),
        changed.remove_items([one]).ids,
        changed.add_items({"id": [one], "title": ["One"]}).ids,
        graph.find("film", one),
        graph.item_codes([one]).tolist(),
        kgrec.Vocabulary.of([one, "2"]).tolist(),
        [table.to_pydict() for table in kgrec.stream_recommendations(rec, [one])],
        [table.to_pydict() for table in kgrec.stream_recommendations_for_histories(rec, {one: [one]})],
        [table.to_pydict() for table in kgrec.stream_recommendations_for_histories(rec, frame)],
        kgrec.evaluate_lists(fold, frame, 2).per_user().to_pydict(),
        str(kgrec.Recommender(QUICK, text_encoder=BagOfWords()).fit(graph, frame).model.users),
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("one", ONES.values(), ids=ONES)
def test_an_id_is_the_same_in_all_types(numbered: kgrec.Recommender, one: Any):
    for found, expected in zip(_answers(numbered, one), _answers(numbered, "1"), strict=True):
        np.testing.assert_equal(found, expected)


def test_an_id_that_is_no_number_is_the_same_in_all_calls(numbered: kgrec.Recommender):
    key = uuid.UUID(int=7)
    rec = numbered.__copy__()
    assert rec.add_items({"id": [key], "title": ["Seven"]}).ids == [str(key)]
    assert rec.label(key) == "Seven" and rec.similar_items([key], k=1)["item_id"].tolist() == [str(key)]

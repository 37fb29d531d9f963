"""The results as sentences, and the glossary of metrics.

Enters: a `Record`. Leaves: text. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from kgrec.evaluate.report.formatting import count, finite, interval, number
from kgrec.evaluate.report.record import PairedComparison, PlainValues, Record

#: what tables write for a difference that is not significant
NOT_SIGNIFICANT = "not significant"
#: metrics of accuracy in the order of the page; higher is better
ACCURACY_TERMS = (
    "ndcg",
    "recall",
    "precision",
    "f1",
    "hit",
    "map",
    "mrr",
    "auc",
    "ndcg_snips",
    "recall_snips",
)
#: metrics beyond accuracy in the order of the page
BEYOND_TERMS = (
    "coverage",
    "gini",
    "novelty",
    "popularity_lift",
    "serendipity",
    "diversity",
    "graph_diversity",
)
#: option of lists -> the metric that it should improve; for "calibration of genre" and "exposure of genre", the first word is looked up
AIMS = {
    "diversity (mmr)": "diversity",
    "diversity (dpp)": "diversity",
    "novelty": "novelty",
    "calibration": "calibration of ",
    "exposure": "exposure gap of ",
}
CALIBRATION = "calibration of "

#: metric -> definition and range
GLOSSARY = {
    "recall": "Share of a user's test positives that are in the list. 0 to 1.",
    "precision": "Share of the k entries that are test positives. 0 to 1.",
    "f1": "Harmonic mean of precision and recall. 0 to 1.",
    "hit": "Share of users with at least one hit in the list. 0 to 1.",
    "ndcg": "Hits, discounted by the logarithm of their rank, divided by the value of an ideal list. 0 to 1.",
    "map": "Mean of the precision at the rank of each hit. 0 to 1.",
    "mrr": "1 divided by the rank of the first hit; 0 without a hit. 0 to 1.",
    "auc": "Probability that a random test positive is ranked before a random other item. 0 to 1; 0.5 for a random order.",
    "recall_snips": "Recall in which a positive counts more the less popular it is in training: by the inverse square root of its popularity. 0 to 1.",
    "ndcg_snips": "NDCG weighted in the same way. It corrects for popular items being seen, and so logged, more often. 0 to 1.",
    "coverage": "Share of all items that are in at least one list. 0 to 1.",
    "gini": "How unequally the entries of all lists are spread over the items. 0: equally; near 1: on one item.",
    "novelty": "Mean of minus log2 of the share of training users who took an entry, in bits. From 0; higher is rarer.",
    "popularity_lift": "Mean popularity of the list divided by that of the history, minus 1. From -1; 0: as popular, 1: twice as popular.",
    "serendipity": "Share of the entries that are hits and not among the k most popular items. 0 to 1.",
    "diversity": "Mean distance of two entries of a list: 1 minus the cosine of their text vectors. 0 to 2.",
    "graph_diversity": "Mean distance of two entries of a list, by neighbours in the graph. 0: the same neighbours, 1: none in common.",
}
_CALIBRATION = "Kullback-Leibler divergence between the shares of each {} in the history and in the list, in nats. From 0; lower is better."
EXPOSURE_GAP = "exposure gap of "
_EXPOSURE_GAP = "Half the sum of the differences between each {}'s share of the attention and an equal share. 0 to 1; lower is fairer."

#: ablation -> first words of its sentence
_ABLATION_OPENINGS = {
    "kgrec without graph": "Without the graph",
    "kgrec without text": "Without text",
    "kgrec without id": "Without the residual vectors of items",
    "kgrec without co-occurrence": "Without co-occurrence",
    "kgrec with shuffled graph": "With edges shuffled between items",
}


@dataclass(frozen=True)
class Verdict:
    """How one system compares with the others on the primary metric."""

    summary: str
    #: one sentence per other system, best first
    better: list[str]
    not_significant: list[str]
    worse: list[str]


def verdict(record: Record) -> Verdict | None:
    """Whether kgrec, or otherwise the first system, is better than each baseline and each given list; None if no system ran.

    Only significant differences count.
    """
    subject = record.subject
    if subject is None:
        return None
    name, others = subject["name"], [s for s in record.ran if s["kind"] in ("baseline", "lists")]
    others = [system for system in others if system["name"] != name]
    summary = [*_summary(record, subject, others), *_own_ablations(record, subject)]
    found = Verdict(" ".join(summary), [], [], [])
    for other in others:
        compared = record.comparison(record.primary_metric, name, other["name"])
        group = found.not_significant
        if compared is not None and compared.higher:
            group = found.better if compared.higher == name else found.worse
        group.append(_against(record, name, other["name"], compared))
    return found


def knowledge(record: Record) -> list[str]:
    """One sentence per ablation: how the primary metric changes without the source."""
    subject = record.subject
    if subject is None or subject["kind"] != "kgrec":
        return []
    sentences = (
        _change(record, record.primary_metric, subject["name"], s["name"])
        for s in record.ran
        if s["kind"] == "ablation"
    )
    return [sentence for sentence in sentences if sentence]


def facts(record: Record) -> list[str]:
    """For each group of items and of users, the best system, and the gap between it and kgrec.

    A lead counts only if the two intervals do not overlap.
    """
    subject = record.subject
    if subject is None or len(record.ran) < 2:
        return []
    sentences = (_fact(record, subject["name"], bucket, words) for bucket, words in _places(record))
    return [sentence for sentence in sentences if sentence]


def _places(record: Record) -> Iterator[tuple[str, str]]:
    """Buckets with the primary metric, and phrases for them."""
    named = {
        "items: head": "On popular items (the head)",
        "items: middle": "On items of middling popularity",
        "items: tail": "On rare items (the tail)",
        "among new items": "When only new items are ranked",
        "items: new": "On new items, ranked among all",
    }
    for bucket, words in named.items():
        if record.has(record.metric, record.k, bucket):
            yield bucket, words
    for bucket in record.buckets("history: ", record.metric, record.k):
        yield bucket, f"For users with {bucket.removeprefix('history: ')} items in their history"


def _fact(record: Record, name: str, bucket: str, words: str) -> str:
    def values(system: str) -> PlainValues:
        return record.metric_values(system, record.metric, record.k, bucket)

    # ablations have their own sentences
    rivals = [s["name"] for s in record.ran if s["name"] != name and s["kind"] != "ablation"]
    others = [rival for rival in rivals if finite(values(rival)["value"]) is not None]
    own = values(name)
    if not others or finite(own["value"]) is None:
        return ""
    best = max(others, key=lambda other: finite(values(other)["value"]) or 0.0)
    theirs, metric = values(best), record.primary_metric
    figures = f"{best} has {metric} {number(theirs['value'])}, {name} {number(own['value'])}"
    if _below(own, theirs):
        return f"{words}, {figures}: {name} is behind."
    if _below(theirs, own):
        return f"{words}, {name} has {metric} {number(own['value'])}, the next best, {best}, {number(theirs['value'])}."
    return f"{words}, {figures}; the intervals overlap."


def _below(one: PlainValues, other: PlainValues) -> bool:
    """Whether one interval ends before the other begins."""
    high, low = finite(one["high"]), finite(other["low"])
    return high is not None and low is not None and high < low


def _own_ablations(record: Record, subject: PlainValues) -> Iterator[str]:
    """The ablations of its own that kgrec does not beat: the source that they lack adds nothing here, or harms."""
    for system in record.ran:
        if system["kind"] != "ablation" or subject["kind"] != "kgrec":
            continue
        compared = record.comparison(record.primary_metric, subject["name"], system["name"])
        if compared is None or compared.higher == subject["name"]:
            continue
        name, value = system["name"], _value(record, system["name"])
        if compared.higher:
            yield f"{subject['name']} is significantly worse than its own ablation, {name}, which has {value}."
        else:
            yield f"Its own ablation, {name}, has {value}; the difference is not significant."


def meaning(metric: str) -> str:
    """The definition of a metric; "" for one without."""
    if metric.startswith(EXPOSURE_GAP):
        return _EXPOSURE_GAP.format(metric.removeprefix(EXPOSURE_GAP))
    if metric.startswith(CALIBRATION):
        return _CALIBRATION.format(metric.removeprefix(CALIBRATION))
    return GLOSSARY.get(metric, "")


def aim(option: str, metrics: Collection[str]) -> str:
    """The metric that an option of lists should improve; without texts, "diversity" is that of the graph."""
    first, _, type_ = option.partition(" of ")
    metric = f"{AIMS[first]}{type_}"
    return "graph_diversity" if metric == "diversity" and metric not in metrics else metric


def beyond(record: Record) -> list[str]:
    """Metrics beyond accuracy in the results, in the order of the page."""
    extra = [metric for metric in record.every_metric if metric.startswith(CALIBRATION)]
    return record.metrics([*BEYOND_TERMS, *extra], record.k)


def setup(record: Record) -> str:
    """The data and the task, in three sentences."""
    results, data = record.results, record.results["data"]
    new = f"; {count(data['new_items'])} items are hidden in training" if data["new_items"] else ""
    folds = f", in {results['folds']} folds" if results["folds"] > 1 else ""
    systems = len(results["systems"])
    lengths = " and ".join(str(k) for k in results["k"])
    return (
        f"The data has {count(data['users'])} users, {count(data['items'])} items and {count(data['edges'])} edges. "
        f"Training uses {count(data['train'])} interactions, tuning {count(data['valid'])}, and testing "
        f"{count(data['test'])} of {count(data['test_users'])} users{new}. "
        f"{systems} {'system' if systems == 1 else 'systems'} recommended lists of {lengths} items{folds}."
    )


def _summary(record: Record, subject: PlainValues, others: list[PlainValues]) -> Iterator[str]:
    yield f"{subject['name']} has {record.primary_metric} {_value(record, subject['name'])}."
    baselines = [system for system in others if system["kind"] == "baseline"]
    if not baselines:
        yield "No baseline ran."
        return
    best = baselines[0]["name"]
    yield f"The best baseline, {best}, has {_value(record, best)}."
    compared = record.comparison(record.primary_metric, subject["name"], best)
    if compared is None:
        yield "The two were not compared."
    elif not compared.higher:
        yield "The difference is not significant."
    else:
        word = "better" if compared.higher == subject["name"] else "worse"
        yield f"{subject['name']} is significantly {word} than the best baseline."


def _value(record: Record, system: str) -> str:
    values = record.metric_values(system, *record.metric_and_k(record.primary_metric))
    ends = interval(values["low"], values["high"])
    return number(values["value"]) + (f" ({ends})" if ends else "")


def _against(record: Record, name: str, other: str, compared: PairedComparison | None) -> str:
    if compared is None:
        return f"{name} and {other} were not compared."
    ends = interval(compared.low, compared.high)
    within = f" ({ends})" if ends else ""
    if not compared.higher:
        return f"{name} and {other} do not differ significantly: {number(compared.difference)}{within}."
    difference = finite(compared.difference) or 0.0
    if compared.higher != name:
        ends = interval(*(None if end is None else -end for end in (compared.high, compared.low)))
        within = f" ({ends})" if ends else ""
    word = "better" if compared.higher == name else "worse"
    relative = _relative(record, other, difference)
    return f"{name} is {word} than {other} by {number(abs(difference))}{within}{relative}."


def _relative(record: Record, other: str, difference: float) -> str:
    base = record.value(other, *record.metric_and_k(record.primary_metric))
    return f", or {abs(difference) / base:.1%}" if base else ""


def _change(record: Record, metric: str, name: str, ablation: str) -> str:
    before, after = (record.value(system, *record.metric_and_k(metric)) for system in (name, ablation))
    if before is None or after is None:
        return ""
    start = _ABLATION_OPENINGS.get(ablation, f"For {ablation}")
    if number(before) == number(after):
        return f"{start}, {metric} stays at {number(before)}."
    moved = "falls" if after < before else "rises"
    compared = record.comparison(metric, name, ablation)
    if compared is None:
        significance = ""
    elif compared.higher:
        significance = ", a significant difference"
    else:
        significance = "; the difference is not significant"
    return f"{start}, {metric} {moved} from {number(before)} to {number(after)}{significance}."

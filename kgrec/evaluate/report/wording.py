"""What the figures say, in sentences, and what each figure means.

Enters: a `Record`. Leaves: text. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kgrec.evaluate.report.formatting import count, finite, interval, number
from kgrec.evaluate.report.record import FigureValues, PairedComparison, Record

#: of users, the more the better
ACCURACY_TERMS = ("ndcg", "recall", "precision", "f1", "hit", "map", "mrr", "auc")
BEYOND_TERMS = (
    "coverage",
    "gini",
    "novelty",
    "popularity_lift",
    "serendipity",
    "diversity",
    "graph_diversity",
)
CALIBRATION = "calibration of "

#: metric -> what it is, and its range; n is the length of a list
GLOSSARY = {
    "recall": "Share of what a user took that is in the list of k. 0 to 1.",
    "precision": "Share of the k entries that the user took. 0 to 1.",
    "f1": "Harmonic mean of precision and recall. 0 to 1.",
    "hit": "Share of users with at least one hit in the list. 0 to 1.",
    "ndcg": "Hits in the list, each worth less the lower it stands, over the most that could be reached. 0 to 1.",
    "map": "Precision at each hit of the list, averaged. 0 to 1.",
    "mrr": "1 over the rank of the first hit, 0 without one. 0 to 1.",
    "auc": "Chance that an item that the user took is ranked before one that the user did not take. 0 to 1, chance 0.5.",
    "coverage": "Share of all items that are in any list. 0 to 1.",
    "gini": "How unevenly the places of all lists go to the items. 0 is even, 1 is one item only.",
    "novelty": "Mean surprise of the entries, in bits: minus log2 of the share of users who took the item. From 0; more is rarer.",
    "popularity_lift": "How much more popular the list is than the history: 0 as popular, 1 twice as popular. From -1.",
    "serendipity": "Share of the entries that were taken and that a list of the most popular items would not have had. 0 to 1.",
    "diversity": "Mean distance of two entries of a list, by their embeddings: 1 less the cosine. 0 to 2.",
    "graph_diversity": "Mean distance of two entries of a list, by their neighbours in the graph. 0 alike, 1 nothing in common.",
}
_CALIBRATION = "How far the shares of each {} in the list are from those in the history, in nats. From 0; less is better."

#: ablation -> the first words of its sentence
_ABLATION_OPENINGS = {
    "kgrec without graph": "Without the graph",
    "kgrec without text": "Without text",
    "kgrec with shuffled graph": "With each item's edges swapped for another's",
}


@dataclass(frozen=True)
class Verdict:
    """What the main figure says of one system against the others."""

    #: one or two sentences
    summary: str
    #: a sentence for each other system, the best first
    better: list[str]
    unsure: list[str]
    worse: list[str]


def verdict(record: Record) -> Verdict | None:
    """Whether kgrec, or else the first system, is better than each other that is no ablation; None if none ran.

    A difference counts only where the comparison says which system is higher.
    """
    subject = record.subject
    if subject is None:
        return None
    name, others = subject["name"], [s for s in record.ran if s["kind"] in ("baseline", "lists")]
    others = [system for system in others if system["name"] != name]
    found = Verdict(" ".join(_summary(record, subject, others)), [], [], [])
    for other in others:
        compared = record.comparison(record.main, name, other["name"])
        group = found.unsure
        if compared is not None and compared.higher:
            group = found.better if compared.higher == name else found.worse
        group.append(_against(record, name, other["name"], compared))
    return found


def knowledge(record: Record) -> list[str]:
    """A sentence for each ablation: how recall changes without a part of what kgrec knows."""
    subject = record.subject
    if subject is None or subject["kind"] != "kgrec":
        return []
    figure = f"recall@{record.k}"
    sentences = (
        _change(record, figure, subject["name"], s["name"]) for s in record.ran if s["kind"] == "ablation"
    )
    return [sentence for sentence in sentences if sentence]


def meaning(metric: str) -> str:
    """The line of the glossary; "" for a figure that it does not have."""
    if metric.startswith(CALIBRATION):
        return _CALIBRATION.format(metric.removeprefix(CALIBRATION))
    return GLOSSARY.get(metric, "")


def beyond(record: Record) -> list[str]:
    """Figures beyond accuracy that there are, in the order of the page."""
    extra = [metric for metric in record.every_metric if metric.startswith(CALIBRATION)]
    return record.metrics([*BEYOND_TERMS, *extra], record.k)


def asked(record: Record) -> str:
    """What was asked, in two sentences."""
    results, data = record.results, record.results["data"]
    new = f"; {count(data['new_items'])} items are new, hidden in training" if data["new_items"] else ""
    folds = f", in {results['folds']} folds" if results["folds"] > 1 else ""
    systems = len(results["systems"])
    lengths = " and ".join(str(k) for k in results["k"])
    return (
        f"{count(data['users'])} users, {count(data['items'])} items and {count(data['edges'])} edges of the graph; "
        f"{count(data['train'])} interactions train, {count(data['valid'])} choose settings, "
        f"{count(data['test'])} of {count(data['test_users'])} users test{new}. "
        f"{systems} {'system was' if systems == 1 else 'systems were'} asked for lists of {lengths}"
        f"{folds}."
    )


def _summary(record: Record, subject: FigureValues, others: list[FigureValues]) -> Iterator[str]:
    yield f"On {record.main}, {subject['name']} reaches {_figure(record, subject['name'])}."
    baselines = [system for system in others if system["kind"] == "baseline"]
    if not baselines:
        yield "No baseline ran."
        return
    best = baselines[0]["name"]
    yield f"The best baseline is {best} with {_figure(record, best)}."
    compared = record.comparison(record.main, subject["name"], best)
    if compared is None:
        yield "The two were not compared."
    elif not compared.higher:
        yield "The difference between the two is inside the noise: neither can be called better."
    else:
        word = "better" if compared.higher == subject["name"] else "worse"
        yield f"{subject['name']} is {word} than the best baseline, beyond the noise."


def _figure(record: Record, system: str) -> str:
    figure = record.figure(system, *record.parts(record.main))
    ends = interval(figure["low"], figure["high"])
    return number(figure["value"]) + (f" ({ends})" if ends else "")


def _against(record: Record, name: str, other: str, compared: PairedComparison | None) -> str:
    if compared is None:
        return f"{name} and {other} were not compared."
    ends = interval(compared.low, compared.high)
    within = f" ({ends})" if ends else ""
    if not compared.higher:
        return f"The difference between {name} and {other} is inside the noise: {number(compared.difference)}{within}."
    difference = finite(compared.difference) or 0.0
    if compared.higher != name:
        ends = interval(*(None if end is None else -end for end in (compared.high, compared.low)))
        within = f" ({ends})" if ends else ""
    word = "better" if compared.higher == name else "worse"
    share = _share(record, other, difference)
    return f"{name} is {word} than {other} by {number(abs(difference))}{within}{share}."


def _share(record: Record, other: str, difference: float) -> str:
    base = record.value(other, *record.parts(record.main))
    return f", {abs(difference) / base:.1%} of its figure" if base else ""


def _change(record: Record, figure: str, name: str, ablation: str) -> str:
    before, after = (record.value(system, *record.parts(figure)) for system in (name, ablation))
    if before is None or after is None:
        return ""
    start = _ABLATION_OPENINGS.get(ablation, f"For {ablation}")
    if number(before) == number(after):
        return f"{start}, {figure} stays at {number(before)}."
    moved = "falls" if after < before else "rises"
    compared = record.comparison(figure, name, ablation)
    if compared is None:
        sure = ""
    elif compared.higher:
        sure = ", beyond the noise"
    else:
        sure = "; the difference is inside the noise"
    return f"{start}, {figure} {moved} from {number(before)} to {number(after)}{sure}."

"""The report page states what the results hold, and never interprets their text as markup."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from results import comparison, metric, results, system

import kgrec.evaluate.report.page
from kgrec.errors import ConfigError
from kgrec.evaluate.report.page import check_installed, page
from kgrec.evaluate.report.report_tables import Cell, ReportRow, ReportTable

SCRIPT = "<script>alert('1')</script> & \"co\" $x_1$"


class Parsed(HTMLParser):
    """Sections by id, with their text; all elements; whether each that opens is closed."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.sections: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(document)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append((tag, dict(attrs).get("id") or ""))
        if tag == "section":
            self.sections[dict(attrs)["id"]] = ""
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag
        for name in self.sections.keys() & {name for _, name in self.open if tag != "strong"}:
            self.sections[name] += " "

    def handle_data(self, data: str) -> None:
        for tag, name in self.open:
            if tag == "section":
                self.sections[name] += data
        if any(tag in ("td", "th") for tag, _ in self.open):
            self.rows[-1][-1] += data

    def said(self, section: str) -> str:
        return " ".join(self.sections[section].split())

    def row(self, name: str) -> list[str]:
        """The first table's row of a system."""
        return next(row for row in self.rows if row[0] == name)


def full(name: str = "ease", label: str = "Alien") -> dict[str, Any]:
    """Everything that a page can have."""
    buckets = (
        "items: head",
        "items: tail",
        "history: 1-5",
        "among new items",
        "among known items",
        "items: new",
    )

    def more(n: int) -> list[dict[str, Any]]:
        beyond = [
            metric("coverage", 0.1 + n / 10),
            metric("novelty", 5.0 + n),
            metric("calibration of genre", 0.3),
        ]
        parts = [
            metric(name, 0.2 + n / 10, bucket=bucket) for bucket in buckets for name in ("ndcg", "recall")
        ]
        return [*beyond, *parts, metric("ndcg", 0.5 - n / 10, k=10)]

    curve = [
        {"stage": "select", "run": 1, "epoch": 1, "loss": 3.0, "recall": None},
        {"stage": "select", "run": 1, "epoch": 2, "loss": 2.0, "recall": None},
        {"stage": "valid", "run": 1, "epoch": 2, "loss": None, "recall": 0.2},
        {"stage": "refit", "run": 2, "epoch": 1, "loss": 2.5, "recall": None},
    ]
    ours, theirs = (
        system("kgrec", "kgrec", 0.31, 0.41, learning_curve=curve),
        system(name, "baseline", 0.28, 0.38),
    )
    shuffled = system("kgrec with shuffled graph", "ablation", 0.25, 0.22)
    for n, one in enumerate((ours, theirs, shuffled)):
        one["metrics"] += more(n)
    theirs |= {"options": "Ease(penalty=200)", "trials": 5, "cpu_budget": 60.0}
    item = {"id": "i1", "label": label}
    examples = [
        {
            "user": "u1",
            "history": [item],
            "held_out": [{"id": "i2", "label": "Brazil"}],
            "lists": {
                "kgrec": [
                    item | {"hit": True, "new": False},
                    {"id": "i3", "label": "Cube", "hit": False, "new": True},
                ],
                name: [],
            },
        }
    ]
    compared = [
        comparison(name, 0.03, "kgrec"),
        comparison("kgrec with shuffled graph", 0.06, "kgrec"),
        comparison("kgrec with shuffled graph", 0.19, "kgrec", on="recall@20"),
    ]
    failed = system("user-knn", "baseline", None, None, metrics=[], error="It needs 40 GB: not run.")
    data = results()["data"] | {"new_items": 336}
    return results(
        ours,
        theirs,
        shuffled,
        failed,
        k=[10, 20],
        folds=5,
        data=data,
        comparisons=compared,
        examples=examples,
    )


def test_all_sections_stand_in_their_order():
    assert list(Parsed(page(full())).sections) == [
        "verdict", "accuracy", "comparisons", "knowledge", "new", "popularity", "history", "beyond", "trade-offs",
        "training", "examples", "failed", "tuning", "glossary", "method",
    ]  # fmt: skip


def test_sections_without_data_are_left_out():
    found = Parsed(page(results(system("kgrec", "kgrec", 0.3, 0.4))))
    assert list(found.sections) == ["verdict", "accuracy", "tuning", "glossary", "method"]
    assert found.said("verdict").startswith(
        "Verdict kgrec has ndcg@20 0.3000 (0.2900 to 0.3100). No baseline ran."
    )


def test_data_and_task_are_described():
    text = " ".join(page(full()).split())
    assert "A fifth is held out at random. The data has 943 users, 1,682 items and 12,345 edges." in text
    assert "Training uses 70,000 interactions, tuning 7,000, and testing 9,000 of 900 users;" in text
    assert (
        "336 items are hidden in training. 4 systems recommended lists of 10 and 20 items, in 5 folds."
        in text
    )


def test_the_winner_is_named_with_its_lead():
    said = Parsed(page(full())).said("verdict")
    assert "The best baseline, ease, has 0.2800 (0.2700 to 0.2900)." in said
    assert "kgrec is significantly better than the best baseline." in said
    assert "kgrec is better than ease by 0.0300 (0.0200 to 0.0400), or 10.7%." in said
    assert "shuffled" not in said.partition("By group")[0]


def test_without_a_significant_difference_nobody_wins():
    systems = system("kgrec", "kgrec", 0.31, 0.41), system("ease", "baseline", 0.305, 0.4)
    found = Parsed(page(results(*systems, comparisons=[comparison("ease", 0.005, "")])))
    said = found.said("verdict")
    assert "The difference is not significant." in said
    assert "kgrec and ease do not differ significantly: 0.0050 (\N{MINUS SIGN}0.0050 to 0.0150)." in said
    assert not re.search(r"\bis (significantly )?(better|worse)\b", said)
    assert found.row("ease")[1] == "not significant"


def test_a_baseline_that_is_better_is_said_to_be():
    systems = system("kgrec", "kgrec", 0.25, 0.35), system("ease", "baseline", 0.3, 0.4)
    found = Parsed(page(results(*systems, comparisons=[comparison("ease", -0.05, "ease")])))
    assert "kgrec is significantly worse than the best baseline." in found.said("verdict")
    assert "kgrec is worse than ease by 0.0500 (0.0400 to 0.0600), or 16.7%." in found.said("verdict")
    assert found.row("ease")[1] == "higher"


def test_a_comparison_that_was_not_made_is_no_win():
    systems = system("kgrec", "kgrec", 0.5, 0.5), system("ease", "baseline", 0.1, 0.1)
    said = Parsed(page(results(*systems))).said("verdict")
    assert "kgrec and ease were not compared." in said
    assert not re.search(r"\bis (better|worse)\b", said)


def test_comparisons_are_read_from_the_view_of_kgrec_in_either_order():
    row = comparison("kgrec", 0.05, "ease") | {"model": "ease"}
    systems = system("ease", "baseline", 0.3, 0.4), system("kgrec", "kgrec", 0.25, 0.35)
    said = Parsed(page(results(*systems, comparisons=[row]))).said("comparisons")
    assert (
        "ease \N{MINUS SIGN}0.0500 \N{MINUS SIGN}0.0600 to \N{MINUS SIGN}0.0400 \N{MINUS SIGN}0.2000 0.020 ease"
        in said
    )


def test_systems_are_sorted_by_the_primary_metric():
    systems = (
        system("b", "baseline", 0.2, 0.9),
        system("kgrec", "kgrec", 0.3, 0.1),
        system("c", "lists", None, 0.5),
    )
    found = Parsed(page(results(*systems)))
    assert [row[0] for row in found.rows[:4]] == ["system", "kgrec", "b", "c"]
    assert found.row("c")[3] == "\N{EN DASH}"
    assert found.row("kgrec")[2] == "2.50"
    assert [row for row in found.rows if row[0] == "c"][1] == ["c", "\N{EN DASH}", "0.5000 0.4900 to 0.5100"]


def test_an_ablation_is_a_sentence():
    said = Parsed(page(full())).said("knowledge")
    assert (
        "With edges shuffled between items, ndcg@20 falls from 0.3100 to 0.2500, a significant difference."
        in said
    )


def test_a_defeat_by_its_own_ablation_is_in_the_verdict():
    systems = (
        system("kgrec", "kgrec", 0.25, 0.35),
        system("ease", "baseline", 0.2, 0.3),
        system("kgrec without graph", "ablation", 0.3, 0.4),
        system("kgrec without text", "ablation", 0.26, 0.36),
        system("kgrec without id", "ablation", 0.2, 0.3),
    )
    compared = [
        comparison("ease", 0.05, "kgrec"),
        comparison("kgrec without graph", -0.05, "kgrec without graph"),
        comparison("kgrec without text", -0.01, ""),
        comparison("kgrec without id", 0.05, "kgrec"),
    ]
    said = Parsed(page(results(*systems, comparisons=compared))).said("verdict")
    assert (
        "kgrec is significantly worse than its own ablation, kgrec without graph, which has 0.3000 (0.2900 to 0.3100)."
        in said
    )
    assert (
        "Its own ablation, kgrec without text, has 0.2600 (0.2500 to 0.2700); the difference is not significant."
        in said
    )
    assert "without id" not in said


def test_the_verdict_says_who_is_best_where():
    ours, theirs, other = (
        system(*one)
        for one in (
            ("kgrec", "kgrec", 0.3, 0.4),
            ("content", "baseline", 0.2, 0.3),
            ("pop", "baseline", 0.1, 0.2),
        )
    )
    for one, tail, head, middle in (
        (ours, 0.131, 0.5, 0.2),
        (theirs, 0.255, 0.4, 0.205),
        (other, 0.1, 0.3, 0.1),
    ):
        for bucket, value in (("items: tail", tail), ("items: head", head), ("items: middle", middle)):
            one["metrics"].append(metric("ndcg", value, bucket=bucket))
    said = Parsed(page(results(ours, theirs, other))).said("verdict")
    assert "On rare items (the tail), content has ndcg@20 0.2550, kgrec 0.1310: kgrec is behind." in said
    assert "On popular items (the head), kgrec has ndcg@20 0.5000, the next best, content, 0.4000." in said
    assert "On items of middling popularity, content has ndcg@20 0.2050, kgrec 0.2000: about equal." in said


def test_one_metric_argues_in_every_section():
    document = page(full())
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", document)
    assert captions and not any("recall" in caption.lower() for caption in captions)
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", document)
    assert not any("recall" in label for label in labels)
    assert "recall" not in Parsed(document).said("verdict")


def test_differences_are_drawn_from_the_view_of_the_others():
    svg = page(full()).partition("<svg")[2].partition("</svg>")[0]
    assert ">ndcg@20, difference to kgrec</text>" in svg
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "kgrec" not in labels and "ease" in labels
    # both are behind: no tick above 0 but the margin's
    ticks = [
        float(label.replace("\N{MINUS SIGN}", "-")) for label in labels if re.fullmatch(r".?\d\.\d+", label)
    ]
    assert min(ticks) <= -0.06 and max(ticks) <= 0.01


def test_a_wide_table_is_cut_into_pieces_that_fit():
    cells = [Cell(str(n)) for n in range(16)]
    whole = ReportTable(["system", *(f"m{n}" for n in range(16))], [ReportRow("a", "kgrec", cells)])
    assert [len(piece.head) for piece in whole.pieces] == [7, 7, 5]
    assert [piece.head[0] for piece in whole.pieces] == ["system"] * 3
    assert [cell.text for piece in whole.pieces for cell in piece.rows[0].cells] == [
        str(n) for n in range(16)
    ]
    narrow = ReportTable(["system", "a"], [])
    assert narrow.pieces == [narrow]


def test_nan_and_infinity_are_a_dash():
    one = system("kgrec", "kgrec", 0.3, None)
    one["metrics"] += [metric("coverage", math.nan), metric("novelty", math.inf), metric("gini", 0.5)]
    document = page(results(one, comparisons=[], cpu_seconds=math.nan))
    found = Parsed(document)
    assert not re.search(r"\b(nan|inf|None|null)\b", document.partition("<body>")[2])
    assert "\N{EN DASH} CPU seconds" in document
    assert "coverage" not in found.said("beyond") and "gini" in found.said("beyond")


def test_a_failed_system_has_its_error_and_no_row():
    found = Parsed(page(full()))
    assert found.said("failed") == "Systems that failed user-knn: It needs 40 GB: not run."
    assert "user-knn" not in [row[0] for row in found.rows]


def test_a_page_without_any_system_that_ran():
    failed = system("kgrec", "kgrec", None, None, metrics=[], error="No interactions.")
    found = Parsed(page(results(failed)))
    assert found.said("verdict") == "Verdict All systems failed."
    assert found.said("failed") == "Systems that failed kgrec: No interactions."


def test_hits_and_new_items_are_marked():
    said = Parsed(page(full())).said("examples")
    assert "History Alien Held out Brazil kgrec Alien hit Cube new ease" in said


def test_tuning_is_a_table():
    found = Parsed(page(full()))
    row = [row for row in found.rows if row[0] == "ease"][-1]
    assert row == ["ease", "description of ease", "Ease(penalty=200)", "5", "60.0", "2.00", "0.50"]


def test_the_glossary_has_the_metrics_of_the_results():
    said = Parsed(page(full())).said("glossary")
    assert "calibration of genre Kullback-Leibler divergence between the shares of each genre" in said
    assert "ndcg" in said and "serendipity" not in said


def test_names_and_labels_stay_text():
    document = page(full(SCRIPT, SCRIPT) | {"graph": SCRIPT})
    found = Parsed(document)
    assert "script" not in {tag for tag, _ in found.elements}
    assert SCRIPT in found.said("examples") and SCRIPT in found.said("accuracy")
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)


def test_an_id_cannot_leave_its_attribute():
    results = full()
    results["examples"][0]["history"] = [{"id": '"><img src=x onerror=alert(1)>', "label": "Alien"}]
    found = Parsed(page(results))
    assert "img" not in {tag for tag, _ in found.elements}
    assert ("li", {"title": '"><img src=x onerror=alert(1)>'}) in found.elements


def test_nothing_is_loaded_from_elsewhere():
    document = page(full())
    found = Parsed(document)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in found.elements}
    links = [v for _, a in found.elements for k, v in a.items() if k in ("src", "href", "xlink:href")]
    assert links and all(str(link).startswith("#") for link in links)
    assert not re.search(r"url\((?!#)", document)
    assert "@import" not in document


def test_figures_of_a_page_share_no_id():
    ids = [a["id"] for _, a in Parsed(page(full())).elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_the_same_results_give_the_same_page():
    assert page(full()) == page(full())


def test_text_of_figures_is_text_and_takes_the_colour_around():
    svg = page(full()).partition("<svg")[2].partition("</svg>")[0]
    assert re.search(r"<text[^>]*>ease</text>", svg)
    assert "currentColor" in svg and "#010203" not in svg


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        kgrec.evaluate.report.page, "find_spec", lambda name: None if name == "matplotlib" else name
    )
    with pytest.raises(ConfigError) as caught:
        check_installed()
    assert caught.value.problem == "The report needs matplotlib, which is not installed."
    assert caught.value.remedy == "pip install 'kgrec[report]'"


def test_import_does_not_load_what_only_the_page_needs():
    code = "import sys, kgrec, kgrec.evaluate.report.page; print(sorted({'matplotlib', 'jinja2'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_in_any_script_is_drawn():
    names = "\N{CJK UNIFIED IDEOGRAPH-6620}\N{CJK UNIFIED IDEOGRAPH-753B}", "a\x07b"
    document = page(results(*(system(name, "baseline", 0.2, 0.3) for name in names)))
    drawn = document.partition("<svg")[2].partition("</svg>")[0]
    assert f">{names[0]}</text>" in drawn and ">a b</text>" in drawn


def test_a_training_log_without_values_is_no_plot():
    curve = [{"stage": "select", "run": 1, "epoch": 1, "loss": None, "recall": None}]
    assert (
        "training"
        not in Parsed(page(results(system("kgrec", "kgrec", 0.3, 0.4, learning_curve=curve)))).sections
    )

"""Simulated viewers who rate real films: a seeded generative model.

No real person's data is in the file that this module writes. Run `python -m kg_data.simulate` to write
`movies/interactions.csv` again, byte for byte.

The model. A film i carries tags of several kinds k: genre, director, actor, country, language and decade from
`movies.csv`; sub-genre, nationality of its directors, lineage (who influenced its directors), series and author of
the book from `people.ttl`. A viewer u has a sparse taste θ over tags:

    θ_u  = Σ_a w_ua A_a + Σ_f g_uf 1[tag f] - Σ_d h_ud 1[tag d]
    θ_u(lineage of x) += LINEAGE θ_u(director x), where the latter is positive

A_a is one of the tastes of `kg_data._tastes`, whose n-th tag weighs 1/√n; a viewer mixes two or three of them with
weights w_u ~ Dirichlet, scaled to length 1. Personal favourites f are tags of films that fame and this blend
suggest, with g ~ Gamma; dislikes d are genres or sub-genres that are not in the blend. The affinity for a film, and
its standardised and bounded form, are

    a_ui = Σ_k λ_k Σ_{t in T_ik} θ_ut / √|T_ik|
    z_ui = 2 tanh((a_ui - mean_i a_ui) / (2 sd_i a_ui))

Some of the taste is not in the graph: p_u and m_i ~ N(0, I) of MOODS dimensions give a mood that no fact describes,
m_ui = p_u·m_i/√MOODS, and q_i ~ N(0, QUALITY²) is the quality of a film. The fame of a film is F_i = 1/(rank_i + FAME_SHIFT)
with a random rank (simulated too, and unrelated to the real film). Viewer u, with a pull of fame φ_u ~ U(FAME_PULL), watches

    n_u = LogNormal(LENGTH), between 8 and 120, films: the n_u highest of
    φ_u log F_i + WATCH z_ui + WATCH_MOOD m_ui + G_ui,          G_ui ~ Gumbel(0, 1)

which is sampling without replacement in proportion to exp(utility). The rating is

    r_ui = clip(round(MEAN + b_u + RATE z_ui + RATE_MOOD m_ui + q_i + NOISE ε_ui), 1, 5),   b_u ~ N(0, BIAS²), ε ~ N(0, 1)

at a time drawn uniformly from the day on which the viewer joined (or the first of January after the release, if that is
later) to the end of 2024.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from kg_data import movies
from kg_data._tastes import ARCHETYPES

__all__ = ["Catalogue", "archetypes", "load", "main", "simulate"]

Floats = npt.NDArray[np.float64]

SEED = 20190101
VIEWERS = 600
#: λ_k: weight of a kind of tag
KINDS = {
    "genre": 0.6,
    "subgenre": 1.2,
    "director": 1.1,
    "actor": 0.8,
    "country": 0.4,
    "nationality": 0.7,
    "language": 0.3,
    "decade": 0.5,
    "lineage": 0.6,
    "series": 0.6,
    "author": 0.6,
}
DISLIKED = ("genre", "subgenre")
LINEAGE = 0.7
FAVOURITES = 6
MOODS = 4
QUALITY = 0.25
FAME_SHIFT = 12
FAME_PULL = (0.3, 0.9)
LENGTH = (3.25, 0.6)
WATCH, WATCH_MOOD = 1.7, 0.4
MEAN, RATE, RATE_MOOD, BIAS, NOISE = 2.95, 0.55, 0.35, 0.3, 0.7
START, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2019, 2025))
LAST_JOINING = int(datetime(2024, 7, 1, tzinfo=UTC).timestamp())

_COLUMNS = {
    "genres": "genre",
    "directors": "director",
    "cast": "actor",
    "country": "country",
    "language": "language",
}


@dataclass(frozen=True)
class Catalogue:
    """The films as tags.

    Args:
        ids: The films, sorted.
        years: Their years of release, in that order.
        tags: All tags, sorted.
        weights: λ_k/√|T_ik| where film i carries the tag, else 0; shape (films, tags).
    """

    ids: list[str]
    years: list[int]
    tags: list[str]
    weights: Floats


def _tag(kind: str, value: str) -> str:
    return f"{kind}:{value}"


def _facts(path: Path) -> dict[str, dict[str, list[str]]]:
    """The statements of a Turtle file: last part of the predicate -> subject -> objects, with IRIs as decoded names."""
    import pyoxigraph

    facts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for quad in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TURTLE):
        subject, value = (unquote(str(node.value).rsplit("/", 1)[-1]) for node in (quad.subject, quad.object))
        facts[quad.predicate.value.rsplit("/", 1)[-1]][subject].append(value)
    return facts


def _row_tags(row: dict[str, str]) -> set[str]:
    """The tags of a film from its row of the table."""
    tags = {_tag("decade", f"{int(row['year']) // 10 * 10}s")}
    for column, kind in _COLUMNS.items():
        tags.update(_tag(kind, value) for value in row[column].split("|") if value)
    return tags


def _graph_tags(film: str, directors: Iterable[str], facts: dict[str, dict[str, list[str]]]) -> set[str]:
    """The tags of a film that only the Turtle file has, some of them two steps away."""
    tags = {_tag("subgenre", name) for name in facts["genre"].get(film, [])}
    tags.update(_tag("series", name) for name in facts["isPartOf"].get(film, []))
    for work in facts["basedOn"].get(film, []):
        tags.update(_tag("author", name) for name in facts["author"].get(work, []))
    for director in directors:
        tags.update(_tag("nationality", name) for name in facts["nationality"].get(director, []))
        tags.update(_tag("lineage", name) for name in facts["influencedBy"].get(director, []))
    return tags


def _weights(carried: list[set[str]], tags: list[str]) -> Floats:
    """The matrix of `Catalogue.weights`."""
    column = {tag: index for index, tag in enumerate(tags)}
    weights = np.zeros((len(carried), len(tags)))
    for film, own in enumerate(carried):
        kinds = [tag.split(":", 1)[0] for tag in own]
        for tag, kind in zip(own, kinds, strict=True):
            weights[film, column[tag]] = KINDS[kind] / kinds.count(kind) ** 0.5
    return weights


def load(folder: Path) -> Catalogue:
    """Read the films and their facts in the graph.

    Args:
        folder: Holds movies.csv and people.ttl.

    Returns:
        The films as tags.
    """
    with (folder / "movies.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["movie_id"])
    facts = _facts(folder / "people.ttl")
    carried = [
        _row_tags(row) | _graph_tags(row["movie_id"], row["directors"].split("|"), facts) for row in rows
    ]
    tags = sorted(set().union(*carried))
    ids = [row["movie_id"] for row in rows]
    return Catalogue(ids, [int(row["year"]) for row in rows], tags, _weights(carried, tags))


def archetypes(tags: list[str]) -> Floats:
    """The hand-written tastes as vectors.

    Args:
        tags: All tags of the catalogue.

    Returns:
        Tastes, shape (archetypes, tags).

    Raises:
        ValueError: A taste names a tag that no film carries.
    """
    column = {tag: index for index, tag in enumerate(tags)}
    tastes = np.zeros((len(ARCHETYPES), len(tags)))
    for row, (name, liked) in enumerate(ARCHETYPES.items()):
        for place, tag in enumerate(liked, start=1):
            if tag not in column:
                raise ValueError(f"The taste {name!r} likes {tag!r}, which no film carries.")
            tastes[row, column[tag]] = place**-0.5
    return tastes


def _mixture(shared: Floats, rng: np.random.RandomState) -> Floats:
    """Two or three archetypes, blended."""
    count = rng.choice([2, 3])
    chosen = rng.choice(len(shared), size=count, replace=False)
    blend: Floats = rng.dirichlet([2.0] * count) @ shared[chosen]
    # scaled so that a blend of three tastes is as strong as a blend of two
    return blend / float(np.linalg.norm(blend))


def _likings(taste: Floats, fame: Floats, films: Catalogue, rng: np.random.RandomState) -> Floats:
    """Personal favourites: tags of films that this viewer has probably seen."""
    utility = np.log(fame) + 3 * _bounded(films.weights @ taste)
    chance = np.exp(utility - utility.max())
    likings = np.zeros(len(taste))
    for film in rng.choice(len(fame), size=FAVOURITES, p=chance / chance.sum()):
        likings[rng.choice(np.flatnonzero(films.weights[film]))] += rng.gamma(2.0, 0.25)
    return likings


def _dislikes(taste: Floats, tags: list[str], rng: np.random.RandomState) -> Floats:
    """One to three genres or sub-genres that this viewer dislikes."""
    open_to = [i for i, tag in enumerate(tags) if tag.split(":", 1)[0] in DISLIKED and taste[i] == 0]
    dislikes = np.zeros(len(taste))
    dislikes[rng.choice(open_to, size=rng.randint(1, 4), replace=False)] = 0.4
    return dislikes


def _spread(taste: Floats, tags: list[str]) -> Floats:
    """The taste, with the liking for a director extended to directors influenced by that director."""
    column = {tag: index for index, tag in enumerate(tags)}
    spread = taste.copy()
    for tag, index in column.items():
        if tag.startswith("lineage:"):
            source = column.get(_tag("director", tag.split(":", 1)[1]))
            spread[index] += LINEAGE * max(taste[source], 0.0) if source is not None else 0.0
    return spread


def _bounded(affinity: Floats) -> Floats:
    """Standardise an affinity and bound it to ±2; this is z in the module's equations."""
    scaled: Floats = (affinity - affinity.mean()) / affinity.std()
    return 2 * np.tanh(scaled / 2)


def _affinities(films: Catalogue, fame: Floats, rng: np.random.RandomState) -> Floats:
    """z_ui of all viewers, shape (viewers, films)."""
    shared = archetypes(films.tags)
    rows = []
    for _ in range(VIEWERS):
        taste = _mixture(shared, rng)
        taste = taste + _likings(taste, fame, films, rng) - _dislikes(taste, films.tags, rng)
        rows.append(_bounded(films.weights @ _spread(taste, films.tags)))
    return np.array(rows)


def _watched(utility: Floats, rng: np.random.RandomState) -> list[npt.NDArray[np.intp]]:
    """The films that each viewer watches, in the order of the catalogue."""
    lengths = np.clip(np.exp(rng.normal(*LENGTH, size=VIEWERS)), 8, 120).astype(int)
    order = np.argsort(-(utility + rng.gumbel(size=utility.shape)), axis=1, kind="stable")
    return [np.sort(row[:length]) for row, length in zip(order, lengths, strict=True)]


def _times(years: list[int], rng: np.random.RandomState) -> list[int]:
    """Times at which one viewer rates films of these years."""
    joined = rng.randint(START, LAST_JOINING)
    earliest = [int(datetime(max(year + 1, 2019), 1, 1, tzinfo=UTC).timestamp()) for year in years]
    # films of the last year have no year after them
    starts = [min(max(joined, first), LAST_JOINING) for first in earliest]
    return [start + int(rng.random_sample() * (END - start)) for start in starts]


def _stars(liking: Floats, rng: np.random.RandomState) -> npt.NDArray[np.int64]:
    """Ratings from 1 to 5 of every film by every viewer."""
    bias = rng.normal(0, BIAS, size=(len(liking), 1))
    quality = rng.normal(0, QUALITY, size=(1, liking.shape[1]))
    noise = rng.normal(0, NOISE, size=liking.shape)
    return np.clip(np.rint(MEAN + bias + quality + liking + noise), 1, 5).astype(np.int64)


def _preferences(
    films: Catalogue, rng: np.random.RandomState
) -> tuple[list[npt.NDArray[np.intp]], npt.NDArray[np.int64]]:
    """The films that each viewer watches, and the ratings that each viewer would give to all films."""
    fame = 1 / (rng.permutation(len(films.ids)) + 1.0 + FAME_SHIFT)
    affinity = _affinities(films, fame, rng)
    mood = rng.normal(size=(VIEWERS, MOODS)) @ rng.normal(size=(MOODS, len(films.ids))) / MOODS**0.5
    pull = rng.uniform(*FAME_PULL, size=(VIEWERS, 1))
    watched = _watched(pull * np.log(fame) + WATCH * affinity + WATCH_MOOD * mood, rng)
    return watched, _stars(RATE * affinity + RATE_MOOD * mood, rng)


def _rows(films: Catalogue) -> Iterable[tuple[str, str, int, int]]:
    """The ratings, sorted by viewer and then by time."""
    # RandomState, because numpy promises that its streams never change; those of Generator may
    rng = np.random.RandomState(SEED)
    watched, stars = _preferences(films, rng)
    for viewer, seen in enumerate(watched):
        times = _times([films.years[film] for film in seen], rng)
        for time, film in sorted(zip(times, seen.tolist(), strict=True)):
            yield f"viewer-{viewer + 1:03}", films.ids[film], int(stars[viewer, film]), time


def simulate(folder: Path, target: Path) -> int:
    """Write the ratings of the simulated viewers.

    Args:
        folder: Holds movies.csv and people.ttl.
        target: The CSV file to write.

    Returns:
        The number of ratings.

    Raises:
        ValueError: A hand-written taste names a tag that no film carries.
    """
    rows = list(_rows(load(folder)))
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("user_id", "movie_id", "rating", "timestamp"))
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """Write movies/interactions.csv of this package again."""
    count = simulate(movies(), movies() / "interactions.csv")
    print(f"{count} ratings by {VIEWERS} simulated viewers")


if __name__ == "__main__":
    main()

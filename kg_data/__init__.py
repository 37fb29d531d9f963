"""A film catalogue for trying out kgrec: real films, described by hand, and simulated viewers.

Example:
    >>> import kg_data
    >>> (kg_data.movies() / "kgrec.yaml").name
    'kgrec.yaml'
"""

from pathlib import Path

__all__ = ["movies"]


def movies() -> Path:
    """The folder of the bundled film catalogue.

    It holds `kgrec.yaml` (the mapping), `movies.csv` (films), `people.ttl` (facts about films, people and
    sub-genres), `interactions.csv` (ratings by simulated viewers), `new/movies.csv` (films that are not part of training)
    and `README.md` (columns, licence, and how the catalogue was made).

    Returns:
        The folder, inside the installed package.

    Example:
        >>> import kg_data
        >>> sorted(path.name for path in kg_data.movies().glob("*.csv"))
        ['interactions.csv', 'movies.csv']
    """
    return Path(__file__).parent / "movies"

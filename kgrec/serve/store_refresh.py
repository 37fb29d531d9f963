"""A refresh from a feedback store: what the store received since the training is learned.

Enters: a recommender, and a store. Leaves: `Refreshed`, and the recommender with the refreshed model, which names the revision of the store up
to which it has everything. Writes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kgrec.recommend.recommender import Recommender
from kgrec.recommend.results import Refreshed
from kgrec.serve.live import FEEDBACK, LiveModel

if TYPE_CHECKING:
    from kgrec.serve.store.store import Store


def caught_up(recommender: Recommender, store: Store) -> Recommender:
    """A copy with the items, events and erasures of a store, which count without training; it names the revision of the store.

    Events that arrive while this runs are for the next time.

    Raises:
        ConfigError: The store is another than the model's.
    """
    live = LiveModel(recommender, store).state
    inputs = {**live.model.inputs, FEEDBACK: str(live.revision)}
    grown = recommender.with_model(live.model)
    if live.model is recommender.model and inputs == live.model.inputs:
        return grown
    return grown.with_model(replace(live.model, inputs=inputs).knowing(live.model))


def refreshed_from_store(
    recommender: Recommender, store: Store, interactions: Any = None, **options: Any
) -> tuple[Recommender, Refreshed]:
    """Refresh a copy of a recommender with the items, events and erasures of a store; the given one stays as it is.

    Args:
        recommender: As it was loaded: trained or refreshed last up to the revision that it names.
        store: Is not modified.
        interactions: Further ones, as of `Recommender.refresh`.
        options: Others of `Recommender.refresh`.

    Returns:
        The copy, refreshed if that was accepted, and what came of it.

    Raises:
        TrainingError: Nothing is new.
        ConfigError: The store is another than the model's.
    """
    grown = caught_up(recommender, store)
    done = grown.refresh(interactions, parent=recommender.model, **options)
    return (grown if done.accepted else recommender.with_model(recommender.model)), done

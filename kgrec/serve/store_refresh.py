"""A refresh from a feedback store: the model learns from the data that the store received since the training.

Enters: a recommender, and a store. Leaves: `Refreshed`, and the recommender with the refreshed model, which records the revision of the store
up to which it includes all changes. Writes nothing.
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
    """A copy with the items, events and erasures of a store, which take effect without training; it records the revision of the store.

    Events that arrive during this call are left for the next call.

    Raises:
        ConfigError: The store is not the model's store.
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
    """Refresh a copy of a recommender with the items, events and erasures of a store; the given recommender does not change.

    Args:
        recommender: A recommender as loaded, trained or refreshed up to the revision that it records.
        store: The store; it is not modified.
        interactions: Further interactions, as for `Recommender.refresh`.
        options: Other options of `Recommender.refresh`.

    Returns:
        The copy, which is refreshed if the refresh was accepted, and the result of the refresh.

    Raises:
        TrainingError: There is nothing new.
        ConfigError: The store is not the model's store.
    """
    grown = caught_up(recommender, store)
    done = grown.refresh(interactions, parent=recommender.model, **options)
    return (grown if done.accepted else recommender.with_model(recommender.model)), done

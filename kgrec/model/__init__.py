"""A trained model as plain values, without torch.

items          `ItemStore`: names, labels, vectors and state of items, in a base and a delta
model          `Model`: items, users, histories, user encoder, index and scorers
storage        model/ on disk
ranker_files   a learned ranker on disk
retrieval      candidates of users, under filters and boosts
item_updates   items added or changed without retraining
interaction_updates  interactions added since training
propagation    known items affected by a change of other items

This module imports nothing.
"""

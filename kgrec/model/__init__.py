"""A trained model as plain values, without torch.

model          `Model`: items, users, histories, index, scores
storage        model/ on disk
item_updates   items added, changed, removed without training
propagation    known items that such a change moves, since they are linked to it

Nothing is imported here.
"""

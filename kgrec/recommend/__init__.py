"""Questions to a trained model, in the user's own ids.

recommender   `Recommender`: train, load, save, add items, recommend
queries       recommend, similar items, similar users
ids           ids -> rows, or an error that names the nearest
feedback      likes and dislikes as one history
text_query    free text as a history
results       frames and records that leave
explain       why an item has its score, exactly

Nothing is imported here.
"""

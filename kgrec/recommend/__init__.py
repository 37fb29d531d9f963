"""Queries to a trained model, in the user's own ids.

recommender   `Recommender`: train, load, save, add items, recommend
request       `Request`: the options of a list, validated
writer_lock   changes run one at a time, readers never wait
queries       recommend, similar items, similar users
ids           ids -> rows, or an error that names similar ids
boosts        numbers that are added to scores, as arguments
list_options  options about lists as a whole, and the policy of a call
items_by_user candidates or deny lists of each user
pairs         scores of given pairs
feedback      likes and dislikes as one history
text_query    free text as a query
results       frames and summaries
explain       the parts of a score
leave_one_out what a score changes without each item of the history
placement     where an item stands in a list chosen as a whole, for explanations

Nothing is imported here.
"""

"""Queries to a trained model, in the user's own ids.

recommender   `Recommender`: train, load, save, add items, recommend
request       `Request`: the options of a list, validated
writer_lock   changes run one at a time, readers never wait
queries       recommend, similar items, similar users
ids           ids -> rows, or an error that names similar ids
boosts        boosts as arguments: numbers added to scores
list_options  options about lists as a whole, and the policy of a call
items_by_user candidates or deny lists of each user
pairs         scores of given pairs of a user and an item
feedback      likes and dislikes as one history
text_query    free text as a query
results       frames and summaries
explain       the parts of a score
list_account  the parts of the scores of a list, for all items at once
reasons       why each item of a list was recommended: evidence, and a sentence
counterfactual the smallest set of history items whose removal drops an item from the list
global_explanation the sources of a model's scores, by segment
leave_one_out the change of a score when each history item is left out
placement     the rank of an item in a list chosen as a whole, for explanations

This module imports nothing.
"""

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
list_account  the parts of the scores of a list, all items at once
reasons       why each item of a list is there: evidence, and a sentence
counterfactual the fewest history items without which an item is not in the list
global_explanation what carries the scores of a model, by segment
leave_one_out what a score changes without each item of the history
placement     where an item stands in a list chosen as a whole, for explanations

Nothing is imported here.
"""

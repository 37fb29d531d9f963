"""From a graph and interactions to a model.

data              what all runs share, and the record of an epoch
validation        interactions split into training and held-out part
cold_holdout      items held out whole, as stand-ins for new items
learner           one training run of the encoder
negatives         items of the sampled softmax
optimizer         Adam with a schedule, on dense and sparse gradients
checkpoint        the state of an interrupted training
hyperparameters   the search on validation data
ranker_search     whether a learned ranker is kept
network_ranker    the learner of the network ranker
progress          records and callbacks of a training
fit               all stages, from graph to `Model`

Nothing is imported here.
"""

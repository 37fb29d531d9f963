"""From a graph and interactions to a model.

data              data that all runs share, and the record of an epoch
validation        interactions split into a training part and a held-out part
cold_holdout      items held out whole, as substitutes for new items
learner           one training run of the encoder
negatives         negative items of the sampled softmax
optimizer         Adam with a schedule, on dense and sparse gradients
checkpoint        the state of an interrupted training
hyperparameters   the search on validation data
ranker_search     decides whether to keep a learned ranker
network_ranker    the learner of the network ranker
progress          records and callbacks of a training run
assembly          makes the model of a trained encoder
fit               all stages, from graph to `Model`
continuation      what a refresh takes over from its parent model
newest_slice      interactions on which a new model is compared with its predecessor
refresh           continues training on newer interactions

This module imports nothing.
"""

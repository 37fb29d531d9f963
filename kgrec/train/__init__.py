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
assembly          the model of a trained encoder
fit               all stages, from graph to `Model`
continuation      what a refresh takes over from its parent
newest_slice      interactions on which a new model is compared with the one before it
refresh           a trained model learns from newer interactions

Nothing is imported here.
"""

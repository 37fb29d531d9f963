"""From a graph and interactions to a model.

learner           one training run of the encoder
optimizer         Adam with a schedule, sparse tables included
checkpoint        the state of a training that may be interrupted
hyperparameters   which settings validation data chooses
fit               all of it, from graph to `Model`

Nothing is imported here.
"""

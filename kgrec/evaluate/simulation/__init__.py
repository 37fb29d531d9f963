"""Simulation: the effects of list policies on viewers and on a catalogue over many rounds.

Enters: a graph, policies, a choice model. Leaves: `Simulation`, curves with intervals. Writes simulation/ on request.

choices    options of the choice model
world      items: content, quality, rounds in which they appear, providers
viewers    viewers, their clicks, and how clicks change them
policies   lists of a round, by the name of a policy
loop       the rounds of one policy and one seed
figures    metrics of a round
outcome    curves of all policies, differences, the folder
run        all policies and seeds

This module imports nothing.
"""

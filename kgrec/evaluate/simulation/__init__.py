"""Simulation: what a policy of lists does to viewers and to a catalogue over many rounds.

Enters: a graph, policies, a choice model. Leaves: `Simulation`, curves with intervals. Writes simulation/ on request.

choices    options of the choice model
world      items: content, quality, rounds in which they appear, providers
viewers    viewers, what they click, and how clicks change them
policies   lists of a round, by the name of a policy
loop       the rounds of one policy and one seed
figures    figures of a round
outcome    curves of all policies, differences, the folder
run        all policies and seeds

Nothing is imported here.
"""

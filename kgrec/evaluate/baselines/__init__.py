"""The methods that a model must beat: simple ones that are hard to beat, and published ones of several kinds.

protocol          the interface of a baseline, and of a fitted one
baseline_data     what baselines learn from
fitted            fitted baselines that several methods share: item-item weights, item vectors, user and item vectors
popularity        how many users took an item, optionally of late
nearest_neighbors cosine, Jaccard and Pearson similarity of sparse rows, and the nearest rows of each
item_knn          items similar to those of the history
user_knn          items of users with a similar history
rp3               random walks of three steps: P3alpha and RP3beta
ease              each item from all others by ridge regression
svd               PureSVD: a truncated singular value decomposition of the interactions
content           items with content similar to the history: words, graph neighbours, sentence vectors
hybrid            a weighted sum of two baselines
factors           iALS and BPR-MF, by `implicit`
bpr_sampling      triples of a user, a positive item and a negative item for pairwise losses
lightgcn          embeddings smoothed over the graph of interactions
kgat              attention over one graph of users, items and entities
vae               Mult-VAE: a variational autoencoder of histories
markov            what followed the last items: a Markov chain with skips
session_knn       items of users who share the newest items of the history
next_item         what neural models of the next item share: sequences, training, scores
gru4rec           a recurrent network over the history
sasrec            a Transformer over the history
registry          all baselines by name
tune              the same small search of options for every baseline

Nothing is imported here.
"""

"""What a model is measured against: the plain methods that are hard to beat, and the published kinds.

protocol      what a baseline takes and gives
training_data what baselines may learn from
scorers       scores by item-item weights and by vectors
popularity    how many took an item, of late
similarity    cosine, Jaccard and Pearson of sparse rows, the nearest of each
item_knn      items like those of the history
user_knn      items of those whose history is alike
rp3           walks of three steps: P3alpha and RP3beta
ease          each item from all others by ridge regression
svd           PureSVD: factors of the matrix of interactions
content       items like those of the history, by words, by neighbours in the graph, by sentence vectors
hybrid        a weighted sum of two
factors       iALS and BPR-MF, by `implicit`
bpr_sampling  a user, an item that was taken, and one that was not
lightgcn      embeddings smoothed over the graph of interactions
kgat          attention over one graph of users, items and what is known of these
registry      all baselines by name
tune          the same small search for each

Nothing is imported here.
"""

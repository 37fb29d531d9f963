r"""The graph neural network that embeds items, and users by the items of their histories.

Enters: features of items, and histories. Leaves: unit vectors of items and users. Nothing is written.

.. math::
    z_i = \mathrm{normalize}\Big(W x_i + \sum_r s_r \sum_{j \in N_r(i)} a_{rij} E_j + m_i\, ID_i\Big)
    \qquad
    u = \mathrm{normalize}\Big(\sum_{j \in H(u)} d_j^{-\alpha} z_j\Big)

`x_i` are the text and the vectors of item `i` side by side, `a_{ri}` the IDF weights of its neighbours by relation `r`, scaled to
unit length. The ID residual `ID_i` exists for items of the training data (`m_i = 1`), not for new ones (`m_i = 0`). `d_j` is the
number of training users of item `j`. Users have no parameters, so new users need no training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize

from kgrec.encode.config import EncoderConfig
from kgrec.encode.featurizer import Featurizer, ItemFeatures
from kgrec.encode.ordered_users import OrderedUsers
from kgrec.encode.sparse import Adjacency, WeightedSum
from kgrec.encode.transformer import CausalTransformer
from kgrec.encode.whitening import embedding_map


class ItemEncoder(nn.Module):
    """Embeds items from their features, and known items from an ID residual too.

    Args:
        config: Width and dropout.
        dense_dim: Combined length of text and vectors; 0 without either.
        n_relations: Number of relations of the featurizer.
        n_entities: Number of nodes of the featurizer: entities, bins and label tokens.
        n_items: Number of items in the training data.
    """

    def __init__(
        self, config: EncoderConfig, *, dense_dim: int, n_relations: int, n_entities: int, n_items: int
    ) -> None:
        super().__init__()
        # Rows have length about 0.1, so the dense part dominates until training has moved the tables.
        small = 0.1 * config.dim**-0.5
        self.config = config
        self.dense = nn.Parameter(torch.randn(dense_dim, config.dim) * max(1, dense_dim) ** -0.5)
        self.entity = nn.Parameter(torch.randn(n_entities, config.dim) * small)
        self.relation_scale = nn.Parameter(torch.ones(n_relations))
        residual = torch.randn(n_items, config.dim) * (small if config.identity else 0)
        self.identity = nn.Parameter(residual, requires_grad=config.identity)
        self.degree_exponent = nn.Parameter(torch.tensor(0.5))
        self.sum = WeightedSum()
        #: maps an ordered history to a user's vector; None: order is ignored
        self.order: OrderedUsers | CausalTransformer | None = None
        #: whether the gradients of `entity` and `identity` hold only the rows that a step reads
        self.sparse = False

    @classmethod
    def for_features(cls, config: EncoderConfig, featurizer: Featurizer, n_items: int) -> ItemEncoder:
        """An encoder with fresh parameters for the relations and nodes of `featurizer`."""
        return cls(
            config,
            dense_dim=featurizer.dense_dim,
            n_relations=len(featurizer.relations),
            n_entities=featurizer.n_nodes,
            n_items=n_items,
        )

    def forward(self, inputs: EncoderInputs, identity: Tensor | None = None) -> Tensor:
        """Vectors before normalisation.

        Args:
            inputs: n items.
            identity: the items' ID residuals, shape (n, dim); None for new items.

        Returns:
            shape (n, dim).
        """
        hidden = inputs.dense @ self.dense
        if len(inputs.entity):
            sources = self.rows(self.entity, inputs.entity) * self.relation_scale[inputs.relation, None]
            hidden = hidden + self.sum(sources, inputs.neighbors)
        return hidden if identity is None else hidden + identity

    def items(self, inputs: EncoderInputs, identity: Tensor | None = None) -> Tensor:
        """Unit embeddings of items; shape (n, dim)."""
        return normalize(self(inputs, identity), dim=1)

    def rows(self, table: Tensor, at: Tensor) -> Tensor:
        """Rows of `entity` or `identity`; shape (len(at), dim)."""
        return embedding(at, table, sparse=True) if self.sparse else table[at]

    @torch.no_grad()
    def whiten(self, inputs: EncoderInputs, power: float) -> Tensor | None:
        """Fold the whitening of the known items' embeddings into the parameters. Power 0 changes nothing.

        An item's vector before normalisation is linear in the tables, so multiplying each table by the map multiplies the vector.
        New items are made from the same tables, so they are whitened too.

        Args:
            inputs: all known items.
            power: as in :mod:`kgrec.encode.whitening`.

        Returns:
            The map; shape (dim, dim); None if the power is 0.
        """
        if not power:
            return None
        whitening = whitening_of(self.items(inputs, self.identity), power)
        for table in (self.dense, self.entity, self.identity):
            table.copy_(table @ whitening)
        return whitening

    def users(self, items: Tensor, log_degree: Tensor, histories: Adjacency) -> Tensor:
        """Unit embeddings of users.

        Args:
            items: unit embeddings, shape (n_items, dim).
            log_degree: log of the number of users of each item, shape (n_items,).
            histories: shape (n_users, n_items).

        Returns:
            shape (n_users, dim); zero for an empty history.
        """
        # d ** -alpha as exp(-alpha log d), which has a gradient for alpha
        weight = torch.exp(-self.degree_exponent * log_degree)
        return normalize(self.sum(items * weight[:, None], histories), dim=1)


def whitening_of(items: Tensor, power: float) -> Tensor:
    """The whitening map of unit embeddings, some of which may be zero; shapes (n, dim) -> (dim, dim), symmetric."""
    gram = (items.T @ items).double().cpu().numpy()
    return torch.from_numpy(embedding_map(gram, power)).to(items)


class EncoderInputs:
    """ItemFeatures as tensors on a device."""

    def __init__(self, features: ItemFeatures, device: str = "cpu") -> None:
        self.dense = torch.from_numpy(features.dense).to(device)
        self.neighbors = Adjacency(features.neighbors, device)
        self.relation = torch.from_numpy(features.relation).to(device)
        self.entity = torch.from_numpy(features.entity).to(device)

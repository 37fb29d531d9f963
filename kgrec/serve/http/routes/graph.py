"""The graph: nodes, their neighbours, and paths between them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from kgrec.graph.edges_by_node import Edge, EdgesByNode
from kgrec.graph.name_search import find_nodes
from kgrec.graph.tables import GraphTables
from kgrec.serve.http.bodies import Body, Id, Name
from kgrec.serve.http.problems import Problem
from kgrec.serve.http.routes.common import answer, scoped, service_of, until_of
from kgrec.serve.item_values import entity_values

router = APIRouter(prefix="/v1/graph", tags=["graph"])


class NodeName(Body):
    """A node."""

    type: Name
    key: Id


class PathsBody(Body):
    """The two nodes between which to search paths."""

    start: NodeName
    end: NodeName
    max_hops: int = Field(3, ge=1, le=4, description="Largest number of edges in a path.")
    k: int = Field(10, ge=1, le=50, description="Paths.")


class NodeAnswer(BaseModel):
    """A node."""

    type: str
    key: str
    label: str
    iri: str
    item: str | None = Field(description="The item id, if the node is an item.")
    degree: int
    values: dict[str, Any]


@router.get("/nodes", summary="Nodes by name", **scoped("read"))
async def find(
    request: Request,
    text: Annotated[str, Query(min_length=1, max_length=500)],
    type: Annotated[Name | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Nodes whose key or label matches a text, ignoring case and accents; similar nodes if none matches."""
    service = service_of(request)

    def compute() -> dict[str, Any]:
        frame = find_nodes(service.graph().graph, text, limit, type, False)
        return {"nodes": frame.to_dict("records")}

    return answer(await service.compute(compute, until_of(request)))


@router.get("/nodes/{type}/{key:path}/neighbours", summary="Neighbours of a node", **scoped("read"))
async def neighbours(
    request: Request,
    type: Name,
    key: Id,
    relation: Annotated[Name | None, Query()] = None,
    direction: Annotated[Literal["out", "in"] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    start: Annotated[int, Query(ge=0, description="The `next` of the previous page.")] = 0,
) -> Response:
    """Edges by relation and type, outgoing edges first."""
    service = service_of(request)

    def compute() -> dict[str, Any]:
        edges = service.graph()
        entity = _entity(edges.graph, type, key, "path")
        number = None if relation is None else _relation(edges.graph, relation)
        found, total = edges.neighbors(entity, number, direction, start, limit)
        more = start + limit < total
        return {
            "node": _node(edges, entity),
            "neighbours": [_end(edges, edge) for edge in found],
            "total": total,
            "next": start + limit if more else None,
        }

    return answer(await service.compute(compute, until_of(request)))


@router.get("/nodes/{type}/{key:path}", summary="A node", **scoped("read", NodeAnswer))
async def node(request: Request, type: Name, key: Id) -> Response:
    """Label, IRI, and values by relation and predicate."""
    service = service_of(request)

    def compute() -> dict[str, Any]:
        edges = service.graph()
        entity = _entity(edges.graph, type, key, "path")
        return {**_node(edges, entity), "values": entity_values(edges.graph, entity)}

    return answer(await service.compute(compute, until_of(request)))


@router.post("/paths", summary="Paths between two nodes", **scoped("read"))
async def paths(body: PathsBody, request: Request) -> Response:
    """The shortest paths, ignoring the direction of edges; among paths of equal length, those through rarer nodes come first."""
    service = service_of(request)

    def compute() -> dict[str, Any]:
        edges = service.graph()
        start = _entity(edges.graph, body.start.type, body.start.key, "body.start")
        end = _entity(edges.graph, body.end.type, body.end.key, "body.end")
        found = edges.paths(start, end, body.max_hops, body.k)
        return {
            "start": _node(edges, start),
            "end": _node(edges, end),
            "paths": [[_end(edges, edge) for edge in path] for path in found],
        }

    return answer(await service.compute(compute, until_of(request)))


def _entity(graph: GraphTables, type_: str, key: str, where: str) -> int:
    found = int(graph.ids([f"{type_}/{key}"])[0])
    if found < 0:
        raise Problem(
            "unknown-id" if where == "path" else "not-valid",
            f"There is no node of type '{type_}' with this key.",
            "Search: GET /v1/graph/nodes?text=.",
            where,
        )
    return found


def _relation(graph: GraphTables, name: str) -> int:
    names = graph.relations["name"].to_pylist()
    if name not in names:
        raise Problem(
            "not-valid",
            f"There is no relation '{name}'.",
            f"There are {', '.join(names[:50])}.",
            "query.relation",
        )
    return int(names.index(name))


def _node(edges: EdgesByNode, entity: int) -> dict[str, Any]:
    graph = edges.graph
    row = {name: graph.entities[name][entity].as_py() for name in ("type", "key", "label", "iri")}
    item = graph.row_of_item.get(entity)
    return {
        **{name: value or "" for name, value in row.items()},
        "item": None if item is None else graph.item_ids[item],
        "degree": int(edges.degrees[entity]),
    }


def _end(edges: EdgesByNode, edge: Edge) -> dict[str, Any]:
    relation = edges.graph.relations["name"][edge.relation].as_py()
    return {
        "relation": relation,
        "direction": edge.direction,
        "weight": edge.weight,
        **_node(edges, edge.other),
    }

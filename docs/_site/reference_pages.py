"""Pages of the site that are written from the code, so that they name what there is.

Enters: the command line, the models of kgrec.yaml and of the configuration, and the public names. Leaves: Markdown
pages below a folder, which only the build of the site reads.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from sphinx.pycode import ModuleAnalyzer

import kgrec
from kgrec.cli import app
from kgrec.ingest.mapping import roles, schema

_ROLES = (
    *(roles.Label, roles.Text, roles.Number, roles.Date, roles.Category),
    *(roles.NodeValue, roles.Ref, roles.SameAs, roles.Vector, roles.Ignore),
)
_TABLES = (
    *(schema.Mapping, schema.NodeTable, schema.EdgeTable, schema.InteractionTable),
    *(schema.TableFormat, schema.RdfSource, schema.ErrorPolicy),
)


def write_pages(folder: Path) -> None:
    """Writes all pages below `folder`; a page that has not changed keeps its time, so it is not built again."""
    commands = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    pages = {f"commands/{name}.md": command_page(name, command) for name, command in commands.items()}
    pages["commands/index.md"] = _index(
        "Commands", "Options of each command, as its help has them.", commands
    )
    parts = {part.__name__: part for part in (*_TABLES, *_ROLES)}
    pages["mapping-keys.md"] = _models_page("Keys of kgrec.yaml", parts)
    sections: dict[str, Any] = {name: field.annotation for name, field in kgrec.Config.model_fields.items()}
    pages["options.md"] = _models_page("Options of a model", sections, in_sections=True)
    groups = api_groups()
    pages |= {f"api/{name}.md": page for name, page in groups.items()}
    pages["api/index.md"] = _index("Python API", "The public names of `kgrec`.", groups)
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def command_page(name: str, command: Any) -> str:
    """One command: its help, its arguments, and its options in their panels."""
    panels: dict[str, list[list[str]]] = {}
    for parameter in command.params:
        panel = parameter.rich_help_panel or (
            "Options" if parameter.param_type_name == "option" else "Arguments"
        )
        panels.setdefault(panel, []).append(_parameter_row(parameter))
    parts = [f"# kgrec {name}", command.help]
    for panel in sorted(panels, key=lambda panel: (panel != "Arguments", panel == "General")):
        parts += [f"## {panel}", _table(("name", "default", "meaning"), panels[panel])]
    return _page(parts)


def api_groups() -> dict[str, str]:
    """Pages of the public names: one for functions, one for errors, one for each other class."""
    objects = {name: getattr(kgrec, name) for name in sorted(set(kgrec.__all__) - {"__version__"})}
    functions = [name for name, value in objects.items() if not inspect.isclass(value)]
    errors = [
        name for name, value in objects.items() if inspect.isclass(value) and issubclass(value, Exception)
    ]
    groups = {name: (name, [name]) for name in objects if name not in {*functions, *errors}}
    groups |= {"functions": ("Functions", functions), "errors": ("Errors", errors)}
    return {name: _api_page(title, names) for name, (title, names) in groups.items()}


def _api_page(title: str, names: Iterable[str]) -> str:
    directives = []
    for name in names:
        value = getattr(kgrec, name)
        kind = "autofunction" if not inspect.isclass(value) else "autoclass"
        if inspect.isclass(value) and issubclass(value, Exception):
            kind = "autoexception"
        members = (
            [] if kind == "autofunction" else ["   :members:", "   :inherited-members: BaseModel, Exception"]
        )
        directives.append("\n".join([f".. {kind}:: kgrec.{name}", *members]))
    return _page([f"# {title}", "```{eval-rst}\n" + "\n\n".join(directives) + "\n```"])


def _models_page(title: str, models: dict[str, type[BaseModel]], in_sections: bool = False) -> str:
    parts = [f"# {title}"]
    for name, model in models.items():
        parts += [f"## {name}", inspect.getdoc(model) or ""]
        rows = _field_rows(model, f"{name}." if in_sections else "")
        parts.append(_table(("key", "default", "values", "meaning"), rows))
    return _page(parts)


def _field_rows(model: type[BaseModel], prefix: str) -> list[list[str]]:
    rows = []
    for name, field in model.model_fields.items():
        required = field.is_required()
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "required" if required or default is PydanticUndefined else _value(default)
        rows.append([f"`{prefix}{field.alias or name}`", shown, _type(model, name), _field_text(model, name)])
    return rows


def _field_text(model: type[BaseModel], name: str) -> str:
    """The docstring under the field, in the class that defines it."""
    for base in _definers(model, name):
        documented = ModuleAnalyzer.for_module(base.__module__).find_attr_docs()
        return " ".join(documented.get((base.__qualname__, name), [])).strip()
    return ""


def _type(model: type[BaseModel], name: str) -> str:
    for base in _definers(model, name):
        annotation = vars(base)["__annotations__"][name]
        return f"`{annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)}`"
    return ""


def _definers(model: type[BaseModel], name: str) -> Iterator[type]:
    """The classes that declare a field, the nearest one first."""
    return (base for base in model.__mro__ if name in vars(base).get("__annotations__", {}))


def _value(default: object) -> str:
    if isinstance(default, BaseModel) or default in ((), {}, "", None):
        return "" if default != "" else '`""`'
    return f"`{default!r}`" if not isinstance(default, str) else f"`{default}`"


def _parameter_row(parameter: Any) -> list[str]:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *getattr(parameter, "secondary_opts", ())))
    value = f" {parameter.metavar}" if parameter.metavar else ""
    shown = parameter.show_default if isinstance(parameter.show_default, str) else ""
    if not shown and not callable(parameter.default) and parameter.default not in (None, False, (), []):
        shown = f"`{parameter.default}`"
    return [names + value, "required" if parameter.required else shown, parameter.help or ""]


def _index(title: str, first: str, names: Iterable[str]) -> str:
    tree = "\n".join(["```{toctree}", ":maxdepth: 1", "", *names, "```"])
    return _page([f"# {title}", first, tree])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|").replace("<", r"\<")


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part) + "\n"
